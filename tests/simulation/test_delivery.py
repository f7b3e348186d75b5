"""The whole network under faults: nothing lost, doubled or out of order.

Time budget: 90 s, and 10 min in `make soak`. One seed in fifty runs the real packet cryptography;
the others the fast test-only suite.
"""

import pytest

from experiments.simnet.network import Faults
from experiments.simnet.world import World, WorldPlan
from tests.simulation.people import MEETING_SECONDS, introduce, texts_of, warm_up, write

REAL_CRYPTOGRAPHY_EVERY = 50
MESSAGES = 10


def converse(plan: WorldPlan) -> World:
    """Two people meet and write to each other while things break; then everything heals, and all
    that was accepted must be shown: once, and in order."""
    world = World(plan)
    warm_up(world)
    alice, bob = world.clients
    introduce(world, alice, bob)
    world.break_things()
    written = {alice.name: 0, bob.name: 0}
    while min(written.values()) < MESSAGES:
        world.run_for(4)
        for sender, receiver in ((alice, bob), (bob, alice)):
            number = written[sender.name]
            if number < MESSAGES and write(world, sender, receiver, f"{sender.name} {number}"):
                written[sender.name] += 1
    world.heal()
    expected = {name: [f"{name} {number}" for number in range(MESSAGES)] for name in written}
    assert world.run_until(
        lambda: (
            texts_of(bob, alice) == expected[alice.name]
            and texts_of(alice, bob) == expected[bob.name]
        ),
        seconds=1800,
        step=5,
    ), (texts_of(bob, alice), texts_of(alice, bob))
    world.run_for(MEETING_SECONDS)
    assert texts_of(bob, alice) == expected[alice.name]
    assert texts_of(alice, bob) == expected[bob.name]
    return world


def plan_of(seed: int) -> WorldPlan:
    """Loss of 0 to 8.5 % a link is 0 to 30 % over four links."""
    return WorldPlan(
        seed=seed,
        faults=Faults(
            loss=0.085 * (seed % 5) / 4,
            duplication=0.05 * (seed % 3),
            jitter_seconds=0.2 * (seed % 4),
        ),
        crash_chance=0.001 * (seed % 3),
        commit_crash_chance=0.01 * (seed % 3),
        real_cryptography=seed % REAL_CRYPTOGRAPHY_EVERY == 0,
    )


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_doubled_or_reordered(seed: int) -> None:
    world = converse(plan_of(seed))
    struck = sum(client.crashes for client in world.clients)
    struck += sum(node.crashes for node in world.nodes.values())
    assert (struck > 0) == (world.plan.crash_chance > 0)
    assert (world.network.lost > 0) == (world.plan.faults.loss > 0)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8, 68))
def test_nothing_is_lost_doubled_or_reordered_over_many_seeds(seed: int) -> None:
    converse(plan_of(seed))
