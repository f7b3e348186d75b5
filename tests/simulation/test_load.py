"""The load that mixes measure reaches every client's `status`, through the shipped cores, and falls
when people leave or stop their cover."""

from collections import Counter

import msgspec

from experiments.simnet.world import START, World, WorldPlan
from hushmill.identifiers import NodeNumber
from hushmill.parameters import local_parameters
from pki import NetworkAnonymity, anonymity_at
from tests.simulation.people import warm_up

EPOCH = 12.0
PARAMETERS = msgspec.structs.replace(
    local_parameters("x25519", layers=2), epoch_seconds=12, skew_seconds=1, delay_mean_seconds=0.1
)


def figures_of(world: World) -> NetworkAnonymity | None:
    return world.clients[0].messenger.status(world.clock.now).anonymity


def relayed_in_the_second_epoch(world: World) -> list[Counter[int]]:
    """Of each layer: what each mix sent, as an observer of links counts it."""
    layers: list[Counter[int]] = [Counter() for _ in range(world.genesis.parameters.layers)]
    for row in world.rows:
        node = world.genesis.node(NodeNumber(row.at))
        is_mix = node is not None and node.role == "mix"
        if is_mix and not row.arriving and START + EPOCH <= row.time < START + 2 * EPOCH:
            assert node is not None
            layers[node.layer - 1][row.at] += 1
    return layers


def lived(clients: int, cover: bool = True) -> World:
    """Until the documents carry the loads of the second epoch, the first that was whole."""
    world = World(WorldPlan(seed=5, clients=clients, cover=cover, parameters=PARAMETERS))
    warm_up(world)
    assert figures_of(world) is None
    world.run_for(START + 3.4 * EPOCH - world.clock.now)
    return world


def test_the_measured_load_reaches_every_client_and_is_what_an_observer_counts() -> None:
    world = lived(clients=5)
    figures = figures_of(world)
    assert figures is not None
    coarse = [
        sum(1 << (int(count / EPOCH).bit_length() - 1) for count in layer.values())
        for layer in relayed_in_the_second_epoch(world)
    ]
    assert figures.load_packets_per_second == min(coarse)
    assert figures == anonymity_at(min(coarse), [2, 2], world.genesis.parameters)
    assert 2 <= figures.clients_estimated <= 5
    assert figures.sender_bits > 0.5
    assert world.clients[4].messenger.status(world.clock.now).anonymity == figures


def test_one_person_or_no_cover_leaves_nothing() -> None:
    for clients, cover in ((1, True), (5, False)):
        figures = figures_of(lived(clients, cover))
        assert figures is None or (figures.packet_bits, figures.sender_bits) == (0, 0)


def test_a_mix_that_restarted_says_nothing_of_the_epoch_it_missed() -> None:
    world = World(WorldPlan(seed=5, clients=5, parameters=PARAMETERS))
    warm_up(world)
    world.run_for(START + 1.5 * EPOCH - world.clock.now)
    mixes = [node for node in world.nodes.values() if not node.is_provider]
    for mix in mixes:
        mix.crash()
    world.run_for(START + 3.4 * EPOCH - world.clock.now)
    assert figures_of(world) is None
    assert {mix.crashes for mix in mixes} == {1}
    world.run_for(EPOCH)
    assert figures_of(world) is not None
