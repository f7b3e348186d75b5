"""The vectorised simulator: its laws, its routes, and the order of its events."""

from typing import Any

import numpy as np
import pytest

from experiments.lab.model import DelayLaw, LinkLaw, NetworkParameters, Topology
from experiments.lab.sources.vector import (
    Flows,
    settled_messages,
    settling_seconds,
    simulate,
    trace_of,
)
from experiments.lab.trace import Event, Trace
from hushmill.errors import ExitCode, UserError

MESSAGES = 20_000


def flows_of(messages: int = MESSAGES, seed: int = 1, **keys: Any) -> Flows:
    return simulate(NetworkParameters(**keys), messages, np.random.default_rng(seed))


def trace_as_sorted(flows: Flows) -> list[tuple[float, int, int]]:
    """Time, message and step of every event, by Python's own stable sort."""
    events = []
    for message in range(len(flows.sent)):
        held = zip(flows.arrived[message], flows.departed[message], strict=True)
        times = [flows.sent[message], *(time for pair in held for time in pair)]
        times.append(flows.delivered[message])
        events += [(float(time), message, step) for step, time in enumerate(times)]
    return sorted(events, key=lambda event: event[0])


def assert_in_order(trace: Trace, flows: Flows) -> None:
    expected = trace_as_sorted(flows)
    assert trace.time.tolist() == [time for time, _, _ in expected]
    assert trace.message.tolist() == [message for _, message, _ in expected]
    layers = flows.mixes.shape[1]
    for event, (_, message, step) in enumerate(expected):
        kind, layer = Event(int(trace.kind[event])), int(trace.layer[event])
        if step == 0:
            assert (kind, layer) == (Event.SEND, -1)
            assert trace.label[event] == flows.senders[message]
        elif step == 2 * layers + 1:
            assert (kind, layer) == (Event.DELIVER, -1)
            assert trace.label[event] == flows.receivers[message]
        else:
            assert kind == (Event.ARRIVE if step % 2 else Event.DEPART)
            assert layer == (step - 1) // 2
            assert trace.mix[event] == flows.mixes[message, layer]


@pytest.mark.parametrize("link_seconds", [0.0, 0.2])
def test_events_stand_in_the_order_of_time_and_of_cause(link_seconds: float) -> None:
    flows = flows_of(300, link_seconds=link_seconds)
    assert_in_order(trace_of(flows), flows)


def test_a_crowd_at_one_instant_is_ordered_too() -> None:
    flows = flows_of(300, rate_per_second=1e9, delay_law=DelayLaw.CONSTANT)
    assert_in_order(trace_of(flows), flows)


def test_a_packet_comes_in_at_the_next_mix_after_it_left_the_last_at_the_same_instant() -> None:
    trace = trace_of(flows_of(50))
    for message in range(50):
        mine = np.flatnonzero(trace.message == message)
        assert trace.kind[mine].tolist() == [0, *[1, 2] * 3, 3]
        assert trace.time[mine[2]] == trace.time[mine[3]]


def test_everybody_sends_as_one_poisson_process() -> None:
    flows = flows_of(rate_per_second=250.0)
    gaps = np.diff(flows.sent) * 250.0
    assert gaps.mean() == pytest.approx(1.0, abs=0.03)
    assert gaps.std() == pytest.approx(1.0, abs=0.04)
    for people in (flows.senders, flows.receivers):
        assert np.bincount(people, minlength=100).std() == pytest.approx(200**0.5, rel=0.25)


@pytest.mark.parametrize(
    ("law", "deviation"),
    [
        (DelayLaw.EXPONENTIAL, 1.0),
        (DelayLaw.CONSTANT, 0.0),
        (DelayLaw.UNIFORM, 3**-0.5),
        (DelayLaw.GAMMA, 2**-0.5),
    ],
)
def test_delays_follow_their_law(law: DelayLaw, deviation: float) -> None:
    flows = flows_of(delay_law=law)
    delays = flows.departed - flows.arrived
    assert delays.mean() == pytest.approx(0.5, rel=0.02)
    assert delays.std() == pytest.approx(0.5 * deviation, rel=0.03, abs=1e-9)


def test_links_follow_their_law() -> None:
    fixed = flows_of(link_seconds=0.3)
    assert np.allclose(fixed.arrived[:, 0] - fixed.sent, 0.3)
    assert np.allclose(fixed.delivered - fixed.departed[:, -1], 0.3)
    random = flows_of(link_seconds=0.3, link_law=LinkLaw.EXPONENTIAL)
    latency = random.arrived[:, 1] - random.departed[:, 0]
    assert latency.mean() == pytest.approx(0.3, rel=0.03)
    assert latency.std() == pytest.approx(0.3, rel=0.04)


def test_stratified_routes_take_any_mix_of_each_layer() -> None:
    mixes = flows_of(width=4).mixes
    for layer in range(3):
        shares = np.bincount(mixes[:, layer], minlength=12) / MESSAGES
        assert shares[4 * layer : 4 * layer + 4] == pytest.approx([0.25] * 4, abs=0.02)
    together = np.mean(mixes[:, 0] % 4 == mixes[:, 1] % 4)
    assert together == pytest.approx(0.25, abs=0.02)


def test_a_cascade_keeps_its_packets() -> None:
    mixes = flows_of(width=4, topology=Topology.CASCADES).mixes
    assert np.all(mixes - mixes[:, :1] == [0, 4, 8])


@pytest.mark.parametrize("topology", [Topology.STRATIFIED, Topology.CASCADES])
def test_weights_are_the_shares_of_places(topology: Topology) -> None:
    mixes = flows_of(width=3, weights=(1.0, 2.0, 5.0), topology=topology).mixes
    for layer in range(3):
        shares = np.bincount(mixes[:, layer] - 3 * layer, minlength=3) / MESSAGES
        assert shares == pytest.approx([0.125, 0.25, 0.625], abs=0.015)


def test_a_free_route_takes_no_mix_twice_and_every_order_alike() -> None:
    mixes = flows_of(60_000, layers=2, width=2, topology=Topology.FREE_ROUTE).mixes
    pairs = np.bincount(mixes[:, 0] * 4 + mixes[:, 1], minlength=16).reshape(4, 4) / 60_000
    assert np.all(np.diag(pairs) == 0)
    assert pairs[~np.eye(4, dtype=bool)] == pytest.approx([1 / 12] * 12, abs=0.006)


def test_peers_take_other_peoples_mixes() -> None:
    flows = flows_of(users=5, topology=Topology.PEER_TO_PEER)
    assert not np.any(flows.mixes == flows.senders[:, np.newaxis])
    assert all(len(set(route)) == 3 for route in flows.mixes[:200].tolist())
    shares = np.bincount(flows.mixes.reshape(-1), minlength=5) / (3 * MESSAGES)
    assert shares == pytest.approx([0.2] * 5, abs=0.01)


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, same, other = (trace_of(flows_of(500, seed=seed)) for seed in (7, 7, 8))
    assert first.time.tobytes() == same.time.tobytes()
    assert first.mix.tobytes() == same.mix.tobytes()
    assert first.time.tobytes() != other.time.tobytes()


@pytest.mark.parametrize("law", list(DelayLaw))
@pytest.mark.parametrize("link_law", list(LinkLaw))
def test_nearly_all_is_delivered_once_it_is_settled(law: DelayLaw, link_law: LinkLaw) -> None:
    keys: dict[str, Any] = {"delay_law": law, "link_law": link_law, "link_seconds": 0.2}
    settled = settling_seconds(NetworkParameters(**keys))
    latency = flows_of(100_000, **keys).latency_seconds
    assert latency.max() < settled + 1e-9
    assert latency.max() > 0.4 * settled  # and it is not a bound that says nothing


def test_a_settled_mix_holds_what_littles_law_says() -> None:
    parameters = NetworkParameters(layers=2, width=1)
    margin = settled_messages(parameters)
    flows = flows_of(margin + 20_000, layers=2, width=1)
    at = np.linspace(flows.sent[margin], flows.sent[-1], 200)
    for layer in range(2):
        held = [
            np.count_nonzero((flows.arrived[:, layer] <= t) & (t < flows.departed[:, layer]))
            for t in at
        ]
        assert np.mean(held) == pytest.approx(50.0, rel=0.04)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"weights": (1.0, 2.0)}, "`weights`"),
        ({"weights": (1.0,) * 10, "topology": Topology.FREE_ROUTE}, "`weights`"),
        ({"users": 3, "topology": Topology.PEER_TO_PEER}, "`users`"),
        ({"messages": 0}, "`messages`"),
        ({"messages": 2**30}, "`messages`"),
    ],
)
def test_parameters_that_cannot_be_are_named(keys: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        flows_of(**keys)
    assert caught.value.exit_code is ExitCode.USAGE
