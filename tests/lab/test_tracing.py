"""The tracing adversary against itself, closed forms and published figures."""

import functools
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.lab.adversaries.tracing import TargetScores, trace_senders, trace_targets
from experiments.lab.adversaries.tracing_density import DensityPass
from experiments.lab.adversaries.tracing_matching import KnownDelays
from experiments.lab.adversaries.tracing_pass import Pass
from experiments.lab.adversaries.tracing_passage import passage_of
from experiments.lab.adversaries.tracing_single import mix_entropy
from experiments.lab.model import DelayLaw, NetworkParameters, Topology
from experiments.lab.outcome import Quality
from experiments.lab.sources.vector import settled_messages, simulate, trace_of
from experiments.lab.trace import (
    NOBODY,
    Ends,
    Event,
    Flags,
    observe,
    permuted,
)
from pki import single_mix_entropy_bits


class Run:
    """A simulated network, seen by the observer, and targets from its stationary middle."""

    def __init__(
        self, targets: int = 1500, seed: int = 1, corrupt: Flags | None = None, **keys: Any
    ) -> None:
        self.parameters = NetworkParameters(**keys)
        rng = np.random.default_rng(seed)
        margin = settled_messages(self.parameters)
        self.flows = simulate(self.parameters, 2 * margin + targets, rng)
        self.seen, self.ends = observe(trace_of(self.flows), corrupt)
        self.targets = np.arange(margin, margin + targets, dtype=np.int32)

    def scores(self, ends: Ends | None = None, *, knows_delays: bool = True) -> TargetScores:
        law, mean = self.parameters.delay_law, self.parameters.mean_delay_seconds
        truth = (ends or self.ends).delivered[self.targets]
        delays = KnownDelays(law, mean) if knows_delays else None
        return trace_targets(self.seen, self.ends.sent[self.targets], truth, delays=delays)


def gap_in_errors(scores: TargetScores) -> float:
    """Mean −log2 p(true) less the mean entropy, in standard errors. Neighbours share pools, so the
    error is that of the means of blocks of 50 targets."""
    difference = -np.log2(scores.truth_probability) - scores.entropy_bits
    blocks = difference.reshape(-1, 50).mean(axis=1)
    return float(blocks.mean() / (blocks.std(ddof=1) / len(blocks) ** 0.5 + 1e-12))


# Against itself.

EXACT: dict[str, dict[str, Any]] = {
    "one mix": {"layers": 1, "width": 1},
    "layers": {},
    "cascades": {"topology": Topology.CASCADES},
    "links": {"link_seconds": 0.4, "rate_per_second": 50.0},
    "weights": {"width": 3, "weights": (1.0, 2.0, 6.0)},
    "corrupt": {"width": 3, "corrupt": np.arange(9) % 3 == 1},
    "constant": {"delay_law": DelayLaw.CONSTANT},
}


@functools.cache
def run_of(setting: str) -> Run:
    return Run(**EXACT[setting])


@pytest.mark.parametrize("setting", EXACT)
def test_it_is_as_often_right_as_it_says(setting: str) -> None:
    scores = run_of(setting).scores()
    assert scores.quality is Quality.EXACT
    assert scores.mass.min() >= 1 - 1e-6
    assert abs(gap_in_errors(scores)) < 3.5


def test_under_corruption_every_honest_hop_adds_doubt() -> None:
    run = run_of("corrupt")
    corrupt = np.arange(9) % 3 == 1
    honest = np.count_nonzero(~corrupt[run.flows.mixes[run.targets]], axis=1)
    scores = run.scores()
    assert np.all(scores.entropy_bits[honest == 0] == 0)
    assert np.all(scores.truth_probability[honest == 0] == 1)
    means = np.array([scores.entropy_bits[honest == hops].mean() for hops in range(4)])
    assert np.all(np.diff(means) > 0.05)


@pytest.mark.parametrize("setting", EXACT)
def test_with_labels_dealt_out_anew_it_falls_to_chance(setting: str) -> None:
    run = run_of(setting)
    scores = run.scores(permuted(run.ends, np.random.default_rng(2)))
    messages = len(run.flows.sent)
    assert scores.truth_rank.mean() / messages == pytest.approx(0.5, abs=0.04)
    chance = scores.truth_probability.mean() * messages
    # A route's delivery comes with the chance 1 in `messages`; what it then has is the posterior's
    # height, whose spread is the effective number of its deliveries.
    spread = (messages / 2.0 ** scores.collision_entropy_bits.mean() / 1500) ** 0.5
    assert chance == pytest.approx(1.0, abs=5 * spread)


def test_batches_and_their_order_change_nothing() -> None:
    run = run_of("corrupt")
    sent, truth = run.ends.sent[run.targets], run.ends.delivered[run.targets]
    whole = trace_targets(run.seen, sent, truth, batch=len(sent))
    order = np.random.default_rng(1).permutation(len(sent))
    parts = trace_targets(run.seen, sent[order], truth[order], batch=7)
    for name in ("entropy_bits", "truth_probability", "truth_rank", "min_entropy_bits"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name)[order], abs=2e-5)


def test_the_backward_pass_agrees_with_the_forward_one() -> None:
    run = run_of("one mix")
    backward = mix_entropy(run.seen, 0)[run.targets]
    assert run.scores().entropy_bits == pytest.approx(backward, abs=1e-5)


def test_a_run_of_twice_the_length_says_the_same() -> None:
    short = np.mean([Run(400, seed=seed).scores().entropy_bits.mean() for seed in range(8)])
    halves = [
        np.array_split(Run(800, seed=seed).scores().entropy_bits, 2) for seed in range(20, 28)
    ]
    first, second = np.mean([[half.mean() for half in pair] for pair in halves], axis=0)
    assert short == pytest.approx(first, abs=0.06)
    assert first == pytest.approx(second, abs=0.06)


@pytest.mark.parametrize("held", [1.0, 5.0, 45.0])
def test_one_mix_gives_what_the_closed_form_says(held: float) -> None:
    run = Run(40_000, layers=1, width=1, rate_per_second=held, mean_delay_seconds=1.0)
    found = mix_entropy(run.seen, 0)[run.targets].mean()
    assert found == pytest.approx(single_mix_entropy_bits(held), abs=0.03)


@pytest.mark.parametrize(("layers", "published"), [(1, 10.2534), (3, 13.0392), (10, 11.4693)])
def test_layers_give_what_was_published(layers: int, published: float) -> None:
    """PETS 2022, figure 7a: one second end to end over ten mixes a layer."""
    run = Run(
        64,
        layers=layers,
        rate_per_second=5000.0,
        link_seconds=0.05,
        mean_delay_seconds=(1 - 0.05 * (layers + 1)) / layers,
    )
    assert run.scores().entropy_bits.mean() == pytest.approx(published, abs=0.05)


# Other laws, and mixes at any hop.


@pytest.mark.parametrize("law", [DelayLaw.UNIFORM, DelayLaw.GAMMA])
def test_another_law_is_traced_by_its_density_better_than_by_the_rule(law: DelayLaw) -> None:
    run = Run(750, delay_law=law)
    known, blind = run.scores(), run.scores(knows_delays=False)
    assert known.quality is Quality.APPROXIMATE
    surprise = [float(-np.log2(each.truth_probability).mean()) for each in (known, blind)]
    assert surprise[0] < surprise[1] - 0.1
    assert known.entropy_bits.mean() < blind.entropy_bits.mean() - 0.2
    assert surprise[0] == pytest.approx(known.entropy_bits.mean(), abs=0.06)
    assert abs(gap_in_errors(blind)) > 4  # a wrong law does not go unnoticed


def test_scaling_finds_the_rule_for_exponential_delays() -> None:
    run = Run(64, layers=2, width=3)
    passage = passage_of(run.seen)
    column = np.full(len(run.seen.kind), NOBODY, dtype=np.int32)
    events = np.flatnonzero(run.seen.kind == Event.SEND)[run.targets]
    column[events] = np.arange(64)
    rule = Pass(passage, 64).run(column, int(events[0]), 1.0 - 1e-7).copy()
    delays = KnownDelays(DelayLaw.EXPONENTIAL, 0.5)
    scaled = DensityPass(run.seen, passage, delays, 64).run(column, int(events[0]), 1.0 - 1e-7)
    rows = min(len(rule), len(scaled))
    assert scaled[:rows] == pytest.approx(rule[:rows], abs=1e-7)


@pytest.mark.parametrize(
    "keys",
    [
        {"topology": Topology.FREE_ROUTE, "width": 4},
        {"topology": Topology.PEER_TO_PEER, "users": 12},
        {"topology": Topology.FREE_ROUTE, "width": 4, "corrupt": np.arange(12) % 3 == 0},
    ],
    ids=["free route", "peers", "corrupt"],
)
def test_mixes_at_any_hop_are_nearly_calibrated(keys: dict[str, Any]) -> None:
    scores = Run(**keys).scores()
    assert scores.quality is Quality.APPROXIMATE
    assert scores.mass.min() >= 1 - 1e-6
    surprise = -np.log2(scores.truth_probability).mean()
    assert surprise == pytest.approx(scores.entropy_bits.mean(), abs=0.15)


def test_hops_in_the_observation_are_not_read_where_they_cannot_be_seen() -> None:
    run = Run(64, topology=Topology.FREE_ROUTE, width=4)
    at_mix = run.seen.layer >= 0
    layer = run.seen.layer.copy()
    layer[at_mix] = np.random.default_rng(1).permutation(layer[at_mix])
    before = run.scores()
    run.seen = replace(run.seen, layer=layer)
    assert run.scores().entropy_bits.tolist() == before.entropy_bits.tolist()


# Without the compiler.

PLAIN = """
import sys
sys.modules["numba"] = None
import numpy as np
from experiments.lab import compiled
from tests.lab.test_tracing import plain_figures
assert compiled.numba is None
sys.stdout.write(repr(plain_figures()))
"""


def plain_figures() -> list[list[float]]:
    """Figures of a small run of each kind, for a comparison to the last digit."""
    found = []
    for keys in (
        {"corrupt": np.arange(6) == 0},
        {"topology": Topology.FREE_ROUTE},
        {"delay_law": DelayLaw.GAMMA},
    ):
        run = Run(
            12,
            users=4,
            layers=2,
            width=3,
            rate_per_second=4.0,
            **keys,
        )
        scores = run.scores()
        found += [scores.entropy_bits.tolist(), scores.truth_rank.tolist(), scores.mass.tolist()]
        found.append(trace_senders(run.seen).posterior.sum(axis=0).tolist())
    return found


def test_without_a_compiler_the_figures_are_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == repr(plain_figures())
