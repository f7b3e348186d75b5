"""How long a message takes from `send` to the inbox, with nothing lost: the law of a sum of waits.

Spec: docs/spec/laboratory.md (Profiles).
"""

import math
from collections.abc import Sequence

import numpy as np

from hushmill.parameters import Parameters

_TAIL = 1e-12  # what is left out of a sum of probabilities
_HALVINGS = 60
_SHORT_SHARE = 1e-3  # of all waits together: a wait below it is taken at its mean


def waits_of(parameters: Parameters, hold_seconds: float) -> list[float]:
    """Means in seconds of the independent exponential waits of one packet: for a payload slot, at
    each mix, and for the receiver's next frame, which fetches it. Links, unwrapping and the
    providers' ticks (50 ms) are left out. The wait in a timed pool is not exponential but taken to
    be."""
    return [
        1 / parameters.payload_rate,
        *[hold_seconds] * parameters.layers,
        1 / parameters.client_rate,
    ]


def quantile_seconds(waits: Sequence[float], share: float) -> float:
    """The time within which `share` (under 1) of all sums of such waits end.

    Waits that are a small part of the whole count with their mean alone: the work grows with the
    quotient of the longest and the shortest, and what they add to the spread is a millionth.
    """
    whole = sum(waits)
    long = [wait for wait in waits if wait >= _SHORT_SHARE * whole]
    low, high = 0.0, sum(long)
    while share_within(long, high) < share:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if share_within(long, middle) < share else (low, middle)
    return high + sum(wait for wait in waits if wait < _SHORT_SHARE * whole)


def share_within(waits: Sequence[float], seconds: float) -> float:
    """The probability that the sum is at most `seconds`.

    The waits are stages of a Markov chain, watched at the jumps of a Poisson process as fast as
    its fastest stage (uniformization): no cancellation, whatever the means, equal or not.
    """
    rates = np.array([1 / wait for wait in waits])
    fastest = float(rates.max())
    leave = rates / fastest
    at = np.zeros(len(rates))
    at[0] = 1.0
    expected = fastest * seconds
    log_weight, under_way, seen = -expected, 0.0, 0.0
    jump = 0
    while seen < 1 - _TAIL and jump < expected + 12 * math.sqrt(expected) + 60:
        weight = math.exp(log_weight)
        under_way += weight * float(at.sum())
        seen += weight
        moved = at * leave
        at = at - moved
        at[1:] += moved[:-1]
        jump += 1
        log_weight += math.log(expected / jump) if expected > 0 else -math.inf
    return 1 - under_way
