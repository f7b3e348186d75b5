"""The slots of the three streams, each with a frame made ahead; a payload slot holds cover until
there is something to send.

A slot's mixes and delays are drawn from the slot's own stream of randomness, once an epoch: the
packet that leaves in it takes them whether it is cover, a first try, a retry or an acknowledgement.
Only the destination and what lies there differ. Spec: docs/spec/traffic.md (Slots).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from client.cargo import Cargo, Load, Network, PacketKind
from client.controls import NO_ERRAND, ControlBase, ControlDesk
from client.core_events import FillSlot, SlotTaken, Stream
from client.loops import Loops
from client.schedule import Purpose, SlotRandomness
from client.store_outbox import FragmentKey
from hushmill.errors import UserError
from hushmill.identifiers import (
    DEPOSIT_ID_BYTES,
    INBOX_ID_BYTES,
    NO_NODE,
    DepositId,
    Epoch,
    InboxId,
    NodeNumber,
)
from hushmill.link import ClientFrames, RelayAndFetch
from hushmill.packet import Hop, PacketFormat, deposit_payload
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness
from pki import choose_mixes, choose_provider, route_to

SECONDS_AHEAD = 3.0  # frames of each stream that lie ready, but at least
# A slot's frames that its pacer may still have. Only a messenger whose word reaches the pacer late
# by so many replacements would see it take an older one.
REVISIONS_KEPT = 8
_DESTINATION_DRAWS = 32  # of a provider for cover, until one has a key for the epoch
LEAST_AHEAD = {Stream.PAYLOAD: 4, Stream.LOOP: 2, Stream.DROP: 2}


@dataclass(slots=True)
class _Slot:
    stream: Stream
    number: int
    epoch: Epoch
    mixes: tuple[Hop, ...]  # empty: no network
    route_stream: SlotRandomness  # behind the mixes: where cover goes
    content_stream: SlotRandomness
    base: ControlBase  # of the first time that the slot was opened
    loads: list[Load]  # the newest revisions; the last one is the present one
    forgotten: int = 0  # how many older revisions there were

    @property
    def present(self) -> Load:
        return self.loads[-1]

    @property
    def revision(self) -> int:
        """Of the present load."""
        return self.forgotten + len(self.loads) - 1

    def add(self, load: Load) -> None:
        self.loads.append(load)
        if len(self.loads) > REVISIONS_KEPT:
            del self.loads[0]
            self.forgotten += 1

    def revised(self, revision: int) -> Load:
        """What left with `revision`; of one that is forgotten only that it did."""
        if revision < self.forgotten:
            return Load(PacketKind.NOTHING, b"", NO_NODE, NO_ERRAND, None, None)
        return self.loads[revision - self.forgotten]


class SlotBoard:
    """All prepared slots. It forgets everything at the end of the program: a slot number is used
    once a run, and a run's secret once."""

    def __init__(
        self,
        parameters: Parameters,
        packet_format: PacketFormat,
        secret: bytes,
        provider: NodeNumber,
        live_inbox: Callable[[], InboxId],
        desk: ControlDesk,
        loops: Loops,
        rng: Randomness,
        *,
        cover: bool,
    ) -> None:
        self._parameters = parameters
        self._format = packet_format
        self._geometry = packet_format.geometry
        self._frames = ClientFrames(self._geometry.packet_bytes, self._geometry.body_bytes)
        self._secret = secret
        self._provider = provider
        self._live_inbox = live_inbox
        self._desk = desk
        self._loops = loops
        self._rng = rng
        self._has_cover = cover
        self._network: Network | None = None
        self._epoch = Epoch(0)
        self._slots: dict[Stream, dict[int, _Slot]] = {stream: {} for stream in Stream}
        self._next_number = dict.fromkeys(Stream, 0)
        rates = {
            Stream.PAYLOAD: parameters.payload_rate,
            Stream.LOOP: parameters.loop_rate,
            Stream.DROP: parameters.drop_rate,
        }
        self._depth = {
            stream: max(LEAST_AHEAD[stream], math.ceil(SECONDS_AHEAD * rate)) if rate > 0 else 0
            for stream, rate in rates.items()
        }

    # 1. the network changes: every frame is made anew, with the same number

    def renew(self, network: Network | None, epoch: Epoch) -> list[FillSlot]:
        """Made anew if the epoch or its document is another than before. What lay in payload slots
        is cover again; the caller loads it again."""
        if network == self._network and epoch == self._epoch:
            return []
        self._network, self._epoch = network, epoch
        return [self._make(slot) for slot in self._all()]

    # 2. frames made ahead

    def top_up(self, now: float) -> list[FillSlot]:
        """New slots up to each stream's depth."""
        effects = []
        for stream, slots in self._slots.items():
            while len(slots) < self._depth[stream]:
                number = self._next_number[stream]
                self._next_number[stream] += 1
                control = self._randomness(stream, number, Purpose.CONTROL)
                base = self._desk.open(control, now)
                slots[number] = slot = self._open(stream, number, base)
                effects.append(self._fill(slot, self._cover(slot)))
        return effects

    # 3. payload in place of cover

    def free_slots(self) -> int:
        """How many payload slots hold cover that cargo may replace."""
        return sum(1 for _ in self._free())

    def load(self, cargo: Cargo) -> FillSlot | None:
        """The next free payload slot's frame with `cargo` in it; None where there is no slot, or
        no way to its provider."""
        network, slot = self._network, next(self._free(), None)
        if network is None or slot is None:
            return None
        packet = self._wrap(slot, network, cargo.provider, cargo.inbox, cargo.deposit, cargo.sealed)
        if packet is None:
            return None
        kind = PacketKind.ACKNOWLEDGEMENT if cargo.fragment is None else PacketKind.PAYLOAD
        return self._fill(slot, (kind, packet, slot.mixes[0].node, cargo, None))

    def refresh(self) -> list[FillSlot]:
        """The next payload frame with a new control field, where something waits for one."""
        if not self._desk.has_news():
            return []
        slots = self._slots[Stream.PAYLOAD]
        for slot in (slots[number] for number in sorted(slots)):
            old = slot.present
            if not old.errand.handles and old.errand.operation is None:
                content = (old.kind, old.packet, old.first_mix, old.cargo, old.loop)
                return [self._fill(slot, content)]
        return []

    def in_flight(self) -> set[FragmentKey]:
        """Fragments that lie in a slot."""
        cargos = (slot.present.cargo for slot in self._slots[Stream.PAYLOAD].values())
        return {cargo.fragment for cargo in cargos if cargo and cargo.fragment}

    def acknowledgements_in_flight(self) -> set[int]:
        """Contacts whose acknowledgement lies in a slot."""
        cargos = (slot.present.cargo for slot in self._slots[Stream.PAYLOAD].values())
        return {cargo.contact for cargo in cargos if cargo and cargo.fragment is None}

    def unload_acknowledgements(self) -> list[FillSlot]:
        """Cover again where one lies."""
        return [
            self._fill(slot, self._cover(slot))
            for slot in self._slots[Stream.PAYLOAD].values()
            if slot.present.kind is PacketKind.ACKNOWLEDGEMENT
        ]

    # 4. a frame has left

    def take(self, taken: SlotTaken) -> tuple[Load, list[Cargo]] | None:
        """What left, and the cargos that did not leave though their slot is gone; None for a slot
        that is not known (of an earlier run, or taken before)."""
        slots = self._slots[taken.stream]
        slot = slots.get(taken.number)
        if slot is None or not 0 <= taken.revision <= slot.revision:
            return None
        left_behind = []
        for number in [number for number in slots if number <= taken.number]:
            gone = slots.pop(number)
            self._desk.release(gone.present.errand)
            cargo = gone.present.cargo
            if cargo is not None and (gone is not slot or taken.revision != slot.revision):
                left_behind.append(cargo)
        load = slot.revised(taken.revision)
        self._desk.mark_sent(load.errand)
        return load, left_behind

    def clear(self) -> None:
        """The pacer has lost every frame; numbers go on."""
        for slot in self._all():
            self._desk.release(slot.present.errand)
        for slots in self._slots.values():
            slots.clear()

    # how a frame is made

    def _all(self) -> list[_Slot]:
        return [slot for slots in self._slots.values() for slot in slots.values()]

    def _free(self) -> "filter[_Slot]":
        ordered = (
            self._slots[Stream.PAYLOAD][number] for number in sorted(self._slots[Stream.PAYLOAD])
        )
        return filter(lambda slot: slot.mixes and slot.present.cargo is None, ordered)

    def _randomness(self, stream: Stream, number: int, purpose: Purpose) -> SlotRandomness:
        return SlotRandomness(self._secret, stream, number, self._epoch, purpose)

    def _open(self, stream: Stream, number: int, base: ControlBase) -> _Slot:
        """The slot with its mixes, delays and streams of the present epoch."""
        route = self._randomness(stream, number, Purpose.ROUTE)
        content = self._randomness(stream, number, Purpose.CONTENT)
        mixes: tuple[Hop, ...] = ()
        if self._network is not None:
            mixes = choose_mixes(
                self._network.consensus,
                self._network.epoch,
                self._parameters,
                self._geometry.kem,
                route,
            )
        return _Slot(stream, number, self._epoch, mixes, route, content, base, [])

    def _make(self, old: _Slot) -> FillSlot:
        """The same slot under the present epoch's keys."""
        slot = self._open(old.stream, old.number, old.base)
        slot.loads, slot.forgotten = old.loads, old.forgotten
        self._slots[slot.stream][slot.number] = slot
        return self._fill(slot, self._cover(slot))

    def _fill(
        self,
        slot: _Slot,
        content: tuple[PacketKind, bytes, NodeNumber, Cargo | None, DepositId | None],
    ) -> FillSlot:
        """The next revision of the slot's frame."""
        if slot.loads:
            self._desk.release(slot.present.errand)
        kind, packet, first_mix, cargo, loop = content
        control, errand = self._desk.compose(slot.base, first_mix)
        slot.add(Load(kind, packet, first_mix, errand, cargo, loop))
        frame = self._frames.encode_upstream(RelayAndFetch(control, packet), self._rng)
        return FillSlot(slot.stream, slot.number, slot.revision, frame)

    def _cover(
        self, slot: _Slot
    ) -> tuple[PacketKind, bytes, NodeNumber, Cargo | None, DepositId | None]:
        """A loop in a loop slot, drop cover in the others; random bytes that nobody relays where
        there is no network, or where an experiment has switched cover off."""
        network, content = self._network, slot.content_stream
        if network is not None and slot.mixes and self._has_cover:
            body = content.take(self._geometry.body_bytes)
            if slot.stream is Stream.LOOP:
                deposit = self._loops.deposit(content)
                packet = self._wrap(
                    slot, network, self._provider, self._live_inbox(), deposit, body
                )
                if packet is not None:
                    return PacketKind.LOOP, packet, slot.mixes[0].node, None, deposit
            inbox = InboxId(content.take(INBOX_ID_BYTES))
            deposit = DepositId(content.take(DEPOSIT_ID_BYTES))
            for _ in range(_DESTINATION_DRAWS):
                destination = choose_provider(network.consensus, slot.route_stream)
                packet = self._wrap(slot, network, destination, inbox, deposit, body)
                if packet is not None:
                    return PacketKind.DROP, packet, slot.mixes[0].node, None, None
        nothing = content.take(self._geometry.packet_bytes)
        return PacketKind.NOTHING, nothing, NO_NODE, None, None

    def _wrap(
        self,
        slot: _Slot,
        network: Network,
        destination: NodeNumber,
        inbox: InboxId,
        deposit: DepositId,
        body: bytes,
    ) -> bytes | None:
        """The packet's bytes; None when the destination has no key for the epoch."""
        try:
            route = route_to(
                slot.mixes, network.consensus, destination, network.epoch, self._geometry.kem
            )
        except UserError:
            return None
        payload = deposit_payload(inbox, deposit, body, self._geometry)
        return self._format.wrap(route, payload, slot.content_stream).raw
