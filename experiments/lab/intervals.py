"""What independent replicates say of the truth: means, shares and differences with intervals.

Values of one run share pools and are not independent of each other, so everything here is over
replicates, one value a replicate. The quantiles are computed from the incomplete beta function,
since numpy has none: by its continued fraction (modified Lentz, as in the usual handbooks) and
bisection down to neighbouring floats. Spec: docs/spec/laboratory.md (Intervals).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

CONFIDENCE = 0.95
FRACTION_STEPS = 20_000  # enough for counts of ten million; more raises
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `count` replicates, the spread of one of them and the mean's interval, which is
    None for one replicate: that says nothing of the spread."""

    mean: float
    sd: float | None
    interval: Interval | None
    count: int


def estimated(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The mean of `values` with Student's interval. Raises ValueError without any value."""
    mean, sd = _mean_and_sd(values)
    if sd is None:
        return Estimate(mean, None, None, len(values))
    reach = _two_sided(len(values) - 1, confidence) * sd / math.sqrt(len(values))
    return Estimate(mean, sd, Interval(mean - reach, mean + reach), len(values))


def paired_difference(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """`second` less `first`, replicate by replicate; `sd` is that of the differences. Right however
    the two depend on each other. Raises ValueError unless they are of one length."""
    if len(first) != len(second):
        raise ValueError("paired values are of one length")
    return estimated([b - a for a, b in zip(first, second, strict=True)], confidence)


def welch_difference(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """`second` less `first` for independent replicates of unequal spread (Welch; degrees of freedom
    by Satterthwaite). `sd` is the difference's standard error, `count` the smaller of the two."""
    mean_a, sd_a = _mean_and_sd(first)
    mean_b, sd_b = _mean_and_sd(second)
    count = min(len(first), len(second))
    if sd_a is None or sd_b is None:
        return Estimate(mean_b - mean_a, None, None, count)
    share_a, share_b = sd_a**2 / len(first), sd_b**2 / len(second)
    error = math.sqrt(share_a + share_b)
    if error == 0.0:
        return Estimate(mean_b - mean_a, 0.0, Interval(mean_b - mean_a, mean_b - mean_a), count)
    # In shares of the whole: squares of variances of measures in small units would underflow.
    part_a, part_b = share_a / (share_a + share_b), share_b / (share_a + share_b)
    freedom = 1.0 / (part_a**2 / (len(first) - 1) + part_b**2 / (len(second) - 1))
    reach = _two_sided(freedom, confidence) * error
    difference = mean_b - mean_a
    return Estimate(difference, error, Interval(difference - reach, difference + reach), count)


def wilson_interval(successes: float, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a share of independent trials (Wilson 1927). `successes` may be a
    fraction where ties were split."""
    _check_share(successes, trials)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # The ends are exact where nothing, or everything, succeeded; rounding would miss them.
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    high = 1.0 if successes == trials else min(1.0, centre + reach)
    return Interval(low, high)


def clopper_pearson_interval(
    successes: int, trials: int, confidence: float = CONFIDENCE
) -> Interval:
    """The interval of a share that covers it at least so often, whatever it is (Clopper and Pearson
    1934): wider than Wilson's."""
    _check_share(successes, trials)
    tail = (1 - confidence) / 2
    failures = trials - successes
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, failures + 1)
    high = 1.0 if failures == 0 else beta_quantile(1 - tail, successes + 1, failures)
    return Interval(low, high)


@lru_cache(maxsize=1024)
def student_quantile(probability: float, freedom: float) -> float:
    """The value that Student's t with `freedom` degrees stays below so often."""
    if not 0 < probability < 1 or not freedom > 0:
        raise ValueError("a quantile is of a probability within 0 and 1 and of some freedom")
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    # Near the middle t is small and x = f/(f + t²) is 1 up to rounding: ask for 1 − x instead.
    y = beta_quantile(2 * probability - 1, 0.5, freedom / 2)
    if y < 0.5:
        return math.sqrt(freedom * y / (1 - y))
    x = beta_quantile(2 * (1 - probability), freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The value that Beta(a, b) stays below so often, to neighbouring floats by bisection."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if incomplete_beta(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function: how often Beta(a, b) is at most `x`."""
    if not 0 <= x <= 1 or not a > 0 or not b > 0:
        raise ValueError("the incomplete beta function is of x within 0 and 1 and positive a and b")
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) - math.log(a)
    log_front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_front) * _beta_fraction(x, a, b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for step in range(1, FRACTION_STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        change = 1.0
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            change = c * d
            value *= change
        if abs(change - 1.0) < 1e-15:
            return value
    raise ArithmeticError(f"the incomplete beta function does not converge at {x}, {a}, {b}")


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def _two_sided(freedom: float, confidence: float) -> float:
    return student_quantile(0.5 + confidence / 2, freedom)


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Exactly rounded sums, so that the order of replicates does not show."""
    if not values:
        raise ValueError("a mean needs a value")
    mean = math.fsum(values) / len(values)
    if min(values) == max(values):  # the rounded mean of equal values may be one float off
        return values[0], 0.0 if len(values) > 1 else None
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1))


def _check_share(successes: float, trials: int) -> None:
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError("a share is of at least one trial and of at most all of them")
