"""Flow correlation, unobservability, and the areas that both are measured by."""

import numpy as np
import pytest

from experiments.lab.adversaries.correlation import correlation_scores, likelihood_scores
from experiments.lab.adversaries.counts import counted, even_windows, exponential_lags
from experiments.lab.metrics.roc import area_error, roc_area, true_positive_share
from experiments.lab.metrics.unobservability import unobservability, window_features
from experiments.lab.sources.links import LinkCover, LinkParameters, simulate_links
from experiments.lab.studies.correlation import (
    EXPERIMENT as CORRELATION,
)
from experiments.lab.studies.correlation import CorrelationParameters, split_pairs
from experiments.lab.studies.unobservability import (
    EXPERIMENT as UNOBSERVABILITY,
)
from experiments.lab.studies.unobservability import UnobservabilityParameters
from experiments.lab.trace import Event, observe

NONE, SLOTS, BESIDE = LinkCover.NONE, LinkCover.SLOTS, LinkCover.BESIDE


def seeds(count: int) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(17).spawn(count)


def correlated(sending: LinkCover, receiving: LinkCover, key: str) -> float:
    parameters = CorrelationParameters(sending=sending, receiving=receiving)
    runs = [CORRELATION.run(parameters, seed).measures[key].value for seed in seeds(4)]
    return float(np.mean(runs))


def test_area_is_the_chance_to_rank_a_positive_higher() -> None:
    rng = np.random.default_rng(1)
    positives, negatives = np.floor(9 * rng.random(40)) + 1, np.floor(9 * rng.random(70))
    pairs = positives[:, None] - negatives[None, :]
    by_pairs = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert roc_area(positives, negatives) == pytest.approx(by_pairs)
    assert roc_area(positives, np.zeros(0)) == 0.5


def test_true_positives_are_those_above_what_few_negatives_exceed() -> None:
    negatives = np.arange(100.0)
    assert true_positive_share(np.array([97.0, 98.5, 99.5, 50.0]), negatives, 0.01) == 0.5
    assert true_positive_share(np.full(3, 7.0), np.full(9, 7.0), 0.1) == 0.0  # equals are no match


def test_the_error_of_an_area_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(2)
    positives, negatives = rng.exponential(2.0, (1500, 30)), rng.exponential(1.0, (1500, 60))
    areas = [roc_area(a, b) for a, b in zip(positives, negatives, strict=True)]
    assert area_error(2 / 3, 30, 60) == pytest.approx(np.std(areas), rel=0.08)


@pytest.mark.parametrize("score", ["correlation", "likelihood"])
def test_flows_without_cover_are_matched(score: str) -> None:
    assert correlated(NONE, NONE, f"{score}_auc") > 0.99
    assert correlated(NONE, NONE, f"{score}_true_positive_share") > 0.95


@pytest.mark.parametrize("score", ["correlation", "likelihood"])
def test_flows_in_constant_slots_are_matched_by_chance_alone(score: str) -> None:
    assert abs(correlated(SLOTS, SLOTS, f"{score}_auc") - 0.5) < 0.09  # 3 errors of 120 pairs
    assert correlated(SLOTS, SLOTS, f"{score}_true_positive_share") < 0.07


def test_cover_beside_the_payload_or_at_one_end_is_not_enough() -> None:
    assert correlated(BESIDE, BESIDE, "correlation_auc") > 0.9
    assert correlated(SLOTS, NONE, "correlation_auc") > 0.58


def test_permuted_partners_bring_the_scores_to_chance() -> None:
    parameters = LinkParameters(pairs=60, sending=NONE, receiving=NONE)
    rng = np.random.default_rng(3)
    links = simulate_links(parameters, rng)
    seen, _ = observe(links.trace)
    counts = counted(seen, even_windows(0.0, 300.0, 2.0))
    lags = exponential_lags(2.0, 0.5, 3)
    inputs, outputs = counts.sent[:, :60], counts.received[:, 60:]
    for scores in (
        correlation_scores(inputs, outputs, lags),
        likelihood_scores(inputs, outputs, lags),
    ):
        assert roc_area(*split_pairs(scores, links.partner)) > 0.99
        dealt = links.partner[rng.permutation(60)]
        assert abs(roc_area(*split_pairs(scores, dealt)) - 0.5) < 0.15


def test_lags_matter_when_the_network_is_slow() -> None:
    slow = CorrelationParameters(sending=NONE, receiving=NONE, mean_delay_seconds=5.0)
    links = simulate_links(slow, np.random.default_rng(4))
    seen, _ = observe(links.trace)
    counts = counted(seen, even_windows(0.0, 300.0, 2.0))
    inputs, outputs = counts.sent[:, :30], counts.received[:, 30:]
    areas = [
        roc_area(*split_pairs(correlation_scores(inputs, outputs, lags), links.partner))
        for lags in (exponential_lags(2.0, 5.0, 3), np.ones(1))
    ]
    assert areas[0] > areas[1] + 0.05


def test_features_of_a_link_worked_by_hand() -> None:
    links = simulate_links(LinkParameters(pairs=2, seconds=100.0), np.random.default_rng(5))
    seen, _ = observe(links.trace)
    ends = even_windows(0.0, 100.0, 25.0)
    features = window_features(seen, 1, Event.SEND, ends)
    times = seen.time[(seen.kind == Event.SEND) & (seen.label == 1)]
    second = times[(times > 25) & (times <= 50)]
    gaps = np.diff(second)
    assert features.shape == (4, 5)
    expected = [len(second), gaps.mean(), gaps.min(), gaps.max(), gaps.std()]
    assert features[1] == pytest.approx(expected)
    assert window_features(seen, 99, Event.SEND, ends)[0].tolist() == [0, 25, 25, 25, 0]


def test_a_client_that_sends_at_once_is_told_from_an_idle_one() -> None:
    planted = UnobservabilityParameters(sending=BESIDE, receiving=BESIDE)
    measures = UNOBSERVABILITY.run(planted, seeds(1)[0]).measures
    for side in ("sender", "receiver"):
        assert measures[f"{side}_auc"].value > 0.8
        assert measures[f"{side}_auc_low"].value > 0.8


def test_constant_slots_are_unobservable() -> None:
    runs = [UNOBSERVABILITY.run(UnobservabilityParameters(), seed).measures for seed in seeds(6)]
    for side in ("sender", "receiver"):
        areas = [one[f"{side}_auc"].value for one in runs]
        assert abs(np.mean(areas) - 0.5) < 0.04
        held = [
            one[f"{side}_auc_low"].value <= 0.5 <= one[f"{side}_auc_high"].value for one in runs
        ]
        assert sum(held) >= 5


def test_intervals_of_the_area_hold_chance_where_nothing_is_to_be_told() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        found = unobservability(rng.normal(size=(20, 12, 3)), rng.normal(size=(20, 12, 3)), rng)
        held += found.low <= 0.5 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_only_the_side_without_cover_shows() -> None:
    parameters = UnobservabilityParameters(sending=SLOTS, receiving=NONE, burst_share=0.4)
    measures = UNOBSERVABILITY.run(parameters, seeds(1)[0]).measures
    assert abs(measures["sender_auc"].value - 0.5) < 0.08
    assert measures["receiver_auc"].value > 0.7


def test_permuted_labels_bring_the_classifier_to_chance() -> None:
    rng = np.random.default_rng(6)
    busy, idle = rng.normal(1.0, 1.0, (40, 20, 3)), rng.normal(0.0, 1.0, (40, 20, 3))
    assert unobservability(busy, idle, rng).area > 0.8
    swapped = rng.random(40) < 0.5
    first = np.where(swapped[:, None, None], idle, busy)
    second = np.where(swapped[:, None, None], busy, idle)
    assert abs(unobservability(first, second, rng).area - 0.5) < 0.25
    with pytest.raises(ValueError, match="four runs"):
        unobservability(busy[:3], idle[:3], rng)
