"""What an observation asks of every pass over it, worked out once for all targets.

A pass carries probability from wires into pools and out of them (`tracing_pass.py`). Where in
memory each wire's posterior lies while the packet is on the link, how many packets are in a pool,
and which wires lead nowhere, is the same for every target.
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.compiled import kernel
from experiments.lab.trace import Bytes, Event, Flags, Ints, Observation

# Kernels compare with plain numbers.
_SEND, _ARRIVE, _DEPART = int(Event.SEND), int(Event.ARRIVE), int(Event.DEPART)
_DELIVER, _LOOP_SEND, _RESTART = int(Event.DELIVER), int(Event.LOOP_SEND), int(Event.RESTART)

# What an event does in a pass.
SKIP = 0  # nothing to a posterior
ENTER = 1  # a wire's posterior is added to a pool
LEAVE = 2  # a pool's mean goes on a wire
BEGIN = 3  # a new packet goes on a wire
END = 4  # a wire's posterior is a result
LOSE = 5  # a wire's posterior ends nowhere: refused, or a mix's own loop
LEAVE_LOST = 6  # a pool's mean goes on a wire that never comes in
BEGIN_LOST = 7  # a new packet goes on such a wire
CLEAR = 8  # every pool of a mix loses what it holds
HAND = 9  # a corrupt mix's departure: the posterior stays where it lies


@dataclass(frozen=True, slots=True)
class Passage:
    """The E events of an observation as passes need them.

    code      [E] what the event does: one of the numbers above
    slot      [E] where the wire's posterior lies; NOBODY where there is none
    pool      [E] at an arrival or departure the pool, unless the mix is corrupt; at CLEAR the mix.
              A mix has one pool for each layer or hop at which it is seen
    size      [E] packets in the pool before a LEAVE; NOBODY elsewhere
    pool_mix  [pools] the mix that each pool is of
    slots     how many wires with a posterior are out at most at one time
    end       [D] the events at which packets were delivered
    has_hops  a mix is seen at several hops, which the observer is granted
    has_loops a wire turned out to be a mix's own loop
    """

    code: Bytes
    slot: Ints
    pool: Ints
    size: Ints
    pool_mix: Ints
    slots: int
    end: Ints
    has_hops: bool
    has_loops: bool


def passage_of(observation: Observation) -> Passage:
    """The passage of `observation`. O(E)."""
    kind, wire, origin = observation.kind, observation.wire, observation.origin
    comes_in, is_told = _fates(kind, wire, origin, observation.wires)
    code, slot, pool, size, pool_mix, slots = _prepared(
        kind,
        observation.mix,
        observation.layer,
        wire,
        origin,
        comes_in,
        is_told,
        observation.mixes,
        int(observation.layer.max(initial=0)) + 1,
    )
    return Passage(
        code=code,
        slot=slot,
        pool=pool,
        size=size,
        pool_mix=pool_mix,
        slots=int(slots),
        end=np.flatnonzero(kind == Event.DELIVER).astype(np.int32),
        has_hops=len(np.unique(pool_mix)) < len(pool_mix),
        has_loops=bool(np.any(kind == Event.LOOP_END)),
    )


@kernel
def _fates(kind: Bytes, wire: Ints, origin: Ints, wires: int) -> tuple[Flags, Flags]:
    """For each wire whether it comes in anywhere, and whether a corrupt mix tells what became of
    the packet that came on it."""
    comes_in = np.zeros(wires, dtype=np.bool_)
    is_told = np.zeros(wires, dtype=np.bool_)
    for event in range(len(kind)):
        what, which = kind[event], wire[event]
        if which < 0:
            continue
        if what != _SEND and what != _DEPART and what != _LOOP_SEND:
            comes_in[which] = True
        if origin[event] >= 0:
            is_told[origin[event]] = True
    return comes_in, is_told


@kernel
def _prepared(
    kind: Bytes,
    mix: Ints,
    layer: Ints,
    wire: Ints,
    origin: Ints,
    comes_in: Flags,
    is_told: Flags,
    mixes: int,
    layers: int,
) -> tuple[Bytes, Ints, Ints, Ints, Ints, int]:
    """The columns of a Passage. A slot is free again once its wire has come in."""
    events, wires = len(kind), len(comes_in)
    code = np.full(events, SKIP, dtype=np.uint8)
    slot = np.full(events, -1, dtype=np.int32)
    pool = np.full(events, -1, dtype=np.int32)
    size = np.full(events, -1, dtype=np.int32)
    lies = np.full(wires, -1, dtype=np.int32)  # the slot of each wire; -1 if it has no posterior
    free = np.empty(wires + 1, dtype=np.int32)
    frees, slots = 0, 0
    pool_of = np.full((mixes, layers), -1, dtype=np.int32)
    pool_mix = np.empty(mixes * layers, dtype=np.int32)
    inside = np.zeros(mixes * layers, dtype=np.int32)
    pools = 0
    for event in range(events):
        what, which, came_on = kind[event], wire[event], origin[event]
        into_honest = what == _ARRIVE and (which < 0 or not is_told[which])
        held = -1
        if into_honest or (what == _DEPART and came_on < 0):
            hop = max(layer[event], 0)
            held = pool_of[mix[event], hop]
            if held < 0:
                held = pools
                pool_of[mix[event], hop] = held
                pool_mix[held] = mix[event]
                pools += 1
            pool[event] = held
        if what == _SEND or (what == _DEPART and came_on < 0):
            if what == _DEPART:
                size[event] = inside[held]
                inside[held] = max(inside[held] - 1, 0)
            if not comes_in[which]:
                code[event] = BEGIN_LOST if what == _SEND else LEAVE_LOST
                continue
            code[event] = BEGIN if what == _SEND else LEAVE
            if frees > 0:
                frees -= 1
                lies[which] = free[frees]
            else:
                lies[which] = slots
                slots += 1
            slot[event] = lies[which]
        elif what == _DEPART:
            lies[which] = lies[came_on]
            slot[event] = lies[which]
            if lies[which] >= 0:
                code[event] = HAND
                if not comes_in[which]:
                    code[event] = LOSE
                    free[frees] = lies[which]
                    frees += 1
        elif what == _RESTART:
            code[event] = CLEAR
            pool[event] = mix[event]
            for other in range(pools):
                if pool_mix[other] == mix[event]:
                    inside[other] = 0
        elif what == _LOOP_SEND or (what == _ARRIVE and not into_honest):
            continue  # no posterior; or the corrupt mix will tell where it goes on
        else:  # off a wire
            if what == _ARRIVE:
                inside[held] += 1
            if what == _DELIVER:
                code[event] = END
            if which < 0 or lies[which] < 0:
                continue  # from before the trace, or a mix's own loop
            if what == _ARRIVE:
                code[event] = ENTER
            elif what != _DELIVER:
                code[event] = LOSE
            slot[event] = lies[which]
            free[frees] = lies[which]
            frees += 1
    return code, slot, pool, size, pool_mix[:pools].copy(), slots
