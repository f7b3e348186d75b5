"""Do the laboratory's 95 % intervals hold the truth as often as they say, by a case with an exact
value: the entropy of one Poisson mix, traced, against its closed form."""

import pytest

from experiments.lab.runs.engine import measured
from experiments.lab.runs.sweep import sweep_of
from pki import single_mix_entropy_bits

RATE, DELAY = 10.0, 0.5
RUNS = 400


def sweep(seed: int, replicates: int, targets: int) -> dict[str, object]:
    return {
        "experiment": "tracing",
        "seed": seed,
        "replicates": replicates,
        "parameters": {
            "layers": 1,
            "width": 1,
            "rate_per_second": RATE,
            "mean_delay_seconds": DELAY,
            "targets": targets,
        },
    }


def covered(replicates: int, targets: int) -> float:
    """The share of RUNS whose interval of the entropy holds the exact value."""
    truth, count = single_mix_entropy_bits(RATE * DELAY), 0
    for seed in range(RUNS):
        rows = measured(sweep_of(sweep(seed, replicates, targets)))
        (row,) = [row for row in rows if row.measure == "entropy_bits"]
        assert row.interval is not None
        count += row.interval.low <= truth <= row.interval.high
    return count / RUNS


def test_intervals_of_a_traced_mix_cover_its_exact_entropy() -> None:
    assert 0.92 <= covered(replicates=4, targets=10) <= 0.98


@pytest.mark.soak
def test_intervals_of_a_traced_mix_cover_its_exact_entropy_with_more_replicates() -> None:
    assert 0.92 <= covered(replicates=20, targets=100) <= 0.98
