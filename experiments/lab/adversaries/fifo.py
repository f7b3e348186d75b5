"""The adversary who guesses that two packets come out in the order in which they went in.

Its game is that of Das et al. (PoPETs 2024) as the published figures have it: two packets are sent
one after the other, the gap between them exponential; each is delayed at every hop by an
independent exponential time; the guesser sees both go in and both come out.
Spec: docs/spec/laboratory.md (First in, first out).
"""

import math

import numpy as np

from experiments.lab.outcome import Quality
from experiments.lab.trace import Ends, Event, Floats, Ints, Observation

QUALITY = Quality.SAMPLED


def guess_order(observation: Observation, sent: Ints, delivered: Ints) -> Ints:
    """[K, 2] for each packet of K pairs the wire on which it is taken to have been delivered.

    `sent` [K, 2] are the wires on which the packets of each pair were sent, `delivered` [K, 2]
    those on which the two were delivered, in any order: the challenge grants that they are these.
    """
    went_in = _times(observation, Event.SEND)[sent]
    came_out = _times(observation, Event.DELIVER)[delivered]
    place = np.argsort(np.argsort(went_in, axis=1, kind="stable"), axis=1)
    in_order = np.take_along_axis(delivered, np.argsort(came_out, axis=1, kind="stable"), axis=1)
    return np.take_along_axis(in_order, place, axis=1)


def pairs_of(ends: Ends) -> Ints:
    """[K, 2] the messages of the challenges: each with the one sent after it, none in two pairs.

    Only messages that were delivered take part.
    """
    known = np.flatnonzero((ends.sent >= 0) & (ends.delivered >= 0))
    in_order = known[np.argsort(ends.sent[known])].astype(np.int32)
    return in_order[: len(in_order) // 2 * 2].reshape(-1, 2)


def order_kept_probability(
    hops: int, user_rate_per_second: float, mix_rate_per_second: float
) -> float:
    """How often two packets keep their order over `hops` hops of exponential delay.

    The first packet passes k hops during the gap with probability q^k·(1 - q) for k < hops, where
    q = λ/(λu + λ) (λu the user's rate, λ the mixes'), and all of them with q^hops.
    Then both run at one rate, so each next hop is either's with probability 1/2, and the first has
    hops - k to go where the second has all: it wins if among the next 2·hops - k - 1 hops so many
    are its own. One hop gives the published 1 - λu/(2(λu + λ)). Derived here.
    """
    passes = mix_rate_per_second / (user_rate_per_second + mix_rate_per_second)
    kept = passes**hops
    for passed in range(hops):
        steps, wanted = 2 * hops - passed - 1, hops - passed
        ways = sum(math.comb(steps, own) for own in range(wanted, steps + 1))
        kept += passes**passed * (1.0 - passes) * (ways / 2**steps)
    return kept


def _times(observation: Observation, kind: Event) -> Floats:
    """[wires] when a wire had an event of this kind; NaN if it never had."""
    times = np.full(observation.wires, np.nan)
    chosen = observation.kind == kind
    times[observation.wire[chosen]] = observation.time[chosen]
    return times
