"""The n - 1 attack: it links where nothing else comes out, and loops stand in its way."""

import math

import msgspec
import numpy as np
import pytest

from experiments.lab.adversaries.blending import (
    batch_exit_probability,
    first_exit_probability,
    guess_exit,
)
from experiments.lab.model import Topology
from experiments.lab.sources.strategies import Strategy
from experiments.lab.studies.blending import EXPERIMENT, BlendingParameters, trial_of
from experiments.lab.trace import NOBODY, Event, Observation, Trace, observe
from hushmill.errors import UserError

SEED = np.random.SeedSequence(1)
QUICK = BlendingParameters(rate_per_second=20.0, width=2, kept=3, trials=30)


def linked(parameters: BlendingParameters) -> float:
    return EXPERIMENT.run(parameters, SEED).measures["linked_share"].value


@pytest.mark.parametrize("strategy", Strategy)
def test_without_loops_it_links_and_with_loops_less(strategy: Strategy) -> None:
    assert linked(msgspec.structs.replace(QUICK, strategy=strategy)) >= 29 / 30
    with_loops = msgspec.structs.replace(QUICK, strategy=strategy, mix_loop_rate_per_second=4.0)
    assert 0.05 < linked(with_loops) < 0.75


@pytest.mark.parametrize("loops", [0.5, 4.0])
@pytest.mark.parametrize("strategy", [Strategy.POISSON, Strategy.TIMED])
def test_follows_the_closed_form(strategy: Strategy, loops: float) -> None:
    parameters = msgspec.structs.replace(
        QUICK, strategy=strategy, mix_loop_rate_per_second=loops, trials=150
    )
    measures = EXPERIMENT.run(parameters, SEED).measures
    closed, found = measures["closed_form"].value, measures["linked_share"]
    assert found.trials == 150
    assert abs(found.value - closed) < 3.5 * math.sqrt(closed * (1 - closed) / 150)


def test_the_published_row_by_parameters_alone() -> None:
    """A21 of reference/anonymity.csv: mean delay 1 s, one in two of 50 packets a second let in."""
    parameters = BlendingParameters(
        layers=1,
        width=1,
        rate_per_second=50.0,
        blocked_share=0.5,
        mix_loop_rate_per_second=1.0,
        mean_delay_seconds=1.0,
        trials=300,
    )
    measures = EXPERIMENT.run(parameters, SEED).measures
    assert measures["loopix_closed_form"].value == pytest.approx(0.03846, abs=1e-5)
    assert measures["closed_form"].value == pytest.approx(1 / 27)
    assert abs(measures["linked_share"].value - 1 / 27) < 3.5 * math.sqrt(1 / 27 / 300)


def test_an_attacker_who_blocks_nothing_links_no_better_than_the_pool_allows() -> None:
    parameters = msgspec.structs.replace(QUICK, blocked_share=0.0, trials=150)
    assert linked(parameters) == pytest.approx(1 / (1 + 10 * 0.5), abs=0.1)


def test_closed_forms_have_the_right_limits() -> None:
    assert first_exit_probability(0.5, 0.0, 0.0) == 1.0
    assert first_exit_probability(0.5, 1e9, 0.0) < 1e-8
    assert batch_exit_probability(0.0) == 1.0
    assert batch_exit_probability(1e-9) == pytest.approx(1.0)
    assert batch_exit_probability(50.0) == pytest.approx(0.02)


def trace_of(rows: list[tuple[float, Event, int, int]]) -> tuple[Observation, Trace]:
    """A trace of one mix from rows of time, kind, message and label."""
    count = len(rows)
    at_mix = np.array([0 if row[1] not in (Event.SEND, Event.DELIVER) else NOBODY for row in rows])
    trace = Trace(
        time=np.array([row[0] for row in rows]),
        kind=np.array([row[1] for row in rows], dtype=np.uint8),
        mix=at_mix.astype(np.int32),
        layer=at_mix.astype(np.int32),
        message=np.array([row[2] for row in rows], dtype=np.int32),
        label=np.array([row[3] for row in rows], dtype=np.int32),
        genre=np.zeros(count, dtype=np.uint8),
        mixes=1,
        people=2,
    )
    return observe(trace)[0], trace


ROWS = [
    (0.0, Event.SEND, 0, 0),  # wire 0: honest, was inside before the target
    (0.0, Event.ARRIVE, 0, -1),
    (0.5, Event.DEPART, 0, -1),  # wire 1
    (1.0, Event.SEND, 1, 0),  # wire 2: the target
    (1.0, Event.ARRIVE, 1, -1),
    (1.1, Event.SEND, 2, 1),  # wire 3: the attacker's
    (1.1, Event.ARRIVE, 2, -1),
    (2.0, Event.DEPART, 2, -1),  # wire 4
    (2.0, Event.LOOP_SEND, 3, -1),  # wire 5
    (2.0, Event.DEPART, 1, -1),  # wire 6
    (3.0, Event.LOOP_SEND, 4, -1),  # wire 7
]


def test_guesses_among_what_leaves_first_that_is_not_its_own() -> None:
    seen, trace = trace_of(ROWS)
    rng = np.random.default_rng(1)
    guesses = [guess_exit(seen, 2, trace.message == 2, rng) for _ in range(400)]
    assert set(guesses) == {5, 6}
    assert guesses.count(6) == pytest.approx(200, abs=50)
    own_unknown = {guess_exit(seen, 2, trace.message == 99, rng) for _ in range(100)}
    assert own_unknown == {4, 5, 6}


def test_names_nobody_where_nothing_comes_out_and_refuses_a_target_that_never_came() -> None:
    seen, trace = trace_of(ROWS[:7])
    rng = np.random.default_rng(2)
    assert guess_exit(seen, 2, trace.message == 2, rng) == NOBODY
    with pytest.raises(ValueError, match="no mix"):
        guess_exit(seen, 1, trace.message == 2, rng)


def test_permuted_labels_bring_it_to_chance() -> None:
    """The exit that it names against one dealt out anew among all exits of its mix."""
    parameters = msgspec.structs.replace(QUICK, mix_loop_rate_per_second=1.0)
    rng = np.random.default_rng(3)
    right, dealt, chance = 0, 0, 0.0
    for number in range(80):
        trial = trial_of(parameters, SEED, number)
        guess = guess_exit(trial.seen, trial.target, trial.own, rng)
        leaves = (trial.seen.kind == Event.DEPART) & (trial.seen.mix == 0)
        exits = trial.seen.wire[leaves]
        right += guess == trial.exit
        dealt += guess == rng.choice(exits)
        chance += 1 / len(exits)
    assert right > 35
    assert dealt <= chance + 4 * math.sqrt(chance) + 1


def test_the_mix_is_empty_of_others_when_the_target_comes() -> None:
    for strategy in Strategy:
        parameters = msgspec.structs.replace(QUICK, strategy=strategy)
        trial = trial_of(parameters, SEED, 5)
        seen = trial.seen
        came = np.flatnonzero((seen.wire == trial.target) & (seen.kind == Event.ARRIVE))[0]
        at_mix = (seen.mix[:came] == 0) & ~trial.own[:came]
        arrived = np.count_nonzero(at_mix & (seen.kind[:came] == Event.ARRIVE))
        left = np.count_nonzero(at_mix & (seen.kind[:came] == Event.DEPART))
        assert arrived == left > 0


def test_same_seed_same_outcome() -> None:
    few = msgspec.structs.replace(QUICK, mix_loop_rate_per_second=2.0, trials=10)
    assert EXPERIMENT.run(few, SEED) == EXPERIMENT.run(few, SEED)


def test_refuses_a_topology_without_layers() -> None:
    with pytest.raises(UserError, match="topology"):
        EXPERIMENT.run(BlendingParameters(topology=Topology.FREE_ROUTE), SEED)
