"""Tracing where a mix stands at any place of a route, and the observer does not see at which.

It knows how many mixes L a route has: a packet that leaves for a person has passed all of them, and
one that leaves for a mix has not. The target's hop is known along each way that it may have gone;
the other packets in a mix are taken to be at any hop alike, which is so in the mean. Then, of n
packets inside, one that leaves for a person is

    the target, at its last hop, with the chance 1/n, and another with (n − 1)/n · 1/L,

against 1/L if the target is not there; and likewise for a mix with (L − 1)/L. The weight of each
way is multiplied by the quotient. What is left out, and makes this an approximation: what the
observer could learn of the others' hops, and that a route takes no mix twice.
"""

import numpy as np

from experiments.lab.adversaries.tracing_pass import ENDS_A_LOOK
from experiments.lab.adversaries.tracing_passage import (
    BEGIN,
    BEGIN_LOST,
    CLEAR,
    END,
    ENTER,
    HAND,
    LEAVE,
    LEAVE_LOST,
    LOSE,
    Passage,
)
from experiments.lab.compiled import kernel
from experiments.lab.trace import Bytes, Event, Floats, Ints, Observation

# Where a departing packet goes.
_TO_MIX, _TO_PERSON, _NOWHERE = 0, 1, 2


class HopPass:
    """What `Pass` is, for mixes that are met at several hops. Of the hops in the observation only
    their number is used."""

    def __init__(self, observation: Observation, passage: Passage, columns: int) -> None:
        self._passage = passage
        self._mix = observation.mix
        towards = np.full(observation.wires + 1, _NOWHERE, dtype=np.uint8)  # the last is NOBODY's
        for kind, place in ((Event.ARRIVE, _TO_MIX), (Event.DELIVER, _TO_PERSON)):
            towards[observation.wire[observation.kind == kind]] = place
        self._towards = towards[observation.wire]
        self._inside = _inside(
            passage.code, passage.pool, passage.size, observation.mix, observation.mixes
        )
        hops = int(observation.layer.max()) + 1
        self._mass = np.empty((observation.mixes, hops, columns))
        self._wires = np.empty((passage.slots, hops, columns))
        self._posterior = np.empty((len(passage.end), columns))

    def run(self, column: Ints, first: int, enough: float) -> Floats:
        """As `Pass.run`, but rows are weights. If the pass may stop, each column is divided by all
        of its weight, so that its sum is the share that was delivered."""
        passage = self._passage
        self._mass.fill(0.0)
        self._wires.fill(0.0)
        rows, total = _carry(
            passage.code,
            passage.slot,
            self._mix,
            self._inside,
            self._towards,
            column,
            first,
            enough,
            self._mass,
            self._wires,
            self._posterior,
        )
        posterior = self._posterior[:rows]
        if enough <= 1:
            posterior /= np.where(total > 0, total, 1.0)
        return posterior


@kernel
def _inside(code: Bytes, pool: Ints, size: Ints, mix: Ints, mixes: int) -> Ints:
    """[E] packets in the mix, at whatever hop, before each departure from an honest one."""
    inside = np.full(len(code), -1, dtype=np.int32)
    now = np.zeros(mixes, dtype=np.int32)
    for event in range(len(code)):
        if code[event] == CLEAR:
            now[mix[event]] = 0
        elif pool[event] >= 0 and size[event] < 0:
            now[mix[event]] += 1
        elif pool[event] >= 0:
            inside[event] = now[mix[event]]
            now[mix[event]] = max(now[mix[event]] - 1, 0)
    return inside


@kernel
def _carry(
    code: Bytes,
    slot: Ints,
    mix: Ints,
    inside: Ints,
    towards: Bytes,
    column: Ints,
    first: int,
    enough: float,
    mass: Floats,
    wires: Floats,
    posterior: Floats,
) -> tuple[int, Floats]:
    """Fills `posterior`; returns how many rows, and all weight of each column. On a wire the hop is
    the one to come; what comes to a person is kept under the last.

    `least` is the least hop that any packet on the wire can be at, and `is_known` whether it is at
    that very hop, being fresh from a person: a corrupt mix hands on one certain packet, which if it
    is not the target is at any hop from there on alike.
    """
    hops, columns = mass.shape[1], mass.shape[2]
    out = np.zeros(columns)
    total = np.zeros(columns)
    least = np.zeros(len(wires), dtype=np.int64)
    is_known = np.zeros(len(wires), dtype=np.uint8)
    rows = 0
    for event in range(first, len(code)):
        what, lies, at = code[event], slot[event], mix[event]
        if what in (LEAVE, LEAVE_LOST, HAND):
            low, high, among = 0, hops, 1.0
            classes = hops if what != HAND else hops - least[lies]
            if towards[event] == _TO_PERSON:
                low, among = hops - 1, 1.0 / classes
            elif towards[event] == _TO_MIX:
                high, among = hops - 1, (classes - 1.0) / classes
            if what == HAND:
                if is_known[lies] == 1 or among <= 0:
                    among = 1.0
                least[lies] = min(least[lies] + 1, hops - 1)
                for hop in range(hops - 1, -1, -1):
                    after = min(hop + 1, hops - 1)
                    quotient = 1.0 / among if low <= hop < high else 0.0
                    for each in range(columns):
                        moved = wires[lies, hop, each] * quotient
                        wires[lies, hop, each] = 0.0
                        wires[lies, after, each] += moved
                continue
            if what == LEAVE:
                _clear(wires, lies)
                least[lies] = min(1, hops - 1)
                is_known[lies] = 0
            number = inside[event]
            if number <= 0:
                continue
            for hop in range(hops):
                after = min(hop + 1, hops - 1)
                goes = 1.0 / (number * among) if low <= hop < high else 0.0
                stays = (number - 1.0) / number
                for each in range(columns):
                    leaving = mass[at, hop, each] * goes
                    mass[at, hop, each] *= stays
                    if what == LEAVE:
                        wires[lies, after, each] += leaving
                    else:
                        out[each] += leaving
        elif what == ENTER:
            for hop in range(hops):
                for each in range(columns):
                    mass[at, hop, each] += wires[lies, hop, each]
                    wires[lies, hop, each] = 0.0
        elif what == END:
            for each in range(columns):
                posterior[rows, each] = wires[lies, hops - 1, each] if lies >= 0 else 0.0
                out[each] += posterior[rows, each]
            if lies >= 0:
                _clear(wires, lies)
            rows += 1
            if rows % (8 * ENDS_A_LOOK) == 0 and enough <= 1:
                for each in range(columns):
                    total[each] = out[each]
                _add_all(mass, total)
                _add_all(wires, total)
                is_over = True
                for each in range(columns):
                    is_over = is_over and 0 < out[each] >= enough * total[each]
                if is_over:
                    break
        elif what == BEGIN:
            _clear(wires, lies)
            least[lies] = 0
            is_known[lies] = 1
            if column[event] >= 0:
                wires[lies, 0, column[event]] = 1.0
        elif what == LOSE:
            for hop in range(hops):
                for each in range(columns):
                    out[each] += wires[lies, hop, each]
            _clear(wires, lies)
        elif what == BEGIN_LOST:
            if column[event] >= 0:
                out[column[event]] += 1.0
        elif what == CLEAR:
            for hop in range(hops):
                for each in range(columns):
                    out[each] += mass[at, hop, each]
            _clear(mass, at)
    _add_all(mass, out)
    _add_all(wires, out)
    return rows, out


@kernel
def _add_all(weights: Floats, total: Floats) -> None:
    """Adds the weights of all places and hops to each column's total."""
    places, hops, columns = weights.shape
    for place in range(places):
        for hop in range(hops):
            for each in range(columns):
                total[each] += weights[place, hop, each]


@kernel
def _clear(weights: Floats, place: int) -> None:
    for hop in range(weights.shape[1]):
        for each in range(weights.shape[2]):
            weights[place, hop, each] = 0.0
