"""The alarm on lost loops: over a window of loops fewer return than the published loss allows.

Spec: docs/spec/laboratory.md (The alarm on lost loops).
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.trace import Flags, Floats

ERROR = 1e-3  # how often a window may raise the alarm where nobody attacks


def fewest_allowed(window_loops: int, return_probability: float, error: float = ERROR) -> int:
    """The most returned loops of a window below which the alarm may be raised: fewer return by
    chance with probability `error` at most. 0 where the window is too short to tell."""
    below, fewest = 0.0, 0
    while fewest <= window_loops:
        below += _chance(window_loops, fewest, return_probability)
        if below > error:
            break
        fewest += 1
    return fewest


def false_alarm_probability(window_loops: int, fewest: int, return_probability: float) -> float:
    """How often fewer than `fewest` of a window return by chance."""
    return math.fsum(
        _chance(window_loops, returned, return_probability) for returned in range(fewest)
    )


def expected_loops_to_notice(window_loops: int, fewest: int, return_probability: float) -> float:
    """The mean number of loops sent, from one moment on all of them lost, until the alarm.

    After so many lost ones the window holds that many fewer of before, and only loses more of what
    had returned: the alarm has been raised iff fewer than `fewest` of those left had returned.
    """
    return math.fsum(
        1.0 - false_alarm_probability(window_loops - lost, fewest, return_probability)
        for lost in range(window_loops)
    )


@dataclass(frozen=True, slots=True)
class Loops:
    """The loops of one watcher in the order in which it learned of them, [N] each.

    begun        seconds at which each was sent
    known        seconds at which it came back, or was given up
    is_returned  which it was
    """

    begun: Floats
    known: Floats
    is_returned: Flags


def watched(begun: Floats, ended: Floats, timeout_seconds: float) -> Loops:
    """What a watcher knows of loops begun and ended at these times, NaN for those that never came
    back. A loop later than `timeout_seconds` was given up before."""
    taken = ended - begun
    is_returned = ~np.isnan(taken) & (np.nan_to_num(taken) <= timeout_seconds)
    known = begun + np.where(is_returned, np.nan_to_num(taken), timeout_seconds)
    order = np.argsort(known, kind="stable")
    return Loops(begun[order], known[order], is_returned[order])


def alarms(loops: Loops, window_loops: int, fewest: int) -> Flags:
    """[N] whether the alarm stands after each loop, over the last `window_loops`; never before so
    many are known."""
    returned = np.cumsum(np.r_[0, loops.is_returned])
    found = np.zeros(len(loops.begun), dtype=np.bool_)
    if len(found) >= window_loops:
        found[window_loops - 1 :] = returned[window_loops:] - returned[:-window_loops] < fewest
    return found


def _chance(loops: int, returned: int, probability: float) -> float:
    if returned > loops:
        return 0.0
    ways = math.comb(loops, returned)
    return ways * probability**returned * (1.0 - probability) ** (loops - returned)
