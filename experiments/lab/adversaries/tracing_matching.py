"""Which departure of a mix was which arrival, where delays have a memory: the scaled matrix.

Of all ways to match a mix's departures with its arrivals, one is as likely as the product of the
densities f of its waiting times; what a departure takes from an arrival is the share of ways that
match the two. To add up all matchings takes exponential time, so the shares are approximated by

    x(arrival, departure) = u(arrival) · f(waiting time) · v(departure)

whose u and v make every row and column add up to 1, found by scaling rows and columns in turn
(Sinkhorn's iteration). For exponential delays this matrix is the rule "mass over size" itself, and
for constant delays it is the permutation: in both cases it is exact. Packets that are still inside
at the end, or when their mix restarts, are one more column, with the law's tail in place of f.

Scaling mends what is wrong nearby at once, but over long times only by diffusion. So it starts from
what is right over long times: u and v as in the exponential case, to the power mean²/variance. (If
mixes hold less than they should, waiting times are those of the law tilted to a mean of size over
rate; the power is what makes the tilt do that, to first order.)
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.adversaries.tracing_passage import CLEAR, Passage
from experiments.lab.compiled import kernel
from experiments.lab.model import DelayLaw
from experiments.lab.trace import Bytes, Flags, Floats, Ints, Observation

SWEEPS = 40  # of rows and columns at most
CLOSE_ENOUGH = 1e-6  # rows that add up to 1 but for this end the sweeps

LAWS = {
    DelayLaw.EXPONENTIAL: 0,
    DelayLaw.CONSTANT: 1,
    DelayLaw.UNIFORM: 2,
    DelayLaw.GAMMA: 3,
}
# In means: no delay is longer, but for less than 1e-13 of the unbounded ones.
_REACH = {
    DelayLaw.EXPONENTIAL: 30.0,
    DelayLaw.CONSTANT: 1.0 + 1e-6,
    DelayLaw.UNIFORM: 2.0,
    DelayLaw.GAMMA: 18.0,
}
# Mean² / variance; nothing for the laws with a longest delay, which scaling alone brings as far.
_POWER = {
    DelayLaw.EXPONENTIAL: 1.0,
    DelayLaw.CONSTANT: 0.0,
    DelayLaw.UNIFORM: 0.0,
    DelayLaw.GAMMA: 2.0,
}


@dataclass(frozen=True, slots=True)
class KnownDelays:
    """The law of the mixes' delays, which they publish."""

    law: DelayLaw
    mean_seconds: float


@dataclass(frozen=True, slots=True)
class Matching:
    """The scaled matrix of all pools, as its factors, A arrivals and D departures, by pool (a new
    one after each restart) and then in order.

    event        [E] at an honest arrival or departure its place among those below; else NOBODY
    time         [A] when, in seconds
    row, column  [A], [D] u and v
    leaves       [A] the share of the packet that some departure takes
    first, last  [D] the arrivals that the departure may have been: first … last - 1
    """

    event: Ints
    time: Floats
    row: Floats
    column: Floats
    leaves: Floats
    first: Ints
    last: Ints


def matched(observation: Observation, passage: Passage, delays: KnownDelays) -> Matching:
    """The matching of every honest mix. O(E · packets in a mix · SWEEPS)."""
    block, closes = _blocks(
        passage.code, passage.pool, passage.size, passage.pool_mix, observation.time
    )
    arrived = _by_block(block, passage.size < 0)
    departed = _by_block(block, passage.size >= 0)
    event = np.full(len(block), -1, dtype=np.int32)
    event[arrived] = np.arange(len(arrived))
    event[departed] = np.arange(len(departed))
    numbers = np.arange(len(closes) + 1)
    time, left_at = observation.time[arrived], observation.time[departed]
    starts = np.searchsorted(block[arrived], numbers).astype(np.int32)
    outs = np.searchsorted(block[departed], numbers).astype(np.int32)
    first, last = np.zeros((2, len(departed)), dtype=np.int32)
    row, leaves, column = np.ones(len(arrived)), np.zeros(len(arrived)), np.zeros(len(departed))
    reach = _REACH[delays.law] * delays.mean_seconds
    _candidates(arrived, departed, time, left_at, starts, outs, reach, first, last)
    _start(
        arrived,
        departed,
        time,
        passage.size[departed],
        starts,
        outs,
        delays.mean_seconds,
        _POWER[delays.law],
        row,
    )
    _scale(
        time,
        left_at,
        first,
        last,
        starts,
        outs,
        closes,
        LAWS[delays.law],
        delays.mean_seconds,
        row,
        column,
        leaves,
    )
    return Matching(event, time, row, column, leaves, first, last)


def _by_block(block: Ints, is_it: Flags) -> Ints:
    """The events of blocks that are it, block by block and there in order."""
    places = np.flatnonzero((block >= 0) & is_it)
    return places[np.argsort(block[places], kind="stable")].astype(np.int32)


@kernel
def _candidates(
    arrived: Ints,
    departed: Ints,
    time: Floats,
    left_at: Floats,
    starts: Ints,
    outs: Ints,
    reach: float,
    first: Ints,
    last: Ints,
) -> None:
    """Fills in which arrivals of its pool each departure may have been: those that stand before it
    and not longer ago than `reach`."""
    for block in range(len(starts) - 1):
        begin = end = starts[block]
        for which in range(outs[block], outs[block + 1]):
            while end < starts[block + 1] and arrived[end] < departed[which]:
                end += 1
            while begin < end and time[begin] < left_at[which] - reach:
                begin += 1
            first[which] = begin
            last[which] = end


@kernel
def _start(
    arrived: Ints,
    departed: Ints,
    time: Floats,
    size: Ints,
    starts: Ints,
    outs: Ints,
    mean: float,
    power: float,
    row: Floats,
) -> None:
    """Fills `row` with u of the exponential case, to the given power."""
    for block in range(len(starts) - 1):
        which = outs[block]
        stayed = 0.0  # the logarithm of the chance not to have left with any departure so far
        for other in range(starts[block], starts[block + 1]):
            while which < outs[block + 1] and departed[which] < arrived[other]:
                if size[which] > 1:
                    stayed += math.log(1.0 - 1.0 / size[which])
                which += 1
            since = (time[other] - time[starts[block]]) / mean
            row[other] = math.exp(min(max(-power * (stayed + since), -600.0), 600.0))


@kernel
def _blocks(
    code: Bytes, pool: Ints, size: Ints, pool_mix: Ints, time: Floats
) -> tuple[Ints, Floats]:
    """For each event the number of its pool, or NOBODY, with a new number after each restart and
    each time that the pool was empty (nothing matches across, and finding that out by scaling takes
    long); and for each number when it was cleared, or when the trace ended."""
    block = np.full(len(code), -1, dtype=np.int32)
    now = np.full(len(pool_mix), -1, dtype=np.int32)
    count = 0
    for event in range(len(code)):
        if code[event] != CLEAR and pool[event] >= 0 and now[pool[event]] < 0:
            now[pool[event]] = count
            count += 1
        elif code[event] == CLEAR:
            for other in range(len(pool_mix)):
                if pool_mix[other] == pool[event]:
                    now[other] = -1
        if code[event] != CLEAR and pool[event] >= 0:
            block[event] = now[pool[event]]
            if size[event] == 1:
                now[pool[event]] = -1
    closes = np.zeros(count)
    for number in range(count):
        closes[number] = time[len(time) - 1]
    for held in range(len(now)):
        now[held] = -1
    for event in range(len(code)):
        if block[event] >= 0:
            now[pool[event]] = block[event]
        elif code[event] == CLEAR:
            for other in range(len(pool_mix)):
                if pool_mix[other] == pool[event] and now[other] >= 0:
                    closes[now[other]] = time[event]
    return block, closes


@kernel
def density(law: int, age: float, mean: float) -> float:
    """Up to a factor that is the same for all ages. Laws are known by their numbers."""
    if age < 0:
        return 0.0
    if law == 0:
        return math.exp(-age / mean)
    if law == 1:
        return 1.0 if abs(age - mean) <= 1e-6 * mean else 0.0
    if law == 2:
        return 1.0 if age <= 2 * mean else 0.0
    return age / mean * math.exp(-2 * age / mean)


@kernel
def _tail(law: int, age: float, mean: float) -> float:
    """The share of delays that are longer, by the same factor."""
    if law == 0:
        return math.exp(-age / mean)
    if law == 1:
        return 1.0 if age < mean else 0.0
    if law == 2:
        return max(0.0, 2 - age / mean)
    return (1 + 2 * age / mean) * math.exp(-2 * age / mean)


@kernel
def _scale(
    arrived: Floats,
    departed: Floats,
    first: Ints,
    last: Ints,
    starts: Ints,
    outs: Ints,
    closes: Floats,
    law: int,
    mean: float,
    row: Floats,
    column: Floats,
    leaves: Floats,
) -> None:
    """Fills in `row`, `column` and `leaves`."""
    for block in range(len(closes)):
        start, stop, closed = starts[block], starts[block + 1], closes[block]
        out, over = outs[block], outs[block + 1]
        staying = (stop - start) - (over - out)
        total = np.zeros(stop - start)
        for _ in range(SWEEPS):
            for other in range(stop - start):
                total[other] = 0.0
            for which in range(out, over):
                weight = 0.0
                for other in range(first[which], last[which]):
                    weight += row[other] * density(law, departed[which] - arrived[other], mean)
                column[which] = 1.0 / weight if weight > 0 else 0.0
                for other in range(first[which], last[which]):
                    share = column[which] * density(law, departed[which] - arrived[other], mean)
                    total[other - start] += share
            for other in range(start, stop):
                leaves[other] = row[other] * total[other - start]
            if staying > 0:
                weight = 0.0
                for other in range(start, stop):
                    weight += row[other] * _tail(law, closed - arrived[other], mean)
                stays = staying / weight if weight > 0 else 0.0
                for other in range(start, stop):
                    total[other - start] += stays * _tail(law, closed - arrived[other], mean)
            worst = 0.0
            for other in range(start, stop):
                inverse = 1.0 / total[other - start] if total[other - start] > 0 else 0.0
                if inverse > 0:
                    worst = max(worst, abs(row[other] / inverse - 1.0))
                    leaves[other] *= inverse / row[other] if row[other] > 0 else 0.0
                row[other] = inverse
            if worst < CLOSE_ENOUGH:
                break
