"""The event loop: one packet's step after another, in the order of time.

The way of a packet: it begins (`begun`) and goes onto a link (`_forward`), which may lose it; comes
in (`ARRIVAL`), where one who blocks may take it; waits for the mix's work (`SERVED`) behind others;
is held until its own time (`DUE`), or until the strategy sends so many of those held (`_choose`),
at an arrival or a tick (`TICK`); and departs onto the next link. A mix's loop begins in its own
mix's pool. A `RESTART` empties a mix.

All that is compiled together stands here: numba's cache knows a change of the kernel's own file
only, and would go on with what a kernel of another file was before.
Spec: docs/spec/laboratory.md (Event simulator).
"""

import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from experiments.lab.compiled import kernel
from experiments.lab.trace import Floats, Ints

Table = NDArray[np.int32]
Longs = NDArray[np.int64]

# What a mix goes by: `strategies.py` has them by name.
INDEPENDENT, THRESHOLD, POOL, TIMED, TIMED_POOL, BINOMIAL, COTTRELL = range(7)

NO_MIX = -2  # blocks nothing, not even what has no mix


class Ending(IntEnum):
    """What became of a packet by the end of the run."""

    NOT_BEGUN = 0
    UNDER_WAY = 1  # on a link
    HELD = 2  # in a mix: it stalls, or the run was too short
    ARRIVED = 3  # at a person, or a mix's loop at its mix
    LOST = 4  # by a link
    REFUSED = 5  # by a mix whose queue was full
    BLOCKED = 6  # by the attacker
    FORGOTTEN = 7  # by a mix that restarted


# Columns of the table of messages.
HOP, WHERE, NEXT, LIFE, ENDING, HOPS, FIRST_LAYER, HOME, SENDER, RECEIVER = range(10)
# Columns of the table of mixes: the pool and the queue are lists chained by NEXT.
NEWEST, HELD, FRONT, BACK, WAITING, BUSY, LIVES, TICKS = range(8)
# Columns of the table of events.
KIND, MIX, LAYER, MESSAGE, LABEL = range(5)
# Counters; the first two are the heap's.
SIZE, PUSHED, EVENTS, CHOSEN = range(4)
# An entry of the heap beside its time.
ORDER, ACTION, WHOSE = range(3)
# What is due in the heap: of a message the first three, of a mix the others.
ARRIVAL, SERVED, DUE, TICK, RESTART = range(5)

_UNDER_WAY, _HELD, _ARRIVED = int(Ending.UNDER_WAY), int(Ending.HELD), int(Ending.ARRIVED)
_LOST, _REFUSED, _BLOCKED = int(Ending.LOST), int(Ending.REFUSED), int(Ending.BLOCKED)


@kernel
def run_events(
    begun: Floats,
    message: Longs,
    route: Longs,
    clock: Floats,
    latency: Floats,
    service: Floats,
    lost_link: Ints,
    luck: Floats,
    choice: Floats,
    mix: Longs,
    phase: Floats,
    restart_time: Floats,
    restart_mix: Longs,
    layers: int,
    code: int,
    batch: int,
    kept: int,
    period: float,
    fraction: float,
    spread: float,
    queue_limit: int,
    blocked_mix: int,
    blocked_from: float,
    blocked_until: float,
    blocked_share: float,
    end: float,
) -> tuple[Floats, Table, Floats]:
    """The times [E] and the rows [E, 5] of all events before `end`, and when each message ended
    [M], NaN if it did not arrive. The tables `message` and `mix` are left as they are at the end.

    `choice` has a uniform number for each departure; `phase` is empty where no clock ticks.
    """
    messages, mixes, restarts = len(begun), len(mix), len(restart_time)
    when = np.empty(messages * (2 * route.shape[1] + 2) + restarts)
    what = np.empty((len(when), 5), dtype=np.int32)
    ended = np.full(messages, np.nan)
    due = np.empty(messages + mixes + restarts + 1)
    item = np.empty((len(due), 3), dtype=np.int64)
    counters = np.zeros(4, dtype=np.int64)
    scratch = np.empty(messages, dtype=np.int64)
    age = np.zeros(mixes)
    upcoming = 0
    action = RESTART
    for place in range(restarts):
        push(due, item, counters, restart_time[place], action, restart_mix[place])
    action = TICK
    for place in range(len(phase)):
        push(due, item, counters, phase[place], action, place)
    while True:
        begins = begun[upcoming] if upcoming < messages else math.inf
        falls_due = due[0] if counters[SIZE] > 0 else math.inf
        now = min(begins, falls_due)
        if not now < end:
            break
        kind, there, layer, label = -1, -1, -1, -1  # the event, if there is one
        following, then, whose = -1, 0.0, -1  # what is due next because of this step
        pool = -1  # the mix into whose pool `which` comes
        sending, count, limit = -1, 0, math.inf  # the mix that sends `count` of its pool
        departing, going = False, False  # whether `which` leaves, and is on a link at last
        if begins <= falls_due:
            which = upcoming
            upcoming += 1
            message[which, HOP] = -1
            if message[which, HOME] < 0:
                kind, label, going = 0, message[which, SENDER], True
            else:
                pool = message[which, HOME]
                _enter(which, pool, message, mix)
        else:
            action, which = item[0, ACTION], item[0, WHOSE]
            drop_first(due, item, counters)
            if action == ARRIVAL:
                hop = message[which, HOP] + 1
                is_relayed = hop < message[which, HOPS]
                there = route[which, hop] if is_relayed else message[which, HOME]
                layer = (message[which, FIRST_LAYER] + hop) % layers
                if (
                    there == blocked_mix
                    and blocked_from <= now < blocked_until
                    and luck[which] < blocked_share
                ):
                    message[which, ENDING] = _BLOCKED
                elif not is_relayed:
                    message[which, ENDING] = _ARRIVED
                    ended[which] = now
                    if there < 0:
                        kind, layer, label = 3, -1, message[which, RECEIVER]
                    else:
                        kind, layer = 5, (message[which, FIRST_LAYER] + layers - 1) % layers
                elif 0 < queue_limit <= mix[there, WAITING] and mix[there, BUSY] == 1:
                    kind = 6
                    message[which, ENDING] = _REFUSED
                else:
                    kind = 1
                    message[which, HOP] = hop
                    _enter(which, there, message, mix)
                    if len(service) == 0:
                        pool = there
                    elif mix[there, BUSY] == 1:
                        _wait(which, there, message, mix)
                    else:
                        mix[there, BUSY] = 1
                        following, then, whose = SERVED, now + service[which, hop], which
            elif action == SERVED:
                at = message[which, WHERE]
                if message[which, LIFE] == mix[at, LIVES]:
                    pool = at
                    whose = mix[at, FRONT]
                    if whose < 0:
                        mix[at, BUSY] = 0
                    else:
                        mix[at, FRONT] = message[whose, NEXT]
                        mix[at, WAITING] -= 1
                        following, then = SERVED, now + service[whose, message[whose, HOP]]
            elif action == DUE:
                departing = message[which, LIFE] == mix[message[which, WHERE], LIVES]
            elif action == TICK:
                sending, held = which, mix[which, HELD]
                if code == BINOMIAL:
                    chance = leaving_probability(held, batch, fraction, spread)
                    if chance < 1.0:
                        age[which] += hazard(chance)
                        limit = age[which]
                        count = _count_of_age(which, limit, message, mix, clock)
                    else:
                        count = held
                else:
                    count = leaving_on_tick(code, held, kept, fraction)
                mix[which, TICKS] += 1
                following, then, whose = TICK, phase[which] + mix[which, TICKS] * period, which
            else:
                kind, there, layer = 7, which, which * layers // mixes
                mix[which, LIVES] += 1
                mix[which, NEWEST], mix[which, FRONT], mix[which, BACK] = -1, -1, -1
                mix[which, HELD], mix[which, WAITING], mix[which, BUSY] = 0, 0, 0
                which = -1
        if kind >= 0:
            _record(when, what, counters, now, kind, there, layer, which, label)
        if following >= 0:
            push(due, item, counters, then, following, whose)
        following = -1
        if pool >= 0:
            hold = message[which, HOP] + 1
            if code == INDEPENDENT:
                following, then, whose = DUE, now + clock[which, hold], which
                push(due, item, counters, then, following, whose)
            else:
                if code == BINOMIAL:
                    clock[which, hold] += age[pool]  # the age at which it will leave
                message[which, NEXT] = mix[pool, NEWEST]
                mix[pool, NEWEST] = which
                mix[pool, HELD] += 1
                sending = pool
                count = leaving_on_arrival(code, mix[pool, HELD], batch, kept)
        if count > 0:
            _choose(sending, count, limit, message, mix, clock, choice, scratch, counters)
        elif departing or going:
            scratch[0], count = which, 1
        for place in range(count):
            leaver = scratch[place]
            if not going:
                hop = message[leaver, HOP]  # -1 where a mix's loop leaves its home
                kind = 2 if hop >= 0 else 4
                layer = (message[leaver, FIRST_LAYER] + hop + layers) % layers
                label = -1
                _record(
                    when, what, counters, now, kind, message[leaver, WHERE], layer, leaver, label
                )
            _forward(leaver, now, message, latency, lost_link, due, item, counters)
    total = counters[EVENTS]
    return when[:total].copy(), what[:total].copy(), ended


@kernel
def _record(
    when: Floats,
    what: Table,
    counters: Longs,
    now: float,
    kind: int,
    mix: int,
    layer: int,
    message: int,
    label: int,
) -> None:
    """`kind` is an Event by its number: kernels know no enumerations."""
    place = counters[EVENTS]
    counters[EVENTS] = place + 1
    when[place] = now
    what[place, KIND] = kind
    what[place, MIX] = mix
    what[place, LAYER] = layer
    what[place, MESSAGE] = message
    what[place, LABEL] = label


@kernel
def _forward(
    which: int,
    now: float,
    message: Longs,
    latency: Floats,
    lost_link: Ints,
    due: Floats,
    item: Longs,
    counters: Longs,
) -> None:
    link = message[which, HOP] + 1
    if lost_link[which] <= link:
        message[which, ENDING] = _LOST
    else:
        message[which, ENDING] = _UNDER_WAY
        push(due, item, counters, now + latency[which, link], ARRIVAL, which)


@kernel
def _enter(which: int, there: int, message: Longs, mix: Longs) -> None:
    """Into the mix: a restart of it, seen by its number of lives, makes it forget the packet."""
    message[which, WHERE] = there
    message[which, LIFE] = mix[there, LIVES]
    message[which, ENDING] = _HELD


@kernel
def _wait(which: int, there: int, message: Longs, mix: Longs) -> None:
    """At the end of the mix's queue."""
    message[which, NEXT] = -1
    if mix[there, WAITING] == 0:
        mix[there, FRONT] = which
    else:
        message[mix[there, BACK], NEXT] = which
    mix[there, BACK] = which
    mix[there, WAITING] += 1


@kernel
def _count_of_age(there: int, age: float, message: Longs, mix: Longs, clock: Floats) -> int:
    """How many in the pool have run out of patience."""
    count = 0
    which = mix[there, NEWEST]
    while which >= 0:
        if clock[which, message[which, HOP] + 1] <= age:
            count += 1
        which = message[which, NEXT]
    return count


@kernel
def _choose(
    there: int,
    count: int,
    limit: float,
    message: Longs,
    mix: Longs,
    clock: Floats,
    choice: Floats,
    scratch: Longs,
    counters: Longs,
) -> None:
    """Moves `count` packets out of the pool into `scratch`, chosen uniformly and in random order
    among those of a patience of at most `limit` (of which there are `count`, or all qualify)."""
    eligible, rest = 0, mix[there, HELD]
    which = mix[there, NEWEST]
    while which >= 0:
        if clock[which, message[which, HOP] + 1] <= limit:
            scratch[eligible] = which
            eligible += 1
        else:
            rest -= 1
            scratch[rest] = which
        which = message[which, NEXT]
    for place in range(count):  # the first steps of a shuffle
        other = place + int(choice[counters[CHOSEN]] * (eligible - place))
        counters[CHOSEN] += 1
        scratch[place], scratch[other] = scratch[other], scratch[place]
    mix[there, NEWEST] = -1
    for place in range(count, mix[there, HELD]):
        message[scratch[place], NEXT] = mix[there, NEWEST]
        mix[there, NEWEST] = scratch[place]
    mix[there, HELD] -= count


@kernel
def leaving_on_arrival(code: int, held: int, batch: int, kept: int) -> int:
    """How many leave when a packet has come in and `held`, that one included, are there."""
    if code == THRESHOLD and held >= batch:
        return held
    if code == POOL and held >= batch + kept:
        return batch
    return 0


@kernel
def leaving_on_tick(code: int, held: int, kept: int, fraction: float) -> int:
    """How many leave at a tick of the mix's clock; the binomial mix has `hazard` instead.

    The Cottrell mix sends at least one where it holds more than `kept`, so that it never stalls.
    """
    if code == TIMED:
        return held
    if held <= kept:
        return 0
    if code == TIMED_POOL:
        return held - kept
    if code == COTTRELL:
        return min(held - kept, max(1, int(fraction * held)))
    return 0


@kernel
def leaving_probability(held: float, batch: int, fraction: float, spread: float) -> float:
    """With what probability each packet of a binomial mix that holds `held` leaves at a tick:
    `fraction` times the normal distribution function at (held - batch) / spread, the form that
    Diaz and Serjantov's "Generalising Mixes" (PET 2003) gives as its example, with a cap."""
    return fraction * 0.5 * math.erfc((batch - held) / (spread * math.sqrt(2.0)))


@kernel
def hazard(probability: float) -> float:
    """What one tick adds to a binomial mix's age. A packet leaves once the mix has aged by more
    than the packet's patience, which is exponential of mean 1: a coin of `probability` at each
    tick, from one draw a packet however often it is tossed."""
    if probability >= 1.0:
        return math.inf
    return -math.log1p(-probability)


@kernel
def push(
    time: Floats, item: Longs, counters: Longs, due_seconds: float, action: int, whose: int
) -> None:
    """Puts an entry into the heap `time` [C], `item` [C, 3]. Equal times come out in the order in
    which they went in: that is the order of cause. Room is the caller's matter: each message and
    each mix has one entry at most."""
    place = counters[SIZE]
    order = counters[PUSHED]
    counters[SIZE] = place + 1
    counters[PUSHED] = order + 1
    while place > 0:
        parent = (place - 1) // 2
        if time[parent] <= due_seconds:  # a parent was pushed before
            break
        time[place] = time[parent]
        for column in range(3):
            item[place, column] = item[parent, column]
        place = parent
    time[place] = due_seconds
    item[place, ORDER] = order
    item[place, ACTION] = action
    item[place, WHOSE] = whose


@kernel
def drop_first(time: Floats, item: Longs, counters: Longs) -> None:
    """Takes out the earliest entry, which stands at place 0."""
    size = counters[SIZE] - 1
    counters[SIZE] = size
    moved, order = time[size], item[size, ORDER]
    action, whose = item[size, ACTION], item[size, WHOSE]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            time[right] < time[child]
            or (time[right] == time[child] and item[right, ORDER] < item[child, ORDER])
        ):
            child = right
        if moved < time[child] or (moved == time[child] and order < item[child, ORDER]):
            break
        time[place] = time[child]
        for column in range(3):
            item[place, column] = item[child, column]
        place = child
    time[place] = moved
    item[place, ORDER] = order
    item[place, ACTION] = action
    item[place, WHOSE] = whose
