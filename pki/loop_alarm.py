"""The alarm on lost loops: over a window of loops fewer return than the published loss allows.

Closed forms, one text for the genesis' check, the mixes and the laboratory. Spec:
docs/spec/mixing.md (The n-1 alarm).
"""

import math

ALARM_ERROR = 1e-3  # how often a window may raise the alarm where nobody attacks


def fewest_allowed(window_loops: int, return_probability: float, error: float = ALARM_ERROR) -> int:
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


def _chance(loops: int, returned: int, probability: float) -> float:
    if returned > loops:
        return 0.0
    ways = math.comb(loops, returned)
    return ways * probability**returned * (1.0 - probability) ** (loops - returned)
