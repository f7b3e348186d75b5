"""The closed forms of `pki` promise no more than the tracing adversary leaves, over a grid from
next to no traffic to pools of fifty. What is simulated knows nothing of the forms."""

from dataclasses import dataclass

import numpy as np
import pytest

from experiments.lab.adversaries.tracing import trace_senders, trace_targets
from experiments.lab.model import NetworkParameters
from experiments.lab.sources.vector import Flows, settled_messages, simulate, trace_of
from experiments.lab.trace import observe
from pki import (
    fifo_guess_probability,
    packet_entropy_bits,
    sender_entropy_bits,
    single_mix_entropy_bits,
)

ALLOWED_BITS = 0.05
ERRORS = 3.5  # standard errors over replicates that the mean may be off
HELD = (0.05, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0)
PLACES = [(layers, width) for layers in (1, 2, 3, 4) for width in (1, 2, 4)]
REPLICATES = 20


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over replicates and its standard error, both in bits."""

    mean: float
    error: float


def network(held: float, layers: int, width: int, users: int = 1000) -> NetworkParameters:
    return NetworkParameters(
        layers=layers,
        width=width,
        users=users,
        rate_per_second=held * width,
        mean_delay_seconds=1.0,
    )


def settled_flows(
    parameters: NetworkParameters, targets: int, seed: np.random.SeedSequence
) -> tuple[Flows, slice]:
    """A run, and its messages that are away from both ends: `targets` of them or more."""
    edge = settled_messages(parameters)
    rng = np.random.default_rng(seed)
    flows = simulate(parameters, 2 * edge + targets, rng)
    return flows, slice(edge, edge + targets)


def estimate(means: list[float]) -> Estimate:
    return Estimate(float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(len(means))))


def traced_packets(parameters: NetworkParameters, seed: int) -> Estimate:
    """What is left in doubt about where a packet went."""
    means = []
    many = 200 if parameters.rate_per_second < 20 else 96
    for child in np.random.SeedSequence(seed).spawn(REPLICATES):
        flows, middle = settled_flows(parameters, many, child)
        seen, ends = observe(trace_of(flows))
        chosen = np.arange(many, dtype=np.int32) + middle.start
        scores = trace_targets(seen, ends.sent[chosen], ends.delivered[chosen])
        assert scores.mass.min() > 1 - 1e-6
        means.append(float(scores.entropy_bits.mean()))
    return estimate(means)


def traced_senders(parameters: NetworkParameters, seed: int) -> Estimate:
    """What is left in doubt about who sent a packet."""
    means = []
    for child in np.random.SeedSequence(seed).spawn(REPLICATES):
        flows, middle = settled_flows(parameters, 300, child)
        seen, ends = observe(trace_of(flows))
        found = trace_senders(seen)
        wanted = np.isin(found.delivered, ends.delivered[middle])
        belief = found.posterior[wanted]
        logs = np.log2(belief, where=belief > 0, out=np.zeros_like(belief))
        means.append(float(-(belief * logs).sum(axis=1).mean()))
    return estimate(means)


@pytest.mark.parametrize(("layers", "width"), PLACES)
def test_packet_bits_never_exceed_what_tracing_leaves(layers: int, width: int) -> None:
    for place, held in enumerate(HELD):
        traced = traced_packets(
            network(held, layers, width), seed=100 * layers + 10 * width + place
        )
        form = packet_entropy_bits(held * width, 1.0, layers, width)
        assert form <= traced.mean + ALLOWED_BITS + ERRORS * traced.error, (held, form, traced)


@pytest.mark.parametrize(("layers", "width"), [(1, 1), (1, 4), (2, 2), (3, 1), (3, 3), (4, 2)])
@pytest.mark.parametrize("users", [2, 10, 60])
def test_sender_bits_never_exceed_what_tracing_leaves(layers: int, width: int, users: int) -> None:
    for place, held in enumerate((0.05, 0.5, 2.0, 8.0)):
        parameters = network(held, layers, width, users)
        traced = traced_senders(parameters, seed=1000 * layers + 100 * width + users + place)
        form = sender_entropy_bits(users, held * width, 1.0, layers, width)
        assert form <= traced.mean + ALLOWED_BITS + ERRORS * traced.error, (held, form, traced)


@pytest.mark.parametrize("held", [0.5, 1.0, 5.0, 45.0])
def test_the_single_mix_is_exact(held: float) -> None:
    traced = traced_packets(network(held, 1, 1), seed=7)
    assert single_mix_entropy_bits(held) == pytest.approx(traced.mean, abs=ERRORS * traced.error)


def test_the_figures_are_near_the_traced_ones_where_pools_are_large() -> None:
    """They promise little, and not next to nothing."""
    for layers, width in ((2, 2), (3, 2), (3, 4), (4, 1)):
        traced = traced_packets(network(50.0, layers, width), seed=11)
        assert packet_entropy_bits(50.0 * width, 1.0, layers, width) > traced.mean - 0.15


def test_the_order_of_two_packets_is_guessed_as_often_as_the_form_says() -> None:
    rng = np.random.default_rng(np.random.SeedSequence(3))
    for user_rate in (0.3, 1.0, 4.0):
        apart = rng.exponential(1 / user_rate, 40_000)
        first, second = rng.exponential(1.0, (2, 40_000))
        kept = float(np.mean(first < apart + second))
        assert kept == pytest.approx(fifo_guess_probability(user_rate, 1.0), abs=0.01)
