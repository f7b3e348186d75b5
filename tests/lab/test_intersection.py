"""The intersection attack: who remains, and that it is no more than presence which it uses."""

import numpy as np
import pytest

from experiments.lab.adversaries.counts import Counts, counted, even_windows
from experiments.lab.adversaries.intersection import (
    lag_windows,
    remaining_after,
    windows_received,
)
from experiments.lab.sources.presence import PresenceParameters, simulate_presence
from experiments.lab.studies.intersection import (
    EXPERIMENT,
    IntersectionParameters,
    expected_remaining,
)
from experiments.lab.trace import observe


def seeds(count: int) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(11).spawn(count)


def values(parameters: IntersectionParameters, key: str, replicates: int) -> np.ndarray:
    runs = [EXPERIMENT.run(parameters, seed) for seed in seeds(replicates)]
    return np.array([one.measures[key].value for one in runs])


def test_rounds_worked_by_hand() -> None:
    sent = np.array([[1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0]], dtype=float)
    received = np.zeros((4, 4))
    received[[0, 2], 3] = 1
    counts = Counts(sent, received)
    assert windows_received(counts, 3) == [0, 2]
    assert remaining_after(counts, 3).sum(axis=1).tolist() == [3, 2]
    # With a lag of one window person 1 may have sent in window 1 what came in window 2.
    assert remaining_after(counts, 3, lag=1).sum(axis=1).tolist() == [3, 3]
    assert lag_windows(0.0) == 0
    assert np.exp(-lag_windows(0.5) / 0.5) <= 1e-6


def test_everyone_always_online_leaves_nothing_to_learn() -> None:
    outcome = EXPERIMENT.run(IntersectionParameters(online_share=1.0), seeds(1)[0])
    assert outcome.measures["remaining_users"].value == 100
    assert outcome.measures["deliveries"].value > 100


def test_remaining_people_are_as_many_as_the_closed_form_says() -> None:
    parameters = IntersectionParameters(
        users=400, rounds=20, online_share=0.8, session_rounds=0, sending_share=0.5
    )
    runs = [EXPERIMENT.run(parameters, seed).measures for seed in seeds(40)]
    found = np.array([one["remaining_users"].value for one in runs])
    expected = np.array([one["closed_form_remaining"].value for one in runs])
    assert found.mean() == pytest.approx(expected.mean(), rel=0.05)
    assert expected_remaining(parameters, 3) == pytest.approx(1 + 399 * 0.8**3)


def test_without_cover_the_writer_is_found_sooner() -> None:
    covered = IntersectionParameters(rounds=400)
    bare = IntersectionParameters(rounds=400, is_cover_constant=False)
    with_cover = values(covered, "deliveries_to_goal", 10).mean()
    without = values(bare, "deliveries_to_goal", 10).mean()
    assert 2 * without < with_cover
    assert without < 5


def test_the_writer_remains_and_a_permuted_one_does_only_by_chance() -> None:
    parameters = PresenceParameters(users=200, rounds=30, session_rounds=0)
    own, other, shares = [], [], []
    for seed in seeds(100):
        rng = np.random.default_rng(seed)
        done = simulate_presence(parameters, rng)
        seen, _ = observe(done.trace)
        counts = counted(seen, even_windows(0.0, 30, 1.0))
        remaining = remaining_after(counts, done.target)
        if len(remaining):
            own.append(remaining[-1, done.sender])
            stranger = (done.sender + int(rng.integers(1, 200))) % 200
            other.append(remaining[-1, stranger])
            shares.append(remaining[-1, :200].mean())
    assert all(own)
    assert np.mean(other) == pytest.approx(np.mean(shares), abs=0.12)
    assert np.mean(shares) < 0.35


def test_delays_do_not_rule_the_writer_out() -> None:
    parameters = IntersectionParameters(delay_rounds=0.5, rounds=300)
    assert values(parameters, "sender_remains", 10).all()
