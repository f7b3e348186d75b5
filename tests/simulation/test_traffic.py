"""What an observer of links sees does not depend on what people do. Time budget: 60 s."""

from experiments.demo.observer import report
from experiments.lab.sources.rows import layers_of
from experiments.simnet.world import World, WorldPlan
from experiments.trace import Kind
from tests.simulation.people import introduce, warm_up, write

SECONDS = 90.0
SHORT_SECONDS = 25.0
SEEDS = range(20)


def link_of(world: World) -> list[tuple[float, int]]:
    """(time, size) of all that client 1 sent."""
    return world.clients[0].sent_frames


def relayed_for(world: World) -> list[tuple[float, int]]:
    """(time, first mix) of all that the provider passed on for client 1."""
    return [
        (row.time, row.peer) for row in world.rows if row.kind is Kind.ENTRY and row.client == 1
    ]


def lived(seed: int, busy: bool, seconds: float = SECONDS, cover: bool = True) -> World:
    """A network that has run for `seconds`; busy, its two people wrote to each other throughout."""
    world = World(WorldPlan(seed=seed, cover=cover))
    warm_up(world)
    alice, bob = world.clients
    if busy:
        introduce(world, alice, bob)
    for number in range(int(seconds) // 5):
        world.run_for(5)
        if busy:
            write(world, alice, bob, f"line {number} of a long conversation")
            write(world, bob, alice, f"answer {number}" * 200)
    return world


def test_a_busy_and_an_idle_client_look_the_same() -> None:
    busy, idle = lived(1, busy=True), lived(1, busy=False)
    assert len(busy.clients[1].shown) >= 10
    assert len(link_of(idle)) > SECONDS
    assert link_of(busy) == link_of(idle)
    assert len(relayed_for(idle)) > SECONDS
    assert relayed_for(busy) == relayed_for(idle)


def test_another_seed_is_another_schedule() -> None:
    assert link_of(lived(1, busy=False)) != link_of(lived(2, busy=False))


def test_without_cover_an_observer_knows_more() -> None:
    """In the mean over 20 seeds, of packets that ended at a provider."""

    def mean_bits(cover: bool) -> float:
        worlds = (lived(seed, busy=True, seconds=SHORT_SECONDS, cover=cover) for seed in SEEDS)
        reports = (report(world.rows, layers_of(world.rows), senders=2) for world in worlds)
        return sum(found.sender_entropy_bits for found in reports) / len(SEEDS)

    covered, bare = mean_bits(cover=True), mean_bits(cover=False)
    assert bare < covered
    assert covered > 0.5


def test_one_seed_is_one_history() -> None:
    first, second = lived(3, busy=True), lived(3, busy=True)
    assert first.network.trace_hash() == second.network.trace_hash()
    assert first.network.trace_hash() != lived(4, busy=True).network.trace_hash()
