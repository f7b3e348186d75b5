"""How well a score tells two kinds apart: the area under its receiver operating characteristic."""

import math

import numpy as np

from experiments.lab.trace import Floats


def roc_area(positives: Floats, negatives: Floats) -> float:
    """The chance that a positive scores above a negative, equals counted half. 0.5 says nothing,
    and so it is without positives or negatives."""
    if len(positives) == 0 or len(negatives) == 0:
        return 0.5
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, side="left")
    upto = np.searchsorted(ordered, positives, side="right")
    return float((below + upto).mean() / (2 * len(negatives)))


def true_positive_share(positives: Floats, negatives: Floats, false_positive_share: float) -> float:
    """The share of positives above the lowest bar that at most `false_positive_share` of the
    negatives are above."""
    if len(negatives) == 0:
        return 0.0
    allowed = min(math.floor(false_positive_share * len(negatives)), len(negatives) - 1)
    bar = -np.sort(-negatives)[allowed]
    return float((positives > bar).mean()) if len(positives) else 0.0


def area_error(area: float, positives: int, negatives: int) -> float:
    """The standard error of an area of so many independent positives and negatives, by the
    exponential approximation of Hanley and McNeil 1982 (from memory)."""
    both_positive = area / (2 - area)
    both_negative = 2 * area * area / (1 + area)
    variance = (
        area * (1 - area)
        + (positives - 1) * (both_positive - area * area)
        + (negatives - 1) * (both_negative - area * area)
    ) / (positives * negatives)
    return math.sqrt(max(0.0, variance))
