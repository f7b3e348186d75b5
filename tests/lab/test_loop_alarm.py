"""The alarm on lost loops: its bound, how soon it tells, and how seldom it is false."""

import msgspec
import numpy as np
import pytest

from experiments.lab.metrics.loop_alarm import alarms, watched
from experiments.lab.studies.loop_alarm import EXPERIMENT, Aim, LoopAlarmParameters
from hushmill.errors import UserError
from pki import (
    ALARM_ERROR,
    expected_loops_to_notice,
    false_alarm_probability,
    fewest_allowed,
)

SEED = np.random.SeedSequence(1)


# Loops alone, at hushmill's rate for each person.
LOOPS = LoopAlarmParameters(
    rate_per_second=4.0, payload_share=0.0, loop_share=1.0, drop_share=0.0, trials=15
)


def run(**values: object) -> dict[str, float]:
    parameters = msgspec.structs.replace(LOOPS, **values)
    measures = EXPERIMENT.run(parameters, SEED).measures
    return {name: measure.value for name, measure in measures.items()}


@pytest.mark.parametrize("comes_back", [0.5, 0.9, 0.96, 0.99])
@pytest.mark.parametrize("window", [10, 20, 50])
def test_the_bound_is_the_last_within_the_error(window: int, comes_back: float) -> None:
    fewest = fewest_allowed(window, comes_back)
    assert false_alarm_probability(window, fewest, comes_back) <= ALARM_ERROR
    assert false_alarm_probability(window, fewest + 1, comes_back) > ALARM_ERROR


def test_the_bound_of_the_default_window() -> None:
    """Of 20 loops at 1 % loss over 4 links; the sum of five binomial terms."""
    comes_back = 0.99**4
    assert fewest_allowed(20, comes_back) == 16
    assert false_alarm_probability(20, 16, comes_back) == pytest.approx(0.92e-3, rel=0.05)
    assert fewest_allowed(20, 1.0) == 20
    assert fewest_allowed(2, 0.5) == 0


def test_loops_to_notice_a_total_drop_follow_the_closed_form() -> None:
    rng = np.random.default_rng(2)
    comes_back = 0.9
    fewest = fewest_allowed(20, comes_back)
    counts = []
    for _ in range(4000):
        returned = np.r_[rng.random(20) < comes_back, np.zeros(20, dtype=bool)]
        loops = watched(np.arange(40.0), np.where(returned, np.arange(40.0), np.nan), 0.0)
        raised = alarms(loops, 20, fewest)[19:]
        counts.append(int(np.argmax(raised)))
    expected = expected_loops_to_notice(20, fewest, comes_back)
    assert np.mean(counts) == pytest.approx(expected, abs=4 * np.std(counts) / np.sqrt(4000))


def test_a_late_loop_counts_as_lost_from_its_time_out_on() -> None:
    loops = watched(np.array([0.0, 1.0, 2.0]), np.array([9.0, 3.0, np.nan]), 5.0)
    assert loops.known.tolist() == [3.0, 5.0, 7.0]
    assert loops.begun.tolist() == [1.0, 0.0, 2.0]
    assert loops.is_returned.tolist() == [True, False, False]


def test_is_silent_until_the_window_is_full() -> None:
    nothing = watched(np.arange(6.0), np.full(6, np.nan), 1.0)
    assert alarms(nothing, 5, 3).tolist() == [False] * 4 + [True] * 2
    assert alarms(nothing, 7, 3).tolist() == [False] * 6


def test_a_total_drop_at_a_mix_is_noticed_by_it_after_some_loops() -> None:
    found = run()
    assert found["victim_noticed_share"] == 1.0
    # Loops under way when it begins are lost too, and are not counted as sent in it.
    expected = found["expected_loops_if_all_lost"]
    assert expected - 1.5 < found["victim_loops_to_notice"] < expected + 1.0
    # Five loops at 0.2 a second, and the 45 s after which a loop is given up.
    assert found["victim_seconds_to_notice"] == pytest.approx(expected / 0.2 + 45.0, rel=0.2)
    # Half of the routes do not cross that mix, so others take longer.
    assert found["others_seconds_to_notice"] > found["victim_seconds_to_notice"]


def test_half_a_drop_takes_longer_and_a_selective_one_is_the_victims_to_notice() -> None:
    half = run(dropped_share=0.5)
    assert half["victim_noticed_share"] >= 14 / 15
    assert 8 < half["victim_loops_to_notice"] < 20
    person = run(aim=Aim.PERSON, dropped_share=0.5)
    assert person["victim_noticed_share"] >= 14 / 15
    assert person["others_noticed_share"] < 0.1


def test_without_an_attack_the_alarm_is_as_rare_as_its_bound() -> None:
    calm = run(dropped_share=0.0, calm_seconds=2000.0, aim=Aim.PERSON)
    # 15 trials of 19 people with some 380 windows each, in runs: a third of the error either way.
    assert 0.3e-3 < calm["others_false_alarm_share"] < 2.0e-3
    assert calm["others_noticed_share"] < 0.1


def test_an_understated_loss_cries_wolf() -> None:
    honest = run(dropped_share=0.0, calm_seconds=1000.0, loss=0.05, published_loss=0.05, trials=8)
    understated = run(
        dropped_share=0.0, calm_seconds=1000.0, loss=0.05, published_loss=0.01, trials=8
    )
    assert honest["others_false_alarm_share"] < 3e-3
    assert understated["others_false_alarm_share"] > 0.1


def test_same_seed_same_outcome_and_refuses_a_window_that_cannot_tell() -> None:
    few = LoopAlarmParameters(trials=2)
    assert EXPERIMENT.run(few, SEED) == EXPERIMENT.run(few, SEED)
    with pytest.raises(UserError, match="window_loops"):
        EXPERIMENT.run(LoopAlarmParameters(window_loops=1, published_loss=0.5), SEED)
