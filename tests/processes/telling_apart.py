"""How well two kinds of trials can be told apart, by whoever has learnt on other runs. Pure.

The score is the area under the curve (AUC): the chance that a trial of the second kind looks more
like one than a trial of the first does; 0.5 is a guess. Two learners judge together: logistic
regression sees shifts, the nearest neighbours see whatever has a shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
NEIGHBOURS = 40
RESAMPLES = 4_000


@dataclass(frozen=True, slots=True)
class Score:
    """The mean AUC over runs left out in turn, and its interval of 95 % over runs (bootstrap)."""

    auc: float
    low: float
    high: float


def score(runs: Sequence[tuple[Rows, Rows]], seed: int = 1) -> Score:
    """`runs` are pairs of trials of the first and of the second kind, a feature a column. Each run
    is judged by what was learnt on all the others."""
    values = np.array([_left_out(runs, left) for left in range(len(runs))])
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Score(float(values.mean()), float(low), float(high))


def auc(first: Rows, second: Rows) -> float:
    """The chance that one of `second` is above one of `first`; ties count half."""
    order = np.sort(first)
    below = np.searchsorted(order, second, side="left")
    upto = np.searchsorted(order, second, side="right")
    return float((below + upto).mean() / (2 * len(first)))


def _left_out(runs: Sequence[tuple[Rows, Rows]], left: int) -> float:
    """The AUC on one run. The learners' judgements are added by rank: choosing the better one by
    its score would find something in noise."""
    others = [run for number, run in enumerate(runs) if number != left]
    rows = np.concatenate([part for run in others for part in run])
    kinds = np.concatenate(
        [np.full(len(part), float(kind)) for run in others for kind, part in enumerate(run)]
    )
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-12
    new = (np.concatenate(runs[left]) - middle) / spread
    judged = np.zeros(len(new))
    for learner in (_logistic, _nearest):
        judged += _ranks(learner((rows - middle) / spread, kinds, new))
    first = len(runs[left][0])
    return auc(judged[:first], judged[first:])


def _ranks(values: Rows) -> Rows:
    """Ties share theirs."""
    order = np.sort(values)
    left = np.searchsorted(order, values, side="left")
    return np.asarray(left + np.searchsorted(order, values, side="right"), dtype=np.float64)


def _logistic(rows: Rows, kinds: Rows, new: Rows) -> Rows:
    """Ridge-regularised, by Newton's steps."""

    def wide(part: Rows) -> Rows:
        bounded = np.clip(part, -4, 4)  # one stall must not decide
        return np.hstack([np.ones((len(part), 1)), bounded, bounded**2])

    inputs = wide(rows)
    weights: Any = np.zeros(inputs.shape[1])
    for _ in range(12):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chance - kinds) + weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + np.eye(len(weights))
        weights = weights - np.linalg.solve(curve, slope)
    return np.asarray(wide(new) @ weights)


def _nearest(rows: Rows, kinds: Rows, new: Rows) -> Rows:
    count = min(NEIGHBOURS, len(rows) // 4)
    distance = (new**2).sum(axis=1)[:, None] - 2 * new @ rows.T + (rows**2).sum(axis=1)
    return np.asarray(kinds[np.argpartition(distance, count, axis=1)[:, :count]].mean(axis=1))
