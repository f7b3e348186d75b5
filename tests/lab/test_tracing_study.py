"""The experiment `tracing`: what its keys do to its figures."""

from typing import Any

import numpy as np
import pytest

from experiments.lab.model import DelayLaw
from experiments.lab.outcome import Outcome, Quality
from experiments.lab.studies.tracing import EXPERIMENT, TracingParameters
from hushmill.errors import ExitCode, UserError


def outcome(seed: int = 1, **keys: Any) -> Outcome:
    return EXPERIMENT.run(TracingParameters(**keys), np.random.SeedSequence(seed))


def figure(name: str, **keys: Any) -> float:
    return outcome(**keys).measures[name].value


def test_one_mix_gives_the_published_figure_by_its_parameters_alone() -> None:
    keys = {"layers": 1, "width": 1, "rate_per_second": 100.0, "mean_delay_seconds": 0.5}
    assert figure("entropy_bits", targets=20_000, **keys) == pytest.approx(7.087, abs=0.03)


def test_the_same_seed_gives_the_same_outcome() -> None:
    assert outcome(3) == outcome(3)
    assert outcome(3) != outcome(4)


def test_every_target_has_a_row() -> None:
    found = outcome(targets=70)
    assert {len(column) for column in found.targets.values()} == {70}
    mean = found.measures["entropy_bits"].value
    assert np.mean(found.targets["entropy_bits"]) == pytest.approx(mean)
    assert found.measures["effective_set_size"].value == pytest.approx(2.0**mean)


def test_figures_say_how_they_were_come_by() -> None:
    measures = outcome().measures
    assert measures["entropy_bits"].quality is Quality.EXACT
    assert measures["truth_probability"].quality is Quality.SAMPLED
    assert measures["mass"].value >= 1 - 1e-6
    other = outcome(delay_law=DelayLaw.UNIFORM).measures
    assert other["entropy_bits"].quality is Quality.APPROXIMATE


def test_another_delay_law_moves_the_figure() -> None:
    means = [figure("entropy_bits", delay_law=law) for law in DelayLaw]
    assert min(abs(a - b) for a in means for b in means if a is not b) > 0.1


def test_corrupt_mixes_take_doubt_away() -> None:
    honest, half, wholly = (
        outcome(corrupt_fraction=share, width=4).measures for share in (0.0, 0.5, 1.0)
    )
    assert half["entropy_bits"].value < honest["entropy_bits"].value - 0.3
    assert wholly["entropy_bits"].value == 0
    assert wholly["compromised_share"].value == 1
    assert wholly["entropy_bits_of_0_honest_hops"].value == 0
    assert "entropy_bits_of_3_honest_hops" in honest


def test_compromised_routes_are_as_many_as_chance_has_it() -> None:
    share = figure("compromised_share", corrupt_per_layer=2, width=4, targets=4000)
    assert share == pytest.approx(0.125, abs=0.025)


def test_cover_costs_but_does_not_move_the_doubt() -> None:
    bare, covered = outcome(targets=2000), outcome(targets=2000, cover_share=0.75)
    assert bare.measures["link_packets_per_payload"].value == 4
    paid = covered.measures["link_packets_per_payload"].value
    assert paid == pytest.approx(16, rel=0.06)
    difference = covered.measures["entropy_bits"].value - bare.measures["entropy_bits"].value
    assert abs(difference) < 0.1


def test_latency_is_that_of_delays_and_links() -> None:
    found = outcome(link_seconds=0.1, targets=2000).measures
    assert found["latency_mean_seconds"].value == pytest.approx(1.9, rel=0.04)
    p50, p90, p99 = (found[f"latency_p{part}_seconds"].value for part in (50, 90, 99))
    assert p50 == pytest.approx(0.4 + 1.337, rel=0.05)
    assert p50 < p90 < p99


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"messages": 2000}, "messages"),
        ({"corrupt_fraction": 0.5, "corrupt_per_layer": 1}, "corrupt_per_layer"),
        ({"corrupt_per_layer": 11}, "corrupt_per_layer"),
    ],
)
def test_keys_that_contradict_each_other_are_named(keys: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        outcome(**keys)
    assert caught.value.exit_code is ExitCode.USAGE
