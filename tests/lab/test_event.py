"""The event simulator against conservation, closed forms and the vectorised simulator."""

import importlib
import sys
from dataclasses import fields

import msgspec
import numpy as np
import pytest

from experiments.lab import compiled
from experiments.lab.adversaries.tracing import trace_targets
from experiments.lab.model import LinkLaw, Topology
from experiments.lab.sources import event
from experiments.lab.sources.event import Blockade, Silencing, Simulation, simulate
from experiments.lab.sources.event_loop import SIZE, WHOSE, Ending, drop_first, push
from experiments.lab.sources.event_model import EventParameters, Span
from experiments.lab.sources.strategies import Strategy
from experiments.lab.sources.vector import simulate as simulate_vector
from experiments.lab.sources.vector import trace_of
from experiments.lab.trace import Event, Genre, Trace, observe
from hushmill.errors import UserError

SPAN = Span(5.0, 10.0, 5.0)
EVERYTHING = EventParameters(
    rate_per_second=200.0,
    width=3,
    link_seconds=0.02,
    link_law=LinkLaw.EXPONENTIAL,
    loss=0.02,
    service_seconds=0.002,
    service_law=LinkLaw.EXPONENTIAL,
    queue_limit=3,
    payload_share=0.5,
    loop_share=0.25,
    drop_share=0.25,
    mix_loop_rate_per_second=2.0,
    restart_rate_per_second=0.02,
)


def seed(number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def changed(parameters: EventParameters, **values: object) -> EventParameters:
    return msgspec.structs.replace(parameters, **values)


def same(first: Trace, second: Trace) -> bool:
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name))
        for field in fields(Trace)
    )


@pytest.mark.parametrize("strategy", Strategy)
def test_same_seed_same_trace_and_another_seed_another(strategy: Strategy) -> None:
    parameters = changed(EVERYTHING, strategy=strategy, kept=2)
    given = seed(1)
    first, second = simulate(parameters, SPAN, given), simulate(parameters, SPAN, given)
    assert same(first.trace, second.trace)
    assert not same(first.trace, simulate(parameters, SPAN, seed(2)).trace)


def check_causes(run: Simulation, parameters: EventParameters) -> None:
    """Every event follows from the one before it of the same message."""
    trace = run.trace
    assert np.all(np.diff(trace.time) >= 0)
    order = np.argsort(trace.message, kind="stable")
    order = order[trace.message[order] >= 0]
    message, kind = trace.message[order], trace.kind[order].astype(int)
    first = np.r_[True, np.diff(message) != 0]
    assert set(kind[first]) <= {Event.SEND, Event.LOOP_SEND}
    allowed = {
        Event.SEND: {Event.ARRIVE, Event.DROP},
        Event.LOOP_SEND: {Event.ARRIVE, Event.DROP, Event.LOOP_END},
        Event.ARRIVE: {Event.DEPART},
        Event.DEPART: {Event.ARRIVE, Event.DROP, Event.DELIVER, Event.LOOP_END},
    }
    pairs = set(zip(kind[:-1][~first[1:]], kind[1:][~first[1:]], strict=True))
    assert all(after in allowed[Event(before)] for before, after in pairs)
    left_before = kind[:-1] == Event.ARRIVE
    same_packet = left_before & ~first[1:]
    assert np.array_equal(
        trace.mix[order][:-1][same_packet], trace.mix[order][1:][same_packet]
    )  # it departs where it arrived
    is_mix_loop = trace.genre[message] == Genre.MIX_LOOP
    assert np.all(is_mix_loop[np.isin(kind, [Event.LOOP_SEND, Event.LOOP_END])])
    assert not np.any(is_mix_loop[np.isin(kind, [Event.SEND, Event.DELIVER])])
    last = np.r_[first[1:], True]
    ended = dict(zip(message[last], kind[last], strict=True))
    nothing = -1  # a mix's loop that was still at home
    on_a_link = {Event.SEND, Event.DEPART, Event.LOOP_SEND}
    last_seen: dict[Ending, set[int] | set[Event]] = {
        Ending.ARRIVED: {Event.DELIVER, Event.LOOP_END},
        Ending.REFUSED: {Event.DROP},
        Ending.HELD: {Event.ARRIVE, nothing},
        Ending.FORGOTTEN: {Event.ARRIVE, nothing},
        Ending.LOST: on_a_link,
        Ending.UNDER_WAY: on_a_link,
        Ending.BLOCKED: on_a_link,
    }
    for packet, ending in enumerate(run.ending):
        assert ended.get(packet, nothing) in last_seen[Ending(ending)]


@pytest.mark.parametrize("topology", Topology)
@pytest.mark.parametrize("strategy", [Strategy.POISSON, Strategy.POOL])
def test_every_packet_is_accounted_for(topology: Topology, strategy: Strategy) -> None:
    parameters = changed(EVERYTHING, topology=topology, strategy=strategy, users=30, kept=2)
    blockade = Blockade(mix=1, start_seconds=8.0, end_seconds=12.0, share=0.5)
    run = simulate(parameters, SPAN, seed(3), attack=blockade)
    check_causes(run, parameters)
    assert {Ending.ARRIVED, Ending.LOST, Ending.FORGOTTEN, Ending.BLOCKED} <= set(run.ending)


@pytest.mark.parametrize("topology", Topology)
def test_routes_are_of_their_topology_for_people_and_mixes(topology: Topology) -> None:
    parameters = EventParameters(
        topology=topology,
        users=30,
        width=4,
        payload_share=0.5,
        loop_share=0.5,
        mix_loop_rate_per_second=1.0,
    )
    trace = simulate(parameters, SPAN, seed(4)).trace
    whole = np.bincount(trace.message, minlength=trace.messages)
    arrivals = trace.kind == Event.ARRIVE
    for message in np.flatnonzero(whole >= 6)[:400]:
        own = trace.message == message
        route = trace.mix[own & arrivals]
        layer = trace.layer[own & arrivals]
        if trace.genre[message] == Genre.MIX_LOOP:
            begun = own & (trace.kind == Event.LOOP_SEND)
            (home,), (own_layer,) = trace.mix[begun], trace.layer[begun]
            assert trace.mix[own & (trace.kind == Event.LOOP_END)] in ([home], [])
            route, layer = np.r_[home, route], np.r_[own_layer, layer]
        elif (end := own & (trace.kind == Event.DELIVER)).any():
            (sender,) = trace.label[own & (trace.kind == Event.SEND)]
            if trace.genre[message] == Genre.LOOP:
                assert trace.label[end] == [sender]
            if topology is Topology.PEER_TO_PEER:
                assert sender not in route
        assert len(set(route)) == len(route) <= 3
        if topology in (Topology.STRATIFIED, Topology.CASCADES):
            assert np.array_equal(route // 4, layer)
            assert np.array_equal(layer, (layer[0] + np.arange(len(layer))) % 3)
        if topology is Topology.CASCADES:
            assert len(set(route % 4)) == 1


def test_weights_draw_places() -> None:
    parameters = EventParameters(width=2, weights=(1.0, 3.0), rate_per_second=1000.0)
    trace = simulate(parameters, SPAN, seed(5)).trace
    at = trace.mix[(trace.kind == Event.ARRIVE) & (trace.layer == 1)]
    assert np.mean(at == 3) == pytest.approx(0.75, abs=0.01)


def test_loss_leaves_what_survives_every_link() -> None:
    parameters = EventParameters(rate_per_second=2000.0, loss=0.1, mean_delay_seconds=0.1)
    run = simulate(parameters, Span(0.0, 10.0, 5.0), seed(6))
    sent = run.payload_between(0.0, 10.0)
    share = np.mean(run.ending[sent] == Ending.ARRIVED)
    assert share == pytest.approx(0.9**4, abs=4 * np.sqrt(0.65 * 0.35 / sent.sum()))
    assert set(run.ending[sent]) == {Ending.ARRIVED, Ending.LOST}


@pytest.mark.parametrize(("law", "halves"), [(LinkLaw.EXPONENTIAL, 2), (LinkLaw.FIXED, 1)])
def test_queues_wait_as_long_as_closed_forms_say(law: LinkLaw, halves: int) -> None:
    """Mean wait of M/M/1 is load·service/(1 - load); of M/D/1 half of that. Mixes hold for almost
    no time here, so what is left of the stay is wait and service."""
    parameters = EventParameters(
        layers=1,
        width=1,
        rate_per_second=600.0,
        mean_delay_seconds=1e-9,
        service_seconds=0.001,
        service_law=law,
    )
    run = simulate(parameters, Span(5.0, 290.0, 5.0), seed(7))
    stay = np.mean((run.ended - run.begun)[run.payload_between(5.0, 295.0)])
    wait = 0.6 * 0.001 / 0.4 * halves / 2
    assert stay - 0.001 == pytest.approx(wait, rel=0.04)


def test_a_full_queue_refuses() -> None:
    """M/M/1 with room for 3 waiting and 1 served at load 1: each of 5 states as likely."""
    parameters = EventParameters(
        layers=1,
        width=1,
        rate_per_second=1000.0,
        mean_delay_seconds=1e-9,
        service_seconds=0.001,
        service_law=LinkLaw.EXPONENTIAL,
        queue_limit=3,
    )
    run = simulate(parameters, Span(0.0, 60.0, 1.0), seed(8))
    refused = np.mean(run.ending == Ending.REFUSED)
    assert refused == pytest.approx(0.2, abs=0.006)
    assert np.sum(run.trace.kind == Event.DROP) == np.sum(run.ending == Ending.REFUSED)


def test_a_restart_loses_what_was_held_and_nothing_later() -> None:
    parameters = EventParameters(
        layers=1, width=1, rate_per_second=100.0, restart_rate_per_second=0.1
    )
    run = simulate(parameters, Span(0.0, 600.0, 10.0), seed(9))
    trace = run.trace
    restarts = trace.time[trace.kind == Event.RESTART]
    # Little: 50 are held, less what was not refilled since the restart before, of exponential age.
    forgotten = np.sum(run.ending == Ending.FORGOTTEN) / len(restarts)
    assert forgotten == pytest.approx(50 * (1 - 0.1 / (0.1 + 2)), rel=0.12)
    arrived = run.ending == Ending.ARRIVED
    passed = np.searchsorted(restarts, run.begun) != np.searchsorted(restarts, run.ended)
    assert not np.any(passed[arrived])


def test_shares_and_mix_loops_come_at_their_rates() -> None:
    parameters = EventParameters(
        rate_per_second=1000.0,
        payload_share=0.6,
        loop_share=0.3,
        drop_share=0.1,
        mix_loop_rate_per_second=5.0,
    )
    genre = simulate(parameters, Span(0.0, 40.0, 10.0), seed(10)).trace.genre
    counts = np.bincount(genre, minlength=5)
    expected = np.array([30_000, 15_000, 5_000, 5.0 * 30 * 50, 0])
    assert np.all(np.abs(counts - expected) <= 5 * np.sqrt(expected))


def test_blocks_one_mix_for_its_time_only() -> None:
    parameters = EventParameters(rate_per_second=500.0, width=2, link_seconds=0.01)
    trace = simulate(parameters, SPAN, seed(11), attack=Blockade(0, 8.0, 12.0, 1.0)).trace
    at = trace.time[(trace.kind == Event.ARRIVE) & (trace.mix == 0)]
    assert not np.any((at >= 8.0) & (at < 12.0))
    assert np.sum((at >= 4.0) & (at < 8.0)) == pytest.approx(1000, rel=0.15)
    assert np.sum((at >= 12.0) & (at < 16.0)) == pytest.approx(1000, rel=0.15)


def test_silences_one_person_for_a_share_of_their_packets() -> None:
    parameters = EventParameters(rate_per_second=500.0, users=5)
    run = simulate(parameters, SPAN, seed(14), attack=Silencing(2, 8.0, 12.0, 0.5))
    sends = run.trace.kind == Event.SEND
    sender = run.trace.label[sends][np.argsort(run.trace.message[sends])]
    silenced = run.ending == Ending.BLOCKED
    aimed_at = (sender == 2) & (run.begun >= 8.0) & (run.begun < 12.0)
    assert not np.any(silenced & ~aimed_at)
    assert np.mean(silenced[aimed_at]) == pytest.approx(0.5, abs=0.1)


def test_what_is_due_at_one_moment_comes_in_the_order_of_cause() -> None:
    rng = np.random.default_rng(15)
    time, item, counters = np.empty(500), np.empty((500, 3), dtype=np.int64), np.zeros(2, np.int64)
    inside: list[tuple[float, int]] = []
    for step in range(2000):
        if counters[SIZE] == 0 or (rng.random() < 0.55 and counters[SIZE] < 500):
            due = float(rng.integers(10))
            push(time, item, counters, due, 0, step)
            inside.append((due, step))
        else:
            earliest = min(inside)
            inside.remove(earliest)
            assert (time[0], item[0, WHOSE]) == earliest
            drop_first(time, item, counters)


def test_agrees_with_the_vectorised_simulator_in_entropy_and_latency() -> None:
    parameters = EventParameters(rate_per_second=100.0, width=2, mean_delay_seconds=0.2)
    found = np.empty((2, 10))
    latency = np.empty((2, 10))
    for replicate in range(10):
        run = simulate(parameters, Span(5.0, 20.0, 6.0), seed(100 + replicate))
        flows = simulate_vector(parameters, 3100, np.random.default_rng(200 + replicate))
        for place, trace in enumerate((run.trace, trace_of(flows))):
            _, ends = observe(trace)
            targets = np.flatnonzero((ends.sent >= 0) & (ends.delivered >= 0))[700:2300:8]
            observation, ends = observe(trace)
            traced = trace_targets(observation, ends.sent[targets], ends.delivered[targets])
            assert traced.mass.min() >= 1 - 1e-6
            found[place, replicate] = traced.entropy_bits.mean()
        latency[0, replicate] = np.nanmean(run.ended - run.begun)
        latency[1, replicate] = np.mean(flows.latency_seconds)
    for both in (found, latency):
        difference = both[0] - both[1]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        assert abs(difference.mean()) <= 4 * error
        assert error <= 0.02


def test_runs_the_same_without_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = changed(EVERYTHING, strategy=Strategy.BINOMIAL)
    short = Span(0.0, 1.0, 1.0)
    quick = [simulate(changed(parameters, strategy=s), short, seed(12)).trace for s in Strategy]
    monkeypatch.setattr(compiled, "numba", None)
    package = sys.modules["experiments.lab.sources"]
    for name in ("strategies", "event_model", "event_loop", "event_traffic", "event"):
        monkeypatch.setattr(package, name, getattr(package, name))
        monkeypatch.delitem(sys.modules, f"experiments.lab.sources.{name}")
    plain = importlib.import_module("experiments.lab.sources.event")
    assert plain is not event
    for strategy, expected in zip(Strategy, quick, strict=True):
        run = plain.simulate(changed(parameters, strategy=strategy), short, seed(12))
        assert same(run.trace, expected)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"payload_share": 0.5}, "payload_share"),
        ({"rate_per_second": 1e9}, "rate_per_second"),
        ({"strategy": Strategy.TIMED, "period_seconds": 1e-9}, "period_seconds"),
        ({"restart_rate_per_second": 1e6}, "restart_rate_per_second"),
        ({"weights": (1.0,)}, "weights"),
        ({"topology": Topology.PEER_TO_PEER, "users": 3}, "users"),
    ],
)
def test_refuses_contradictions_by_name(values: dict[str, object], key: str) -> None:
    with pytest.raises(UserError, match=key):
        simulate(changed(EventParameters(), **values), SPAN, seed(13))
