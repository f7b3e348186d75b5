"""Quantiles against tables, intervals against worked cases and against the truth they must cover.

The table values are those printed in the usual tables of Student's t; the binomial intervals were
worked out by hand from their definitions (binomial tails summed term by term).
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.lab.intervals import (
    Interval,
    beta_quantile,
    clopper_pearson_interval,
    estimated,
    incomplete_beta,
    paired_difference,
    student_quantile,
    welch_difference,
    wilson_interval,
)

TABLE = [
    (0.975, 1, 12.7062),
    (0.975, 2, 4.30265),
    (0.975, 4, 2.77645),
    (0.975, 9, 2.26216),
    (0.975, 19, 2.09302),
    (0.975, 120, 1.97993),
    (0.995, 5, 4.03214),
    (0.95, 30, 1.69726),
    (0.9995, 3, 12.924),
    (0.975, 1e7, 1.959964),
]
REPLICATES = 400


def binomial_tail(least: int, trials: int, share: float) -> float:
    """P(at least `least` successes), summed term by term."""
    terms = range(least, trials + 1)
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in terms)


@pytest.mark.parametrize(("probability", "freedom", "expected"), TABLE)
def test_student_quantiles_are_those_of_the_tables(
    probability: float, freedom: float, expected: float
) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=5e-6)
    assert student_quantile(1 - probability, freedom) == pytest.approx(-expected, rel=5e-6)


def test_student_quantiles_have_the_closed_form_of_one_and_two_degrees() -> None:
    for probability in (0.5001, 0.6, 0.75, 0.99, 0.999999):
        cauchy = math.tan(math.pi * (probability - 0.5))
        assert student_quantile(probability, 1) == pytest.approx(cauchy, rel=1e-8)
        tail = 4 * probability * (1 - probability)
        two = (2 * probability - 1) * math.sqrt(2 / tail)
        assert student_quantile(probability, 2) == pytest.approx(two, rel=1e-8)


@given(k=st.integers(1, 60), more=st.integers(0, 60), x=st.floats(0.001, 0.999))
@settings(max_examples=60, deadline=None)
def test_the_incomplete_beta_function_is_the_binomial_tail(k: int, more: int, x: float) -> None:
    trials = k + more
    tail = binomial_tail(k, trials, x)
    assert incomplete_beta(x, k, trials - k + 1) == pytest.approx(tail, rel=1e-9, abs=1e-12)


@given(p=st.floats(0.001, 0.999), a=st.floats(0.5, 300), b=st.floats(0.5, 300))
@settings(max_examples=40, deadline=None)
def test_beta_quantiles_invert_the_function(p: float, a: float, b: float) -> None:
    assert incomplete_beta(beta_quantile(p, a, b), a, b) == pytest.approx(p, abs=1e-9)


def test_the_incomplete_beta_function_refuses_what_it_is_not_defined_for() -> None:
    for x, a, b in ((-0.1, 1, 1), (1.1, 1, 1), (0.5, 0, 1), (0.5, 1, -1), (math.nan, 1, 1)):
        with pytest.raises(ValueError, match="incomplete beta"):
            incomplete_beta(x, a, b)
    assert (incomplete_beta(0, 2, 3), incomplete_beta(1, 2, 3)) == (0, 1)


def test_a_mean_has_the_interval_of_the_worked_case() -> None:
    found = estimated([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, found.count) == (3.0, 5)
    assert found.sd == pytest.approx(math.sqrt(2.5))
    assert found.interval is not None
    reach = 2.776445 * math.sqrt(2.5 / 5)
    assert found.interval.low == pytest.approx(3 - reach, abs=1e-6)
    assert found.interval.high == pytest.approx(3 + reach, abs=1e-6)


def test_one_replicate_has_no_interval_and_none_no_mean() -> None:
    assert estimated([7.0]).interval is None
    assert estimated([7.0]).sd is None
    with pytest.raises(ValueError, match="needs a value"):
        estimated([])


def test_equal_values_have_no_spread_however_they_round() -> None:
    found = estimated([0.1] * 7)
    assert (found.mean, found.sd, found.interval) == (0.1, 0.0, Interval(0.1, 0.1))


def test_clopper_pearson_puts_half_of_the_error_on_each_side() -> None:
    for successes, trials in ((1, 10), (7, 20), (19, 20), (3, 400)):
        found = clopper_pearson_interval(successes, trials)
        assert binomial_tail(successes, trials, found.low) == pytest.approx(0.025, abs=1e-9)
        upper = 1 - binomial_tail(successes + 1, trials, found.high)
        assert upper == pytest.approx(0.025, abs=1e-9)
    assert clopper_pearson_interval(0, 10).high == pytest.approx(1 - 0.025**0.1)
    assert clopper_pearson_interval(10, 10).low == pytest.approx(0.025**0.1)
    assert clopper_pearson_interval(0, 10).low == 0.0
    assert clopper_pearson_interval(10, 10).high == 1.0


def test_clopper_pearson_of_a_million_trials_converges() -> None:
    found = clopper_pearson_interval(500_000, 1_000_000)
    assert found.high - 0.5 == pytest.approx(1.959964 * 0.0005, rel=2e-3)


def test_wilson_solves_its_own_equation() -> None:
    """Both ends are the shares from which the observed one is 1.96 standard errors away."""
    for successes, trials in ((1, 10), (7, 20), (180, 400), (2.5, 9)):
        found = wilson_interval(successes, trials)
        for end in (found.low, found.high):
            away = abs(successes / trials - end) / math.sqrt(end * (1 - end) / trials)
            assert away == pytest.approx(1.959964, rel=1e-6)
    assert wilson_interval(0, 5).low == 0.0
    assert wilson_interval(5, 5).high == 1.0


def test_shares_that_cannot_be_are_refused() -> None:
    for successes, trials in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="share"):
            wilson_interval(successes, trials)
        with pytest.raises(ValueError, match="share"):
            clopper_pearson_interval(successes, trials)


def test_pairs_cancel_what_both_share() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(0, 100, 30)
    first = (common + rng.normal(0, 1, 30)).tolist()
    second = (common + 2 + rng.normal(0, 1, 30)).tolist()
    paired, welch = paired_difference(first, second), welch_difference(first, second)
    assert paired.mean == pytest.approx(welch.mean)
    assert paired.interval is not None
    assert welch.interval is not None
    assert paired.interval.low > 1
    assert welch.interval.high - welch.interval.low > 50
    with pytest.raises(ValueError, match="one length"):
        paired_difference(first, second[1:])


def test_welch_has_the_degrees_of_freedom_of_the_worked_case() -> None:
    """Samples of 3 and 4 with variances 1 and 20/3: the error's square is 1/3 + 5/3."""
    found = welch_difference([1.0, 2.0, 3.0], [2.0, 4.0, 6.0, 8.0])
    assert found.sd == pytest.approx(math.sqrt(2.0))
    freedom = 4 / ((1 / 3) ** 2 / 2 + (5 / 3) ** 2 / 3)
    assert found.interval is not None
    reach = student_quantile(0.975, freedom) * math.sqrt(2.0)
    assert found.interval.high == pytest.approx(3 + reach)
    assert welch_difference([1.0], [2.0, 3.0]).interval is None
    assert welch_difference([1.0, 1.0], [2.0, 2.0]).interval == Interval(1.0, 1.0)
    small = welch_difference([1e-170, 2e-170], [3e-170, 5e-170])
    assert small.interval is not None
    assert math.isfinite(small.interval.high)


def covered_share(intervals: list[Interval], truth: float) -> float:
    return sum(found.low <= truth <= found.high for found in intervals) / len(intervals)


def interval_of(values: list[float]) -> Interval:
    found = estimated(values).interval
    assert found is not None
    return found


def test_intervals_of_means_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(20)
    runs = rng.normal(3.0, 2.0, (REPLICATES, 6)).tolist()
    assert 0.92 <= covered_share([interval_of(run) for run in runs], 3.0) <= 0.98


def test_intervals_of_skewed_means_cover_the_truth_once_there_are_many() -> None:
    rng = np.random.default_rng(21)
    runs = rng.exponential(1.0, (REPLICATES, 60)).tolist()
    assert 0.92 <= covered_share([interval_of(run) for run in runs], 1.0) <= 0.98


def test_wilson_covers_the_truth_as_often_as_it_says_and_clopper_pearson_no_less() -> None:
    rng = np.random.default_rng(22)
    counts = rng.binomial(60, 0.3, REPLICATES).tolist()
    wilson = covered_share([wilson_interval(count, 60) for count in counts], 0.3)
    exact = covered_share([clopper_pearson_interval(count, 60) for count in counts], 0.3)
    assert 0.92 <= wilson <= 0.98
    assert wilson <= exact


def test_values_that_share_a_pool_would_not_cover() -> None:
    """Why everything is over replicates: with a common part in each run, its many values taken as
    independent give an interval that mostly misses."""
    rng = np.random.default_rng(23)
    runs = rng.normal(0, 1, (REPLICATES, 1)) + rng.normal(0, 1, (REPLICATES, 50))
    assert covered_share([interval_of(run.tolist()) for run in runs], 0.0) < 0.5


def test_welch_covers_the_difference_of_unequal_spreads() -> None:
    rng = np.random.default_rng(24)
    found = []
    for _ in range(REPLICATES):
        difference = welch_difference(rng.normal(0, 1, 12).tolist(), rng.normal(1, 5, 6).tolist())
        assert difference.interval is not None
        found.append(difference.interval)
    assert 0.92 <= covered_share(found, 1.0) <= 0.98
