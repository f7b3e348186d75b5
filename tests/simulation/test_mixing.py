"""The network under the strategies that a genesis can choose, the n-1 alarm of its mixes, and what
an observer sees of their own loops: the shipped cores in virtual time."""

import math
from collections import defaultdict
from functools import lru_cache

import msgspec
import numpy as np
import pytest

from experiments.simnet.node_machine import NodeMachine
from experiments.simnet.world import World, WorldPlan
from experiments.trace import Kind, Row
from hushmill.identifiers import NodeNumber
from hushmill.parameters import MixingName, Parameters, local_parameters
from pki import expected_loops_to_notice, fewest_allowed
from tests.simulation.people import introduce, texts_of, warm_up, write

TICK = 0.005
LAST_SECONDS = 40.0
LETTERS = ["one", "two", "three"]
BOTH = pytest.mark.parametrize("mixing", ["poisson", "timed_pool"])


def local(mixing: MixingName) -> Parameters:
    """Two layers, more loops and fewer packets of clients: little time shows much."""
    return msgspec.structs.replace(
        local_parameters("x25519", layers=2, mixing=mixing),
        mix_loop_rate=3.0,
        payload_rate=2.5,
        loop_rate=0.5,
        drop_rate=0.5,
    )


@lru_cache
def conversation(mixing: MixingName, mixes_a_layer: int) -> World:
    """Two people meet and write three letters each way; then they stay on for a while."""
    plan = WorldPlan(seed=11, parameters=local(mixing), mixes_a_layer=mixes_a_layer)
    world = World(plan)
    for node in world.nodes.values():
        node.packets_sent = []
    warm_up(world)
    alice, bob = world.clients
    introduce(world, alice, bob)
    for letter in LETTERS:
        assert write(world, alice, bob, letter)
        assert write(world, bob, alice, letter)
    assert world.run_until(lambda: texts_of(bob, alice) == texts_of(alice, bob) == LETTERS, 120)
    world.run_for(LAST_SECONDS)
    return world


def departures(world: World) -> dict[int, list[Row]]:
    """What each mix sent, in the order in which it did, at the end."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in world.rows:
        node = world.nodes[NodeNumber(row.at)]
        sends = not row.arriving and row.kind in (Kind.RELAY, Kind.OWN_LOOP)
        if sends and not node.is_provider and row.time > world.clock.now - LAST_SECONDS:
            found[row.at].append(row)
    return found


@pytest.mark.parametrize("mixes_a_layer", [2, 1])
def test_messages_cross_timed_pools_in_layers_and_in_a_cascade(mixes_a_layer: int) -> None:
    world = conversation("timed_pool", mixes_a_layer)
    interval = world.genesis.parameters.pool_interval_seconds
    sent = departures(world)
    assert len(sent) == 2 * mixes_a_layer
    phases = []
    for rows in sent.values():
        moments = sorted({row.time for row in rows})
        assert len(moments) > 0.9 * LAST_SECONDS / interval
        assert len(rows) > 2 * len(moments)
        offsets = [(moment - moments[0]) % interval for moment in moments]
        assert max(min(offset, interval - offset) for offset in offsets) <= TICK + 1e-6
        phases.append(moments[0] % interval)
    assert len({round(phase, 2) for phase in phases}) > 1
    late = sum(node.core.counters.loops_lost for node in mixes(world) if node.core is not None)
    assert late == 0


def auc(loops: list[float], relays: list[float]) -> float:
    """How far from a half the chance is that a loop's score is above a relay's, in standard errors
    (Mann and Whitney; equal scores count half)."""
    ordered = np.sort(np.array(relays))
    below = np.searchsorted(ordered, loops, side="left")
    upto = np.searchsorted(ordered, loops, side="right")
    area = float(np.mean(below + upto)) / (2 * len(relays))
    error = math.sqrt((len(loops) + len(relays) + 1) / (12 * len(loops) * len(relays)))
    return (area - 0.5) / error


@BOTH
def test_nothing_on_the_wire_tells_own_loops_from_relays(mixing: MixingName) -> None:
    """One size, and for each mix an area under the curve of a half, within 4.5 standard errors, for
    the next node, the time since the last departure and until the next, how many leave at that
    moment, and the place among them."""
    world = conversation(mixing, 2)
    sizes = {len(packet.raw) for node in world.nodes.values() for packet in node.packets_sent or ()}
    assert sizes == {world.packet_format.geometry.packet_bytes}
    for rows in departures(world).values():
        scores: dict[str, dict[Kind, list[float]]] = defaultdict(lambda: defaultdict(list))
        times = np.array([row.time for row in rows])
        moments, first, counts = np.unique(times, return_index=True, return_counts=True)
        nearest = min(row.peer for row in rows)
        for place, row in enumerate(rows):
            moment = int(np.searchsorted(moments, row.time))
            if not 0 < moment < len(moments) - 1:
                continue
            features = {
                "next node": float(row.peer == nearest),
                "since the last": moments[moment] - moments[moment - 1],
                "until the next": moments[moment + 1] - moments[moment],
                "together": float(counts[moment]),
                "place": (place - first[moment] + 0.5) / counts[moment],
            }
            for name, feature in features.items():
                scores[name][row.kind].append(float(feature))
        for name, by_kind in scores.items():
            loops, relays = by_kind[Kind.OWN_LOOP], by_kind[Kind.RELAY]
            assert len(loops) > 60
            assert len(relays) > 200
            assert abs(auc(loops, relays)) < 4.5, name


def test_the_classifier_sees_loops_that_leave_by_a_law_of_their_own() -> None:
    rng = np.random.default_rng(1)
    loops, relays = rng.exponential(0.8, 400).tolist(), rng.exponential(1.0, 1000).tolist()
    assert abs(auc(loops, relays)) < 9
    assert abs(auc((np.array(loops) * 0.7).tolist(), relays)) > 4.5


# -- the n-1 alarm


def mixes(world: World) -> list[NodeMachine]:
    return [node for node in world.nodes.values() if not node.is_provider]


def alarmed(world: World) -> set[str]:
    return {node.name for node in mixes(world) if node.core is not None and node.core.is_alarmed}


def test_every_mix_alarms_when_the_next_layer_drops_everything_and_sends_on_as_before() -> None:
    """Beside it a world of the same seed whose alarm has a window too long to fill: what crosses
    all links is the same."""
    world, mute = (
        World(
            WorldPlan(
                seed=12,
                clients=0,
                parameters=msgspec.structs.replace(local("poisson"), alarm_window_loops=window),
            )
        )
        for window in (20, 1000)
    )
    parameters = world.genesis.parameters
    second = [node.name for node in world.genesis.nodes if node.layer == 2]
    for each in (world, mute):
        each.run_for(55)
        assert alarmed(each) == set()
        for name in second:
            each.network.cut(name)
    cut_at = world.clock.now
    assert world.run_until(lambda: len(alarmed(world)) == len(mixes(world)), 120)
    seconds = world.clock.now - cut_at
    patience = 3 * parameters.delay_cap_seconds + 30
    comes_back = parameters.loop_return_probability
    fewest = fewest_allowed(parameters.alarm_window_loops, comes_back)
    loops = expected_loops_to_notice(parameters.alarm_window_loops, fewest, comes_back)
    # The last of four mixes: their loops are a Poisson process, and patience is looked at with it.
    assert patience < seconds < patience + 3 * loops / parameters.mix_loop_rate + 3
    mute.run_for(seconds)
    for each in (world, mute):
        for name in second:
            each.network.mend(name)
    fell = world.clock.now
    assert world.run_until(lambda: not alarmed(world), 120)
    mute.run_for(world.clock.now - fell)
    assert all(node.core.counters.loop_alarms for node in mixes(world) if node.core)
    assert [node.core.counters.loop_alarms for node in mixes(mute) if node.core] == [0] * 4
    assert world.network.trace_hash() == mute.network.trace_hash()
