"""Settings that are legal one by one and too much together are refused before anything is drawn."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from experiments.lab.intervals import estimated
from experiments.lab.outcome import Measure, Quality
from experiments.lab.registry import experiment_named
from hushmill.errors import ExitCode, UserError

HUGE = 1e308
TINY = 5e-324


def run(name: str, seed: int = 1, **keys: Any) -> dict[str, Measure]:
    experiment = experiment_named(name)
    parameters = msgspec.convert(keys, experiment.parameters)
    return dict(experiment.run(parameters, np.random.SeedSequence(seed)).measures)


@pytest.mark.parametrize(
    ("name", "key", "keys"),
    [
        ("disclosure", "users", {"users": 100_000, "receivers": 100_000, "rounds": 2}),
        ("disclosure", "receivers", {"receivers": 100_000, "rounds": 100_000}),
        ("disclosure", "users", {"users": 5000, "receivers": 5000, "rounds": 2}),
        ("disclosure", "packets_per_round", {"packets_per_round": 100_000}),
        ("disclosure", "kept", {"mixing": "pool", "kept": 10**15}),
        ("disclosure", "delay_rounds", {"mixing": "poisson", "delay_rounds": HUGE}),
        ("disclosure", "mix_cover_per_round", {"mix_cover_per_round": HUGE}),
        ("disclosure", "mix_cover_per_round", {"mix_cover_per_round": 1e9}),
        ("disclosure", "talking_share", {"talking_share": 0.0, "rounds": 100}),
        (
            "disclosure",
            "talking_share",
            {"talking_share": 0.0, "rounds": 100, "mixing": "poisson"},
        ),
        ("disclosure", "kept", {"mixing": "pool", "kept": 5000, "rounds": 100}),
        ("correlation", "burst_seconds", {"burst_seconds": 1e-12}),
        ("correlation", "burst_seconds", {"burst_seconds": TINY}),
        ("correlation", "window_seconds", {"window_seconds": 1e-9}),
        ("correlation", "window_seconds", {"window_seconds": TINY}),
        ("correlation", "pairs", {"pairs": 10_000, "seconds": 1e6}),
        ("correlation", "mean_delay_seconds", {"mean_delay_seconds": HUGE, "window_seconds": 3e-3}),
        ("correlation", "slot_rate_per_second", {"slot_rate_per_second": 1e4, "seconds": 1e5}),
        ("unobservability", "burst_seconds", {"burst_seconds": 1e-12}),
        ("unobservability", "slot_rate_per_second", {"slot_rate_per_second": HUGE}),
        ("tracing", "messages", {"messages": 4_000_000}),
        ("tracing", "cover_share", {"cover_share": math.nextafter(1.0, 0.0)}),
        ("tracing", "rate_per_second", {"rate_per_second": HUGE, "mean_delay_seconds": HUGE}),
        ("tracing", "rate_per_second", {"rate_per_second": 1e8}),
        ("tracing", "link_seconds", {"link_seconds": HUGE}),
        ("tracing", "users", {"topology": "peer_to_peer", "users": 10_000_000}),
        ("tracing", "width", {"topology": "free_route", "width": 10_000, "layers": 64}),
        ("single_mix", "messages", {"messages": 20_000_000}),
        ("single_mix", "mean_delay_seconds", {"mean_delay_seconds": HUGE}),
        ("fifo_guess", "hops", {"pairs": 2_000_000, "hops": 64}),
        ("path_compromise", "routes", {"routes": 10**9, "layers": 64, "corrupt": 100}),
        ("intersection", "rounds", {"rounds": 500_000, "users": 100}),
        ("intersection", "delay_rounds", {"delay_rounds": HUGE, "rounds": 100_000}),
        ("loop_alarm", "trials", {"trials": 100_000}),
        ("loop_alarm", "users", {"users": 10_000_000}),
        ("loop_alarm", "calm_seconds", {"calm_seconds": HUGE}),
    ],
)
def test_what_takes_too_much_is_refused_by_its_key(
    name: str, key: str, keys: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=key) as refusal:
        run(name, **keys)
    assert refusal.value.exit_code is ExitCode.USAGE


def test_a_network_of_very_long_delays_learns_nothing_by_intersection() -> None:
    found = run("intersection", delay_rounds=HUGE, rounds=100, users=20)
    assert found["remaining_users"].value == 20


def test_a_closed_form_that_is_infinite_is_left_out() -> None:
    found = run(
        "disclosure",
        talking_share=0.0,
        is_cover_constant=True,
        rounds=100,
        users=5,
        mix_cover_per_round=5.0,
    )
    assert "squared_error" in found
    assert "closed_form_error" not in found


def test_routes_of_one_deal_are_no_independent_trials() -> None:
    """The replicates' interval covers what a deal gives on average in about 95 of 100 runs; routes
    taken for independent trials would cover it in one of six."""
    keys: dict[str, Any] = {
        "routes_from": "stratified",
        "nodes": 30,
        "corrupt": 15,
        "routes": 20_000,
    }
    runs, replicates, covered = 100, 8, 0
    for number in range(runs):
        seeds = range(number * replicates, (number + 1) * replicates)
        found = [run("path_compromise", seed, **keys) for seed in seeds]
        assert {one["compromised"].trials for one in found} == {None}
        interval = estimated([one["compromised"].value for one in found]).interval
        assert interval is not None
        covered += interval.low <= found[0]["mean_over_networks"].value <= interval.high
    assert covered >= 85


def test_pairs_of_one_run_are_no_independent_trials() -> None:
    found = run("correlation", seconds=60.0)
    shares = [one for name, one in found.items() if name.endswith("true_positive_share")]
    assert [share.trials for share in shares] == [None, None]


@pytest.mark.parametrize("topology", ["free_route", "peer_to_peer"])
def test_sparse_routes_without_layers_are_never_called_exact(topology: str) -> None:
    """At next to no traffic no mix is met at two hops, and nothing seen shows the topology."""
    keys: dict[str, Any] = {"topology": topology, "rate_per_second": 1e-6, "targets": 1}
    traced = run("tracing", **keys, width=1000, users=10_000, layers=2)
    assert traced["entropy_bits"].quality is Quality.APPROXIMATE
