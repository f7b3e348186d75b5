"""The trace: what happened in a network, event by event, whoever recorded it.

Four sources write it (`sources/`): the vectorised simulator, the event simulator, the shipped cores
in virtual time, and rows of real processes. Metrics and adversaries read it, adversaries only
through `observe`, which leaves out what an observer of links cannot see: which departure from a
mix was which arrival, and what a packet is for. Spec: docs/spec/laboratory.md (Trace).
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from experiments.lab.compiled import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

NOBODY = -1  # no mix, no person, no message, no wire


class Event(IntEnum):
    """What happens to a packet. SEND, DEPART and LOOP_SEND put it on a wire; ARRIVE, DELIVER,
    LOOP_END and DROP take it off. A packet lost on the way stays on its wire for ever."""

    SEND = 0  # a person's packet enters the network; `label` is the sender
    ARRIVE = 1  # it comes into a mix, which will hold it
    DEPART = 2  # it leaves a mix that held it
    DELIVER = 3  # it reaches a person (or their provider); `label` is the receiver
    LOOP_SEND = 4  # a mix sends a loop of its own; observers are granted this
    LOOP_END = 5  # a mix's own loop is back; observers are granted this
    DROP = 6  # refused by the node that it came to
    RESTART = 7  # the mix lost all that it held; no packet belongs to this event


class Genre(IntEnum):
    """What a message is for. Hidden from observers."""

    PAYLOAD = 0
    LOOP = 1  # a person's cover that comes back to them
    DROP_COVER = 2  # a person's cover that ends unread
    MIX_LOOP = 3
    UNKNOWN = 4  # of a source that cannot tell


@dataclass(frozen=True, slots=True)
class Trace:
    """E events in the order of cause (so in order of time, and at one instant a packet arrives
    before it departs) and the truth about M messages.

    time     [E] seconds
    kind     [E] an Event
    mix      [E] the mix's place from 0; NOBODY at SEND and DELIVER
    layer    [E] the mix's layer from 0 (the hop in a free route); NOBODY at SEND and DELIVER
    message  [E] the message's place from 0; NOBODY at RESTART. Hidden
    label    [E] a person's place from 0 at SEND and DELIVER; NOBODY elsewhere, or if unknown
    genre    [M] a Genre. Hidden
    """

    time: Floats
    kind: Bytes
    mix: Ints
    layer: Ints
    message: Ints
    label: Ints
    genre: Bytes
    mixes: int
    people: int

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.time, self.kind, self.mix, self.layer)}
        if lengths != {len(self.message)} or len(self.label) != len(self.message):
            raise ValueError("the columns of a trace are of one length")

    @property
    def messages(self) -> int:
        return len(self.genre)


@dataclass(frozen=True, slots=True)
class Observation:
    """What an observer of every link has: the events of a Trace without what is hidden.

    wire    [E] a number for the packet on one link, the same where it leaves and where it comes in,
                another on the next link; counted in the order in which packets are put on wires
    origin  [E] at a DEPART from a corrupt mix the wire on which the packet came; else NOBODY
    """

    time: Floats
    kind: Bytes
    mix: Ints
    layer: Ints
    label: Ints
    wire: Ints
    origin: Ints
    mixes: int
    people: int
    wires: int


@dataclass(frozen=True, slots=True)
class Ends:
    """The truth that scores an adversary, never one of its inputs.

    sent       [M] the wire on which a message was sent; NOBODY if it was not
    delivered  [M] the wire on which it was delivered; NOBODY if it was not
    sender     [M] the person who sent it, NOBODY for a mix's loop or if unknown
    receiver   [M] the person who got it, NOBODY likewise
    """

    sent: Ints
    delivered: Ints
    sender: Ints
    receiver: Ints


def observe(trace: Trace, corrupt: Flags | None = None) -> tuple[Observation, Ends]:
    """What an observer sees of `trace`, and the truth to score it by.

    `corrupt` [mixes] marks mixes that tell the observer which departure was which arrival.
    """
    is_corrupt = np.zeros(trace.mixes, dtype=np.bool_) if corrupt is None else corrupt
    wire, origin, sent, delivered, sender, receiver, wires = _wires(
        trace.kind, trace.mix, trace.message, trace.label, trace.messages, is_corrupt
    )
    seen = Observation(
        time=trace.time,
        kind=trace.kind,
        mix=trace.mix,
        layer=trace.layer,
        label=trace.label,
        wire=wire,
        origin=origin,
        mixes=trace.mixes,
        people=trace.people,
        wires=int(wires),
    )
    return seen, Ends(sent, delivered, sender, receiver)


@kernel
def _wires(
    kind: Bytes, mix: Ints, message: Ints, label: Ints, messages: int, is_corrupt: Flags
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, int]:
    events = len(kind)
    wire = np.full(events, -1, dtype=np.int32)
    origin = np.full(events, -1, dtype=np.int32)
    latest = np.full(messages, -1, dtype=np.int32)  # the wire a message is or was last on
    sent = np.full(messages, -1, dtype=np.int32)
    delivered = np.full(messages, -1, dtype=np.int32)
    sender = np.full(messages, -1, dtype=np.int32)
    receiver = np.full(messages, -1, dtype=np.int32)
    count = 0
    for event in range(events):
        what, which = kind[event], message[event]
        if which < 0:
            continue
        if what == 0 or what == 2 or what == 4:  # SEND, DEPART, LOOP_SEND
            if what == 2 and is_corrupt[mix[event]]:
                origin[event] = latest[which]
            if what == 0:
                sent[which] = count
                sender[which] = label[event]
            latest[which] = count
            wire[event] = count
            count += 1
        else:
            wire[event] = latest[which]
            if what == 3:
                delivered[which] = wire[event]
                receiver[which] = label[event]
    return wire, origin, sent, delivered, sender, receiver, count


def permuted(ends: Ends, rng: np.random.Generator) -> Ends:
    """The truth with its labels dealt out anew among the messages that have both ends: an adversary
    that scores better than chance against it has looked at what it must not see."""
    known = np.flatnonzero((ends.sent >= 0) & (ends.delivered >= 0))
    other = rng.permutation(known)
    delivered, receiver = ends.delivered.copy(), ends.receiver.copy()
    delivered[known], receiver[known] = ends.delivered[other], ends.receiver[other]
    return replace(ends, delivered=delivered, receiver=receiver)
