"""The same network gives the same figures whichever source ran it, within what chance allows.

Every comparison is of independent replicates: the spread of one is known from the simulator that
gives many, and the means of both must be as near as so many replicates have to be.
"""

import msgspec
import numpy as np
import pytest

from experiments.lab.trace import Event
from tests.lab.network_runs import (
    MEAN_DELAY_SECONDS,
    VECTOR,
    cores_figures,
    cores_run,
    event_figures,
    vector_figures,
)

REPLICATES = 40  # of each simulator
CORES_SEEDS = (1, 2, 3)
SOAK_SEEDS = range(10, 40)
DEVIATIONS = 4.5  # of a difference of means: by chance in one of 10^5 comparisons
TICK_SECONDS = 0.005
SYNC_SECONDS = 0.001
# The distance of Kolmogorov and Smirnov between n waits and their law exceeds this by chance in one
# of 10^5 samples (their limit, 2 exp(-2 n d²)), beside what ticks move the law by.
WAITS_DISTANCE = 2.5

Figures = dict[str, float]


def disagreements(ours: list[Figures], known: list[Figures]) -> dict[str, float]:
    """By how many standard deviations each figure differs, where that is more than chance."""
    found = {}
    for name in known[0]:
        values = np.array([figures[name] for figures in known])
        mine = np.array([figures[name] for figures in ours])
        error = values.std(ddof=1) * np.sqrt(1 / len(values) + 1 / len(mine))
        deviation = float((mine.mean() - values.mean()) / error)
        if abs(deviation) > DEVIATIONS:
            found[name] = deviation
    return found


@pytest.fixture(scope="module")
def vector() -> list[Figures]:
    return [vector_figures(seed) for seed in range(REPLICATES)]


def test_the_event_simulator_agrees_with_the_vectorised_one(vector: list[Figures]) -> None:
    events = [event_figures(seed) for seed in range(REPLICATES)]
    assert disagreements(events, vector) == {}


def test_the_cores_agree_with_the_vectorised_simulator(vector: list[Figures]) -> None:
    cores = [cores_figures(seed) for seed in CORES_SEEDS]
    assert disagreements(cores, vector) == {}


def test_another_delay_is_a_disagreement(vector: list[Figures]) -> None:
    """What the comparison can tell: a fifth less delay, with as many replicates as of the cores."""
    shorter = msgspec.structs.replace(VECTOR, mean_delay_seconds=0.8 * MEAN_DELAY_SECONDS)
    others = [vector_figures(100 + seed, shorter) for seed in CORES_SEEDS]
    assert {"latency_mean_seconds", "packets_held"} <= disagreements(others, vector).keys()


def waits_in(seed: int, layer: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How long the mixes of a layer held the packets of a run of the cores."""
    trace = cores_run(seed).trace
    is_here = trace.layer == layer
    arrived = np.full(trace.messages, np.nan)
    left = np.full(trace.messages, np.nan)
    for times, event in ((arrived, Event.ARRIVE), (left, Event.DEPART)):
        chosen = is_here & (trace.kind == event)
        times[trace.message[chosen]] = trace.time[chosen]
    waits = left - arrived
    return np.sort(waits[~np.isnan(waits)])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_cores_hold_packets_by_the_senders_law_in_every_layer(layer: int) -> None:
    """Exponential, with what the core adds: a packet leaves at a tick, after the sync."""
    for seed in CORES_SEEDS:
        waits = waits_in(seed, layer)
        assert len(waits) > 500
        assert waits.min() >= SYNC_SECONDS
        law = 1 - np.exp(-waits / MEAN_DELAY_SECONDS)
        steps = np.arange(len(waits) + 1) / len(waits)
        distance = max((steps[1:] - law).max(), (law - steps[:-1]).max())
        moved = 2 * TICK_SECONDS / MEAN_DELAY_SECONDS
        assert distance < WAITS_DISTANCE / np.sqrt(len(waits)) + moved


@pytest.mark.soak
def test_the_cores_agree_with_the_vectorised_simulator_in_many_runs() -> None:
    known = [vector_figures(seed) for seed in range(400)]
    cores = [cores_figures(seed) for seed in SOAK_SEEDS]
    assert disagreements(cores, known) == {}
