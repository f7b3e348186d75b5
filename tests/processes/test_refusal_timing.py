"""Refusals look alike from outside. Spec: docs/spec/mixing.md (Timing of refusals)."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.plant_bugs import plant
from tests.processes.refusal_timing import BOUND, KINDS, SLEEPS, Plan, measure, scores
from tests.processes.telling_apart import Rows, score


def _runs(shift: float, seed: int) -> list[tuple[Rows, Rows]]:
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(0, 1, (150, 4)), rng.normal((shift, 0, 0, 0), 1, (150, 4))) for _ in range(8)
    ]


def test_finds_nothing_in_noise_and_what_was_planted() -> None:
    nothing, something = score(_runs(0.0, 1)), score(_runs(1.0, 2))
    assert nothing.low <= 0.5 <= nothing.high
    assert something.low > 0.7


def test_finds_a_shape_without_a_shift() -> None:
    rng = np.random.default_rng(3)

    def ring(count: int) -> Rows:
        angle = rng.uniform(0, 2 * np.pi, count)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    runs = [(ring(150), rng.normal(0, 0.4, (150, 2))) for _ in range(4)]
    assert score(runs).low > 0.7


@pytest.mark.soak
def test_a_neighbour_cannot_tell_one_refusal_from_another() -> None:
    for pair, found in scores(measure(Plan())).items():
        assert found.high <= BOUND, (pair, found)


@pytest.mark.soak
def test_a_node_that_sleeps_on_a_bad_mac_is_found_out() -> None:
    with tempfile.TemporaryDirectory() as folder:
        plant(SLEEPS, Path(folder))
        found = scores(measure(Plan(runs=4, kinds=KINDS[:2]), Path(folder)))
    assert found["bad_mac vs replay"].auc >= 0.8
