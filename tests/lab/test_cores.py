"""The shipped cores as a source: whole traces of a settled network, the same for the same seed."""

from functools import lru_cache

import msgspec
import numpy as np
import pytest

from experiments.lab.adversaries.tracing import trace_targets
from experiments.lab.observer import Window, doubts_of, one_a_layer
from experiments.lab.outcome import Quality
from experiments.lab.sources.cause import cause_fault
from experiments.lab.sources.cores import CoresParameters, CoresRun, run_cores, warm_up
from experiments.lab.studies.cores import EXPERIMENT, CoresStudyParameters
from experiments.lab.studies.recorded import measures_of
from experiments.lab.trace import NOBODY, Event, Genre, Observation, observe, permuted
from experiments.simnet.world import World, WorldPlan
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import Parameters
from tests.lab.network_runs import CLIENT_RATES, SECONDS, cores_run

SMALL = CoresParameters(clients=1, seconds=2.0, mean_delay_seconds=0.1)
WRITING = CoresStudyParameters(clients=2, seconds=8.0, letters_per_minute=60.0)


def seed(number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


@lru_cache
def small_run(number: int) -> CoresRun:
    return run_cores(SMALL, seed(number))


def test_a_run_is_whole_and_in_the_order_of_cause() -> None:
    run = cores_run(1)
    trace = run.trace
    assert cause_fault(trace) is None
    assert run.last - run.first == pytest.approx(SECONDS)
    begun = set(trace.message[trace.kind == Event.SEND].tolist())
    assert begun == set(trace.message[trace.message != NOBODY].tolist())
    is_inside = (trace.time >= run.first) & (trace.time <= run.last)
    assert not (is_inside & (trace.kind == Event.DROP)).any()
    sent = trace.message[is_inside & (trace.kind == Event.SEND)]
    assert set(sent.tolist()) <= set(trace.message[trace.kind == Event.DELIVER].tolist())
    assert len(sent) > 0.8 * 2 * sum(CLIENT_RATES) * SECONDS


def test_the_same_seed_is_the_same_trace_and_another_is_not() -> None:
    first, second = small_run(6), run_cores(SMALL, seed(6))
    for column in ("time", "kind", "mix", "layer", "message", "label", "genre"):
        ours, theirs = getattr(first.trace, column), getattr(second.trace, column)
        assert ours.tobytes() == theirs.tobytes(), column
    assert (first.first, first.last) == (second.first, second.last)
    assert small_run(7).trace.time.tobytes() != first.trace.time.tobytes()


def test_warms_up_until_nodes_know_each_other_not_only_clients() -> None:
    """With hours for epochs clients have a document long before the last node."""
    parameters = Parameters(suite="x25519", payload_rate=20.0, mix_loop_rate=0.0)
    world = World(WorldPlan(seed=7, clients=1, parameters=parameters))
    warm_up(world)
    assert all(node.has_consensus for node in world.nodes.values())


def test_what_a_node_refuses_does_not_stay_in_its_pool() -> None:
    """At the start nodes refuse loops of mixes that they do not know yet."""
    trace = small_run(6).trace
    assert (trace.kind == Event.DROP).any()
    settled = trace.time[-1] - 10 * SMALL.layers * SMALL.mean_delay_seconds
    arrived = trace.message[(trace.kind == Event.ARRIVE) & (trace.time < settled)]
    assert set(arrived.tolist()) <= set(trace.message[trace.kind == Event.DEPART].tolist())


def values_of(parameters: CoresStudyParameters) -> dict[str, float]:
    outcome = EXPERIMENT.run(parameters, seed(3))
    return {name: measure.value for name, measure in outcome.measures.items()}


def test_without_cover_there_is_less_to_hide_among() -> None:
    run = run_cores(WRITING, seed(3))
    window = Window(run.first, run.last)
    doubts = doubts_of(run.trace, window, deliveries=window)
    measures = measures_of(run.trace, window, doubts)
    covered = {name: measure.value for name, measure in measures.items()}
    carried = int((run.trace.genre == Genre.PAYLOAD).sum())
    assert 10 < carried < 0.5 * run.trace.messages
    bare = values_of(msgspec.structs.replace(WRITING, cover=False))
    assert bare["rate_per_second"] < 0.6 * covered["rate_per_second"]
    assert bare["entropy_bits"] < covered["entropy_bits"] - 0.5
    assert bare["sender_entropy_bits"] < covered["sender_entropy_bits"]
    assert covered["sender_entropy_bits"] <= covered["sender_max_bits"] == 1.0


def test_one_person_has_nobody_to_hide_among() -> None:
    outcome = EXPERIMENT.run(CoresStudyParameters(clients=1, seconds=5.0), seed(3))
    measures = outcome.measures
    assert measures["sender_entropy_bits"].value == measures["sender_max_bits"].value == 0.0
    assert measures["entropy_bits"].value > 1.0
    assert measures["entropy_bits"].quality is Quality.APPROXIMATE
    assert measures["latency_mean_seconds"].quality is Quality.EXACT


def test_a_network_of_corrupt_mixes_hides_nothing() -> None:
    run = cores_run(1)
    window = Window(run.first, run.last)
    for corrupt, is_all in ((1, False), (2, True)):
        doubts = doubts_of(run.trace, window, one_a_layer(run.trace, corrupt))
        assert (doubts.packet.entropy_bits == doubts.sender.entropy_bits == 0.0) is is_all
        assert (doubts.packet.best_guess_right == doubts.packet.truth_probability == 1.0) is is_all


def test_with_its_labels_dealt_out_anew_the_truth_is_no_likelier_than_chance() -> None:
    run = cores_run(1)
    observation, ends = observe(run.trace)
    begun = [NOBODY if at < 0 else run.trace.time[sent_at(observation, at)] for at in ends.sent]
    chosen = np.flatnonzero((np.array(begun) >= run.first) & (np.array(begun) <= run.last))
    dealt = permuted(ends, np.random.default_rng(1))
    true, other = (
        trace_targets(observation, ends.sent[chosen], truth.delivered[chosen]).truth_probability
        for truth in (ends, dealt)
    )
    deliveries = int((run.trace.kind == Event.DELIVER).sum())
    assert true.mean() > 10 / deliveries
    assert other.mean() < 3 / deliveries


def sent_at(observation: Observation, wire: int) -> int:
    """The event at which a packet was put on `wire`."""
    return int(np.flatnonzero(observation.wire == wire)[0])


def test_it_is_known_what_packets_were_for() -> None:
    """Nobody writes: loops at their rate, and drop cover in the slots for words."""
    genre = cores_run(1).trace.genre
    payload, loop, drop = CLIENT_RATES
    assert set(genre.tolist()) == {Genre.LOOP, Genre.DROP_COVER}
    assert (genre == Genre.LOOP).mean() == pytest.approx(loop / (payload + loop + drop), abs=0.03)


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        (CoresStudyParameters(cover=False), "cover"),
        (CoresStudyParameters(clients=1, letters_per_minute=1.0), "letters_per_minute"),
        (CoresStudyParameters(corrupt_per_layer=3), "corrupt_per_layer"),
    ],
)
def test_contradictions_name_the_key(parameters: CoresStudyParameters, key: str) -> None:
    with pytest.raises(UserError, match=f"^{key}: ") as refused:
        EXPERIMENT.run(parameters, seed(0))
    assert refused.value.exit_code is ExitCode.USAGE
