"""Unobservability: whether a link shows that its person has anything to say.

A classifier of our own (Fisher's linear discriminant) learns windows of busy and of idle people's
links and is tried on people that it has not seen; what it reaches is the area under its curve, 0.5
where busy and idle look alike. Spec: docs/spec/laboratory.md (Links).
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.intervals import Interval, estimated
from experiments.lab.metrics.roc import roc_area
from experiments.lab.outcome import Quality
from experiments.lab.trace import Event, Floats, Observation

QUALITY = Quality.SAMPLED
FEATURES = 5
RIDGE = 1e-3  # of a standardised feature's variance: features that never vary stay harmless


@dataclass(frozen=True, slots=True)
class Unobservability:
    """The area under the curve, mean over the runs judged, with Student's interval of 95 %."""

    area: float
    low: float
    high: float


def window_features(seen: Observation, person: int, event: Event, ends: Floats) -> Floats:
    """[windows, FEATURES] of one person's link in one direction (SEND or DELIVER): packets, and
    the mean, least, greatest and spread of the gaps between them, a window's length where there
    are none. Every packet has one size, so sizes tell nothing. Windows end at `ends`."""
    times = seen.time[(seen.kind == event) & (seen.label == person)]
    edges = np.searchsorted(times, ends, side="right")
    length = float(ends[0] if len(ends) == 1 else ends[1] - ends[0])
    features = np.empty((len(ends), FEATURES))
    for window, (begin, end) in enumerate(zip(np.append(0, edges[:-1]), edges, strict=True)):
        gaps = np.diff(times[begin:end])
        features[window] = (
            (end - begin, gaps.mean(), gaps.min(), gaps.max(), gaps.std())
            if len(gaps)
            else (end - begin, length, length, length, 0.0)
        )
    return features


def unobservability(busy: Floats, idle: Floats, rng: np.random.Generator) -> Unobservability:
    """How well windows of busy people are told from those of idle ones.

    Both are [runs, windows, features]; a run is one person of each kind, independent of the others.
    A classifier learns from half of the runs and judges the others, each once: judging every run by
    the rest would use each pair of runs twice, and intervals over runs would be too short by half.
    Raises ValueError with fewer than four runs.
    """
    runs = len(busy)
    if runs < 4 or busy.shape != idle.shape:
        raise ValueError("four runs or more, as many of busy people as of idle ones")
    order = rng.permutation(runs)
    learnt, judged = order[: runs // 2], order[runs // 2 :]
    weights = discriminant(_flat(busy[learnt]), _flat(idle[learnt]))
    areas = [roc_area(busy[run] @ weights, idle[run] @ weights) for run in judged]
    found = estimated(areas)
    interval = found.interval or Interval(0.0, 1.0)
    return Unobservability(found.mean, max(0.0, interval.low), min(1.0, interval.high))


def discriminant(positives: Floats, negatives: Floats) -> Floats:
    """[features] the direction in which the means differ most for their spread (Fisher 1936)."""
    scale = np.concatenate((positives, negatives)).std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    above, below = positives / scale, negatives / scale
    within = (np.cov(above, rowvar=False) + np.cov(below, rowvar=False)) / 2
    within = within + RIDGE * np.eye(within.shape[0])
    return np.asarray(
        np.linalg.solve(within, above.mean(axis=0) - below.mean(axis=0)) / scale, dtype=np.float64
    )


def _flat(windows: Floats) -> Floats:
    return windows.reshape(-1, windows.shape[-1])
