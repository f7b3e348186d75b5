"""The predecessor attack: what corrupt mixes log, by hand and against the closed form."""

import numpy as np
import pytest

from experiments.lab.adversaries.coalition import corrupt_in_layers
from experiments.lab.adversaries.predecessor import PredecessorLog, log_predecessors
from experiments.lab.model import NetworkParameters, Topology
from experiments.lab.sources.vector import simulate, trace_of
from experiments.lab.studies.predecessor import (
    EXPERIMENT,
    PredecessorParameters,
    with_writer,
)
from experiments.lab.trace import NOBODY, Event, Trace, observe, permuted
from hushmill.errors import UserError

SEND, ARRIVE, DEPART, DELIVER = Event.SEND, Event.ARRIVE, Event.DEPART, Event.DELIVER
QUICK = PredecessorParameters(width=2, users=20, messages=100, mean_delay_seconds=0.1)


def seeds(count: int) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(13).spawn(count)


def trace_by_hand(
    rows: list[tuple[float, Event, int, int, int, int]], mixes: int, people: int
) -> Trace:
    """From rows of time, kind, mix, layer, message, label."""
    time, kind, mix, layer, message, label = zip(*rows, strict=True)
    return Trace(
        time=np.array(time, dtype=np.float64),
        kind=np.array(kind, dtype=np.uint8),
        mix=np.array(mix, dtype=np.int32),
        layer=np.array(layer, dtype=np.int32),
        message=np.array(message, dtype=np.int32),
        label=np.array(label, dtype=np.int32),
        genre=np.zeros(max(message) + 1, dtype=np.uint8),
        mixes=mixes,
        people=people,
    )


def two_senders(gap: float) -> Trace:
    """Two packets, of people 1 and 2, enter mix 0, `gap` apart, then mix 1, then mix 2; the second
    goes to person 0 and the first to person 3."""
    rows = [
        (0.0, SEND, -1, -1, 0, 1),
        (0.0, ARRIVE, 0, 0, 0, -1),
        (gap, SEND, -1, -1, 1, 2),
        (gap, ARRIVE, 0, 0, 1, -1),
    ]
    for time, mix, message in ((2.0, 0, 0), (3.0, 0, 1), (4.0, 1, 0), (5.0, 1, 1)):
        rows += [
            (time, DEPART, mix, mix, message, -1),
            (time, ARRIVE, mix + 1, mix + 1, message, -1),
        ]
    for time, message, label in ((6.0, 0, 3), (7.0, 1, 0)):
        rows += [
            (time, DEPART, 2, 2, message, -1),
            (time, DELIVER, -1, -1, message, label),
        ]
    return trace_by_hand(rows, mixes=3, people=4)


def test_a_wholly_corrupt_route_gives_the_sender_for_certain() -> None:
    corrupt = np.array([True, True, True])
    seen, _ = observe(two_senders(0.5), corrupt)
    log = log_predecessors(seen, corrupt, 0, 1.0)
    assert log.suspicion.tolist() == [[0, 0, 1, 0]]
    assert log.is_certain.tolist() == [True]


def test_first_and_last_mix_weigh_senders_by_the_middle_delay() -> None:
    corrupt = np.array([True, False, True])
    seen, _ = observe(two_senders(0.5), corrupt)
    log = log_predecessors(seen, corrupt, 0, 1.0)
    # Into mix 1 at 2 and 3, out of it at 5: e^-3 against e^-2.
    assert log.suspicion[0] == pytest.approx(
        [0, np.exp(-3), np.exp(-2), 0] / (np.exp(-3) + np.exp(-2))
    )
    assert log.is_certain.tolist() == [False]


@pytest.mark.parametrize("corrupt", [[False, True, True], [True, True, False], [False] * 3])
def test_without_both_ends_nothing_is_logged(corrupt: list[bool]) -> None:
    flags = np.array(corrupt)
    seen, _ = observe(two_senders(0.5), flags)
    log = log_predecessors(seen, flags, 0, 1.0)
    assert log.suspicion.sum() == 0
    assert log.leaders.tolist() == [NOBODY]


def test_nobody_leads_while_two_are_level() -> None:
    suspicion = np.array([[0, 0, 0], [0.5, 0, 0.5], [0, 0, 1]])
    log = PredecessorLog(suspicion, np.zeros(3, dtype=np.bool_))
    assert log.leaders.tolist() == [NOBODY, NOBODY, 2]


def test_routes_are_compromised_as_often_as_the_closed_form_says() -> None:
    runs = [EXPERIMENT.run(QUICK, seed).measures for seed in seeds(12)]
    messages = sum(one["messages"].value for one in runs)
    certain = sum(one["messages"].value * one["paths_compromised"].value for one in runs)
    error = np.sqrt(0.125 * 0.875 / messages)
    assert abs(certain / messages - 0.125) < 4 * error
    assert runs[0]["closed_form_compromised"].value == 0.125


def test_the_writer_leads_in_the_end_and_a_permuted_one_only_by_chance() -> None:
    parameters = PredecessorParameters(width=3, users=20, mean_delay_seconds=0.1)
    as_true, as_dealt = 0, 0
    for seed in seeds(15):
        rng = np.random.default_rng(seed)
        writer = int(rng.integers(1, 20))
        trace = trace_of(with_writer(simulate(parameters, 3000, rng), writer))
        corrupt = corrupt_in_layers(parameters, 1, rng)
        seen, ends = observe(trace, corrupt)
        leader = log_predecessors(seen, corrupt, 0, 0.1).leaders[-1]
        dealt = permuted(ends, rng)
        as_true += leader in set(ends.sender[ends.receiver == 0].tolist())
        as_dealt += leader == dealt.sender[dealt.receiver == 0][0]
    assert as_true >= 12
    assert as_dealt <= 4  # one in twenty by chance


def test_timing_tells_more_than_certainty_alone() -> None:
    runs = [EXPERIMENT.run(PredecessorParameters(messages=150), seed) for seed in seeds(12)]
    by_time = np.mean([one.measures["messages_to_lead"].value for one in runs])
    for_certain = np.mean([one.measures["messages_to_certainty"].value for one in runs])
    assert by_time < for_certain


def test_no_corrupt_mix_learns_nothing() -> None:
    honest = PredecessorParameters(corrupt_per_layer=0, messages=20)
    outcome = EXPERIMENT.run(honest, seeds(1)[0])
    assert outcome.measures["leads_at_end"].value == 0
    assert sum(outcome.targets["writer_suspicion"]) == 0


def test_so_many_of_each_layer_are_corrupt() -> None:
    network = NetworkParameters(layers=3, width=5)
    flags = corrupt_in_layers(network, 2, np.random.default_rng(1))
    assert flags.reshape(3, 5).sum(axis=1).tolist() == [2, 2, 2]
    with pytest.raises(UserError, match=r"^corrupt_per_layer:"):
        corrupt_in_layers(network, 6, np.random.default_rng(1))
    free = NetworkParameters(topology=Topology.FREE_ROUTE)
    with pytest.raises(UserError, match=r"^corrupt_per_layer:"):
        corrupt_in_layers(free, 1, np.random.default_rng(1))
