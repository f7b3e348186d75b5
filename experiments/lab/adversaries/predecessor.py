"""The predecessor attack: corrupt mixes log who hands them what the target gets, route by route.

The coalition sees the traffic of its own mixes alone. It follows a packet through its own mixes
with certainty and across honest ones by time: the delays of so many honest mixes weigh each packet
that it lost sight of. Each message has a fresh route, and what the log says adds up over messages.
After Reiter and Rubin 1998 and Wright et al. 2002, as remembered; the weighing is our own.
Spec: docs/spec/laboratory.md (Predecessor).
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.outcome import Quality
from experiments.lab.trace import NOBODY, Event, Flags, Floats, Ints, Observation

QUALITY = Quality.SAMPLED


@dataclass(frozen=True, slots=True)
class PredecessorLog:
    """What the coalition holds of each of D messages to the target, in the order of delivery.

    suspicion   [D, people] the weight that each person gets; a row adds up to 1, or to 0 where the
                coalition saw nothing of the message's way
    is_certain  [D] whether all mixes on the way were its own
    """

    suspicion: Floats
    is_certain: Flags

    @property
    def leaders(self) -> Ints:
        """[D] who leads after each message; NOBODY while nobody does or several do alike."""
        totals = np.cumsum(self.suspicion, axis=0)
        best = totals.max(axis=1, initial=0.0)
        is_best = totals >= best[:, None] * (1 - 1e-12)
        sole = (is_best.sum(axis=1) == 1) & (best > 0)
        return np.where(sole, is_best.argmax(axis=1), NOBODY).astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Wires:
    """The links' packets by wire, all [wires]: what the coalition knows of each.

    source  the wire that came into the corrupt mix which sent this one; NOBODY for an honest one
    next    the wire on which a corrupt mix sent it on
    sender  whose packet it is, where a person sent it
    left, came            seconds
    left_layer, to_layer  the layers at its ends; NOBODY at a person
    is_seen               whether it comes into a corrupt mix
    """

    source: Ints
    next: Ints
    sender: Ints
    left: Floats
    came: Floats
    left_layer: Ints
    to_layer: Ints
    is_seen: Flags


def log_predecessors(
    seen: Observation,
    corrupt: Flags,
    target: int,
    mean_delay_seconds: float,
    link_seconds: float = 0.0,
) -> PredecessorLog:
    """The coalition's log of the messages that `target` got through the mixes `corrupt` [mixes].

    `seen` must be what `observe` gives for `corrupt`. Delays are taken to be exponential, of the
    given mean at each mix.
    """
    wires = _wires(seen, corrupt)
    ends = seen.wire[(seen.kind == Event.DELIVER) & (seen.label == target)]
    started = np.flatnonzero((wires.sender >= 0) & wires.is_seen)
    lost = _followed(started.astype(np.int32), wires.next)
    is_lost = (wires.next[lost] < 0) & (wires.to_layer[lost] >= 0) & ~wires.is_seen[lost]
    started, lost = started[is_lost], lost[is_lost]
    found = _followed(ends, wires.source)
    # What the coalition sees come out of an honest mix, it sees because it comes into one of its
    # own; a delivery straight from an honest mix shows it nothing.
    is_own = (found != ends) & (wires.source[ends] >= 0)
    is_certain = is_own & (wires.sender[found] >= 0)
    suspicion = np.zeros((len(ends), seen.people))
    for row in np.flatnonzero(is_own):
        wire = found[row]
        if is_certain[row]:
            suspicion[row, wires.sender[wire]] = 1.0
            continue
        hops = wires.left_layer[wire] - wires.to_layer[lost] + 1
        waited = wires.left[wire] - wires.came[lost] - (hops - 1) * link_seconds
        weights = _erlang_density(waited / mean_delay_seconds, hops)
        if weights.sum() > 0:
            people = wires.sender[started]
            shares = np.bincount(people, weights / weights.sum(), seen.people)
            suspicion[row] = shares
    return PredecessorLog(suspicion, is_certain)


def _followed(wires: Ints, step: Ints) -> Ints:
    """Where each wire's way through corrupt mixes ends."""
    at = wires.copy()
    while True:
        further = step[at]
        if (further < 0).all():
            return at
        at = np.where(further >= 0, further, at).astype(np.int32)


def _wires(seen: Observation, corrupt: Flags) -> _Wires:
    nobody = np.full(seen.wires, NOBODY, dtype=np.int32)
    sender, source, onward = nobody.copy(), nobody.copy(), nobody.copy()
    left_layer, to_layer = nobody.copy(), nobody.copy()
    left, came = np.full(seen.wires, np.inf), np.full(seen.wires, np.inf)
    is_seen = np.zeros(seen.wires, dtype=np.bool_)
    sends, departs = seen.kind == Event.SEND, seen.kind == Event.DEPART
    arrives = seen.kind == Event.ARRIVE
    sender[seen.wire[sends]] = seen.label[sends]
    source[seen.wire[departs]] = seen.origin[departs]
    left[seen.wire[departs]] = seen.time[departs]
    left_layer[seen.wire[departs]] = seen.layer[departs]
    came[seen.wire[arrives]] = seen.time[arrives]
    to_layer[seen.wire[arrives]] = seen.layer[arrives]
    is_seen[seen.wire[arrives]] = corrupt[seen.mix[arrives]]
    handed = np.flatnonzero(source >= 0)
    onward[source[handed]] = handed
    return _Wires(source, onward, sender, left, came, left_layer, to_layer, is_seen)


def _erlang_density(waited: Floats, hops: Ints) -> Floats:
    """The density of the sum of `hops` exponential delays of mean 1; 0 where it cannot be."""
    possible = (waited > 0) & (hops >= 1) & np.isfinite(waited)
    density = np.zeros(len(waited))
    for count in np.unique(hops[possible]).tolist():
        rows = possible & (hops == count)
        log = (count - 1) * np.log(waited[rows]) - waited[rows] - math.lgamma(count)
        density[rows] = np.exp(log)
    return density
