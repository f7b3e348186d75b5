"""The guess that order is kept, against its closed form and the published figures."""

import numpy as np
import pytest

from experiments.lab.adversaries.fifo import guess_order, order_kept_probability, pairs_of
from experiments.lab.model import DelayLaw, NetworkParameters
from experiments.lab.sources.vector import simulate, trace_of
from experiments.lab.studies.fifo_guess import EXPERIMENT, FifoGuessParameters
from experiments.lab.trace import Ends, Observation, observe, permuted
from pki.anonymity import fifo_guess_probability

# Row, hops, published value and tolerance: reference/anonymity.csv, user rate = mix rate.
PUBLISHED = [
    ("A20.1", 1, 0.75, 0.002),
    ("A20.2", 2, 0.688, 0.01),
    ("A20.3", 3, 0.656, 0.01),
    ("A20.4", 5, 0.623, 0.01),
    ("A20.5", 10, 0.588, 0.01),
]


@pytest.mark.parametrize(("row", "hops", "published", "tolerance"), PUBLISHED)
def test_gives_the_published_figures(
    row: str, hops: int, published: float, tolerance: float
) -> None:
    parameters = FifoGuessParameters(hops=hops, pairs=40_000)
    measures = EXPERIMENT.run(parameters, np.random.SeedSequence(hops)).measures
    closed, guess = measures["closed_form"].value, measures["guess_share"]
    assert closed == pytest.approx(published, abs=tolerance)
    assert guess.trials == 40_000
    assert abs(guess.value - closed) < 4 * np.sqrt(closed * (1 - closed) / 40_000)


@pytest.mark.parametrize(("hops", "user_rate"), [(1, 3.0), (2, 0.25), (4, 10.0)])
def test_the_closed_form_holds_for_other_rates(hops: int, user_rate: float) -> None:
    parameters = FifoGuessParameters(
        hops=hops, user_rate_per_second=user_rate, mix_rate_per_second=2.0, pairs=40_000
    )
    measures = EXPERIMENT.run(parameters, np.random.SeedSequence(9)).measures
    assert measures["guess_share"].value == pytest.approx(
        measures["closed_form"].value, abs=4 * 0.5 / 200
    )


def test_one_hop_is_the_published_formula() -> None:
    for user_rate in (0.01, 1.0, 70.0):
        assert order_kept_probability(1, user_rate, 2.0) == pytest.approx(
            fifo_guess_probability(user_rate, 2.0)
        )


def test_the_closed_form_has_the_right_limits() -> None:
    assert order_kept_probability(3, 1e9, 1.0) == pytest.approx(0.5, abs=1e-6)  # sent at once
    assert order_kept_probability(3, 1e-9, 1.0) == pytest.approx(1.0, abs=1e-6)  # far apart
    kept = [order_kept_probability(hops, 1.0, 1.0) for hops in range(1, 65)]
    assert kept == sorted(kept, reverse=True)


def test_constant_delays_keep_the_order_always() -> None:
    parameters = FifoGuessParameters(delay_law=DelayLaw.CONSTANT, pairs=1000)
    measures = EXPERIMENT.run(parameters, np.random.SeedSequence(1)).measures
    assert measures["guess_share"].value == 1.0
    assert "closed_form" not in measures


def accuracy(seen: Observation, ends: Ends, *, flip: bool) -> float:
    pairs = pairs_of(ends)
    candidates = ends.delivered[pairs]
    guess = guess_order(seen, ends.sent[pairs], candidates[:, ::-1] if flip else candidates)
    return float(np.mean(guess[:, 0] == ends.delivered[pairs[:, 0]]))


def test_permuted_labels_bring_it_to_chance_and_order_of_candidates_says_nothing() -> None:
    network = NetworkParameters(layers=2, width=2, rate_per_second=1.0, mean_delay_seconds=1.0)
    seen, ends = observe(trace_of(simulate(network, 20_000, np.random.default_rng(2))))
    true = accuracy(seen, ends, flip=False)
    assert true == accuracy(seen, ends, flip=True)
    assert true == pytest.approx(0.6875, abs=0.02)
    dealt = accuracy(seen, permuted(ends, np.random.default_rng(3)), flip=False)
    assert dealt == pytest.approx(0.5, abs=0.02)


def test_same_seed_same_outcome() -> None:
    parameters = FifoGuessParameters(pairs=500)
    first = EXPERIMENT.run(parameters, np.random.SeedSequence(4))
    assert first == EXPERIMENT.run(parameters, np.random.SeedSequence(4))
    assert first != EXPERIMENT.run(parameters, np.random.SeedSequence(5))
