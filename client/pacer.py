"""The pacer's core: three Poisson processes, and at each tick one frame that lay ready.

When frames leave depends on nothing but the rates and the randomness given: not on what is in the
frames, on whether anyone writes, nor on the link. A tick with the link down passes, and its frame
stays for the next one. The pacer numbers the frames of a link session as they leave, from 1: only
here is their order known. Spec: docs/spec/traffic.md (Slots).
"""

from typing import assert_never

from client.core_events import (
    FillSlot,
    LinkDown,
    LinkUp,
    PacerEffect,
    PacerEvent,
    SendFrame,
    SlotTaken,
    Stream,
)
from hushmill.link import renumbered
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness
from hushmill.traffic import PoissonProcess

SLOTS_KEPT = 64  # a stream's frames ahead; one more is refused, since the messenger never asks it
LATE_SECONDS = 5.0  # a tick later than this is from before a standstill: begin anew, no burst


class PacerCore:
    """The processes begin with the first event."""

    def __init__(self, parameters: Parameters, rng: Randomness) -> None:
        rates = {
            Stream.PAYLOAD: parameters.payload_rate,
            Stream.LOOP: parameters.loop_rate,
            Stream.DROP: parameters.drop_rate,
        }
        self._processes = {stream: PoissonProcess(rate, rng) for stream, rate in rates.items()}
        self._slots: dict[Stream, dict[int, FillSlot]] = {stream: {} for stream in Stream}
        self._first_free = dict.fromkeys(Stream, 0)  # every slot below it has been taken
        self._link_is_up = False
        self._has_begun = False
        self._sequence = 0  # of the last frame on this link session
        self.missed = dict.fromkeys(Stream, 0)  # ticks with the link up and no frame ready
        self.passed = dict.fromkeys(Stream, 0)  # ticks with the link down
        self.refused = 0  # frames beyond SLOTS_KEPT

    def receive(self, event: PacerEvent, now: float) -> list[PacerEffect]:
        self._begin(now)
        match event:
            case LinkUp():
                self._link_is_up = True
                self._sequence = 0
            case LinkDown():
                self._link_is_up = False
            case FillSlot():
                self._fill(event)
            case _:
                assert_never(event)
        return []

    def next_deadline(self) -> float | None:
        ticks = [process.next_tick for process in self._processes.values()]
        return min((tick for tick in ticks if tick is not None), default=None)

    def advance(self, now: float) -> list[PacerEffect]:
        self._begin(now)
        effects: list[PacerEffect] = []
        while True:
            due = [stream for stream in Stream if self._processes[stream].is_due(now)]
            if not due:
                return effects
            stream = min(due, key=lambda one: self._processes[one].next_tick or 0.0)
            process = self._processes[stream]
            if process.next_tick is not None and now - process.next_tick > LATE_SECONDS:
                process.start(now)
                continue
            process.step()
            effects += self._take(stream)

    def _begin(self, now: float) -> None:
        if not self._has_begun:
            self._has_begun = True
            for stream in Stream:
                self._processes[stream].start(now)

    def _fill(self, filled: FillSlot) -> None:
        slots = self._slots[filled.stream]
        known = slots.get(filled.number)
        if filled.number < self._first_free[filled.stream]:
            return
        if known is None and len(slots) >= SLOTS_KEPT:
            self.refused += 1
        elif known is None or known.revision < filled.revision:
            slots[filled.number] = filled

    def _take(self, stream: Stream) -> list[PacerEffect]:
        slots = self._slots[stream]
        if not self._link_is_up:
            self.passed[stream] += 1
            return []
        if not slots:
            self.missed[stream] += 1
            return []
        taken = slots.pop(min(slots))
        self._first_free[stream] = taken.number + 1
        self._sequence += 1
        frame = renumbered(taken.frame, self._sequence)
        return [SendFrame(frame), SlotTaken(stream, taken.number, taken.revision)]
