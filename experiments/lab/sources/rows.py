"""Rows of nodes (`experiments/trace.py`) as a trace: what happened to each packet, joined by name.

The shipped cores in virtual time and the processes of a local network write the same rows, so this
one reader serves both. Spec: docs/spec/laboratory.md (Rows).

A provider is no mix here. All that it holds are mixes' own loops, which an observer is granted: one
that comes in ends, and one that goes on begins. Providers have places after the mixes' for that.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from experiments.lab.trace import NOBODY, Event, Genre, Trace
from experiments.trace import Kind, Row
from hushmill.errors import ExitCode, UserError

LEAVING = {Kind.ENTRY: Event.SEND, Kind.RELAY: Event.DEPART, Kind.OWN_LOOP: Event.LOOP_SEND}
COMING = {
    Kind.RELAY: Event.ARRIVE,
    Kind.DELIVER: Event.DELIVER,
    Kind.LOOP_END: Event.LOOP_END,
    Kind.DROP: Event.DROP,
}


def by_client(row: Row) -> int:
    """The sender of an entry where clients are numbered from 1 over the whole network."""
    return row.client - 1


def senders_of(rows: Sequence[Row]) -> dict[tuple[int, int], int]:
    """The place of each (provider, client) that sent something, in the order of first sending: of
    real providers each counts its own clients."""
    places: dict[tuple[int, int], int] = {}
    for row in rows:
        if row.kind is Kind.ENTRY:
            places.setdefault((row.at, row.client), len(places))
    return places


def nobody(_row: Row) -> int:
    """The receiver of a packet that ended at a provider, to one who knows providers alone."""
    return NOBODY


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read. `layers` [node number] is each mix's layer from 0; every other node is a
    provider. `sender_of` an entry and `receiver_of` a delivery give a person's place below
    `people`, or NOBODY. `genres` [wire] says what packets were for, by the name under which they
    enter."""

    layers: Mapping[int, int]
    people: int
    sender_of: Callable[[Row], int] = by_client
    receiver_of: Callable[[Row], int] = nobody
    genres: Mapping[str, Genre] = field(default_factory=dict)


def layers_of(rows: Sequence[Row]) -> dict[int, int]:
    """Each mix's layer, from 0, by the way of the packets: the first layer hears from providers,
    every other from the layer before it. Mixes that no packet came to are left out.

    Raises UserError(USAGE) where a mix hears from two layers, as in a free route.
    """
    providers = {row.at for row in rows if row.kind in (Kind.ENTRY, Kind.DELIVER)}
    before: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        if not row.arriving and row.peer not in providers:
            before[row.peer].add(NOBODY if row.at in providers else row.at)
    layers: dict[int, int] = {}
    for layer in range(len(before)):
        known = {node for node, at in layers.items() if at == layer - 1} if layer else {NOBODY}
        found = {node for node, sources in before.items() if sources & known}
        for node in found - layers.keys():
            layers[node] = layer
    for node, sources in before.items():
        layer = layers.get(node, 0)
        if any(layers.get(source, NOBODY) != layer - 1 for source in sources - {NOBODY}):
            raise UserError(
                f"layers: node {node} gets packets from more than one layer, so the rows are of no "
                "network in layers.",
                ExitCode.USAGE,
            )
    return layers


def trace_of_rows(rows: Sequence[Row], reading: Reading) -> Trace:
    """The trace of `rows`, which are in order of time; its times count from the first row's.

    A packet keeps one message from its entry to its end where its nodes named it; else each link's
    packets are matched first in, first out, and every link begins a new message. A packet that was
    under way before the rows begin is a message without a SEND.
    """
    return _Reader(reading).read(_in_order_of_cause(rows))


def _in_order_of_cause(rows: Sequence[Row]) -> list[Row]:
    """Two processes' readings of one clock may show a packet come in before it left, by less than
    the clock's grain: then it came in right after it left."""
    left: dict[str, int] = {}
    for place, row in enumerate(rows):
        if row.wire and not row.arriving:
            left.setdefault(row.wire, place)
    keyed = []
    for place, row in enumerate(rows):
        cause = left.get(row.wire, NOBODY) if row.arriving else NOBODY
        if cause > place:
            keyed.append((cause, 1, replace(row, time=rows[cause].time)))
        else:
            keyed.append((place, 0, row))
    keyed.sort(key=lambda one: one[:2])
    return [row for _, _, row in keyed]


class _Reader:
    """One pass over rows. Dictionaries hold what is under way and what is held, by message."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        mixes = sorted(reading.layers, key=lambda node: (reading.layers[node], node))
        self._places = {node: place for place, node in enumerate(mixes)}
        self._provider_layer = max(reading.layers.values(), default=NOBODY) + 1
        self._named: dict[str, int] = {}  # under way, by wire
        self._landed: set[str] = set()
        self._unnamed: dict[tuple[int, int], deque[int]] = defaultdict(deque)  # by link
        self._held: dict[int, dict[str, int]] = defaultdict(dict)  # by node and onward wire
        self._events: list[tuple[float, int, int, int, int, int]] = []
        self._genres: list[Genre] = []

    def read(self, rows: Sequence[Row]) -> Trace:
        start = rows[0].time if rows else 0.0
        for row in rows:
            if row.kind is Kind.START:
                self._restart(row, row.time - start)
            elif row.arriving:
                self._came(row, row.time - start)
            else:
                self._left(row, row.time - start)
        columns = list(zip(*self._events, strict=True)) or [()] * 6
        time, kind, mix, layer, message, label = columns
        return Trace(
            time=np.array(time, dtype=np.float64),
            kind=np.array(kind, dtype=np.uint8),
            mix=np.array(mix, dtype=np.int32),
            layer=np.array(layer, dtype=np.int32),
            message=np.array(message, dtype=np.int32),
            label=np.array(label, dtype=np.int32),
            genre=np.array(self._genres, dtype=np.uint8),
            mixes=len(self._places),
            people=self._reading.people,
        )

    def _restart(self, row: Row, time: float) -> None:
        """Nothing held survives it, nor what is under way where links only know their order."""
        self._held.pop(row.at, None)
        for ends in [ends for ends in self._unnamed if row.at in ends]:
            del self._unnamed[ends]
        if row.at in self._reading.layers:
            self._note(row, time, Event.RESTART, NOBODY)

    def _left(self, row: Row, time: float) -> None:
        event = LEAVING[row.kind]
        if event is Event.DEPART and row.at not in self._reading.layers:
            event = Event.LOOP_SEND
        message = NOBODY
        if event is Event.DEPART:
            message = self._held[row.at].pop(row.wire, NOBODY)
        if message == NOBODY:
            genre = Genre.MIX_LOOP if event is Event.LOOP_SEND else Genre.UNKNOWN
            message = self._new(self._reading.genres.get(row.wire, genre))
        if row.wire:
            self._named[row.wire] = message
        else:
            self._unnamed[row.at, row.peer].append(message)
        label = self._reading.sender_of(row) if event is Event.SEND else NOBODY
        self._note(row, time, event, message, label)

    def _came(self, row: Row, time: float) -> None:
        if row.wire in self._landed:
            return  # a frame that the network doubled: the node refuses it as a replay
        message = self._take_off_wire(row)
        event = COMING[row.kind]
        if event is Event.ARRIVE and row.at not in self._reading.layers:
            event = Event.LOOP_END
        elif event is Event.ARRIVE and row.onward:
            self._held[row.at][row.onward] = message
        label = self._reading.receiver_of(row) if event is Event.DELIVER else NOBODY
        self._note(row, time, event, message, label)

    def _take_off_wire(self, row: Row) -> int:
        if row.wire:
            self._landed.add(row.wire)
            message = self._named.pop(row.wire, NOBODY)
        else:
            link = self._unnamed[row.peer, row.at]
            message = link.popleft() if link else NOBODY
        return self._new(Genre.UNKNOWN) if message == NOBODY else message

    def _new(self, genre: Genre) -> int:
        self._genres.append(genre)
        return len(self._genres) - 1

    def _note(self, row: Row, time: float, event: Event, message: int, label: int = NOBODY) -> None:
        mix = layer = NOBODY
        if event not in (Event.SEND, Event.DELIVER):
            mix = self._places.setdefault(row.at, len(self._places))
            layer = self._reading.layers.get(row.at, self._provider_layer)
        self._events.append((time, event, mix, layer, message, label))
