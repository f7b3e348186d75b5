"""The timed pool: when its rounds are, who leaves in them and who stays. Spec: docs/spec/mixing.md
(Strategies)."""

import itertools
import math
from collections import Counter

import msgspec
import pytest

from experiments.simnet.seeded import SeededRandomness
from hushmill.identifiers import NodeNumber
from hushmill.parameters import Parameters
from mixnode import MixLimits, SendPacket
from mixnode.strategies import PoissonMix, TimedPool, strategy_of
from tests.mixnode.network import LAYERS, PARAMETERS, PROVIDERS, START, Network, run

LINK = NodeNumber(1)
INTERVAL = 2.0
POOLING = msgspec.structs.replace(
    PARAMETERS,
    mixing="timed_pool",
    pool_interval_seconds=INTERVAL,
    pool_packets=5,
    mix_loop_rate=0.2,
)
TICK = MixLimits().tick_seconds


def pool_of(kept: int, seed: int = 1, limit: int = 10**6) -> TimedPool[int]:
    """It has drawn its phase at time 0; its first round is at `earliest()`, within an interval."""
    pool: TimedPool[int] = TimedPool(limit, SeededRandomness(seed, "pool"), INTERVAL, kept)
    assert pool.release(0.0) == []
    return pool


def put(pool: TimedPool[int], names: range, batch: int = 1, *, is_synced: bool = True) -> None:
    for name in names:
        assert pool.hold(name, LINK, due=0.0, cost=10, batch=batch) == 0
    if is_synced:
        pool.synced(batch)


def next_round(pool: TimedPool[int]) -> float:
    at = pool.earliest()
    assert at is not None
    return at


def test_all_but_the_pool_leave_at_a_round_and_nothing_between() -> None:
    pool = pool_of(4)
    put(pool, range(10))
    first = next_round(pool)
    assert 0.0 <= first < INTERVAL
    assert pool.release(math.nextafter(first, 0.0)) == []
    assert len(pool.release(first)) == 6
    assert (len(pool), pool.used) == (4, 40)
    assert next_round(pool) == pytest.approx(first + INTERVAL)
    assert pool.release(first + 0.999 * INTERVAL) == []


def test_with_the_pool_or_fewer_none_leaves_and_with_one_more_one_does() -> None:
    pool = pool_of(4)
    put(pool, range(4))
    assert pool.release(next_round(pool)) == []
    put(pool, range(4, 5))
    assert len(pool.release(next_round(pool))) == 1


def test_the_senders_delay_is_ignored() -> None:
    pool = pool_of(1)
    pool.hold(1, LINK, due=1e9, cost=10, batch=1)
    pool.hold(2, LINK, due=0.0, cost=10, batch=1)
    pool.hold(3, LINK, due=1e9, cost=10, batch=1)
    pool.synced(1)
    assert len(pool.release(next_round(pool))) == 2


def test_what_is_not_synced_takes_no_part() -> None:
    pool = pool_of(2)
    put(pool, range(3))
    put(pool, range(100, 200), batch=2, is_synced=False)
    assert set(pool.release(next_round(pool))) < {0, 1, 2}
    pool.synced(2)
    assert len(pool.release(next_round(pool))) == 100


def test_own_packets_have_no_tag_to_wait_for() -> None:
    pool = pool_of(1)
    for name in range(3):
        pool.hold(name, LINK, 0.0, 10, batch=None)
    assert len(pool.release(next_round(pool))) == 2


def test_rounds_keep_their_phase_and_one_stands_for_all_that_were_missed() -> None:
    pool = pool_of(1)
    first = next_round(pool)
    put(pool, range(50))
    assert len(pool.release(first + 7.3 * INTERVAL)) == 49
    assert next_round(pool) == pytest.approx(first + 8 * INTERVAL)


def test_phases_are_spread_over_the_interval() -> None:
    phases = [next_round(pool_of(1, seed)) / INTERVAL for seed in range(400)]
    assert abs(sum(phases) / 400 - 0.5) < 4 / math.sqrt(12 * 400)
    assert min(phases) < 0.02
    assert max(phases) > 0.98


def test_who_stays_is_uniform_whatever_it_is_and_however_long_it_was_there() -> None:
    """4 of 12 stay, among them packets of two links, of early and late batches, and own ones; chi
    square with 11 degrees (drawn without replacement, so scaled), 5 standard deviations above."""
    trials = 6000
    stayed: Counter[int] = Counter()
    rng = SeededRandomness(3, "uniform")
    for _ in range(trials):
        pool: TimedPool[int] = TimedPool(10**6, rng, INTERVAL, 4)
        pool.release(0.0)
        for name in range(12):
            batch = None if name in (3, 9) else name // 4
            pool.hold(name, NodeNumber(name % 2), 0.0, 10, batch)
        for batch_number in (2, 0, 1):
            pool.synced(batch_number)
        left = pool.release(next_round(pool))
        stayed.update(set(range(12)) - set(left))
    expected = trials * 4 / 12
    statistic = sum((stayed[name] - expected) ** 2 for name in range(12)) / expected
    statistic *= (12 - 1) / (12 - 4)
    assert statistic < 11 + 5 * math.sqrt(22)


def test_the_rounds_that_a_packet_stays_are_geometric() -> None:
    """10 come a round and 5 are kept: each stays with 5/15."""
    pool = pool_of(5, seed=2)
    came: dict[int, int] = {}
    stays: list[int] = []
    for number in range(4000):
        names = range(10 * number, 10 * number + 10)
        put(pool, names, batch=number)
        came |= dict.fromkeys(names, number)
        for name in pool.release(next_round(pool)):
            stays.append(number - came[name])
    for rounds in range(1, 6):
        chance = (1 / 3) ** rounds
        share = sum(stay >= rounds for stay in stays) / len(stays)
        assert abs(share - chance) < 5 * math.sqrt(chance / len(stays))


def test_the_genesis_chooses_for_mixes_and_a_provider_keeps_delays() -> None:
    rng = SeededRandomness(1, "choice")
    pool: object = strategy_of(POOLING, "mix", 100, rng)
    at_provider: object = strategy_of(POOLING, "provider", 100, rng)
    plain: object = strategy_of(PARAMETERS, "mix", 100, rng)
    assert isinstance(pool, TimedPool)
    assert isinstance(at_provider, PoissonMix)
    assert isinstance(plain, PoissonMix)


# -- in the core

MIX = LAYERS[0][0]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network("pool")


def test_a_mix_sends_its_relays_and_its_own_loops_in_rounds(network: Network) -> None:
    core = network.core(MIX, msgspec.structs.replace(POOLING, mix_loop_rate=2.0))
    sent: list[tuple[float, SendPacket]] = []
    for number in range(150):
        at = START + 0.2 * number
        sent += [(t, e) for t, e in run(core, at) if isinstance(e, SendPacket)]
        core.receive(network.arrived(MIX, 0.1, PROVIDERS[number % 2]), at)
    moments = sorted({at for at, _ in sent})
    assert len(moments) > 10
    for earlier, later in itertools.pairwise(moments):
        assert (later - earlier) / INTERVAL == pytest.approx(1, abs=2 * TICK / INTERVAL)
    kinds = Counter(effect.kind for _, effect in sent)
    assert kinds["own_loop"] > 20
    assert kinds["relay"] == core.counters.relayed > 100
    # A loop may stand anywhere in its round.
    places = [
        place / (len(rounds) - 1)
        for moment in moments
        if len(rounds := [effect.kind for at, effect in sent if at == moment]) > 1
        for place, kind in enumerate(rounds)
        if kind == "own_loop"
    ]
    assert abs(sum(places) / len(places) - 0.5) < 4 * 0.35 / math.sqrt(len(places))


def test_a_pool_asks_for_no_delay_and_refuses_none(network: Network) -> None:
    cap = PARAMETERS.delay_cap_seconds
    for node, refused in ((MIX, 0), (PROVIDERS[0], 1)):
        core = network.core(node, POOLING)
        arrival = network.arrived(MIX, cap + 1, PROVIDERS[1])
        if node is not MIX:
            packet = network.packet((node, *[layer[0] for layer in LAYERS]), (cap + 1, 0.1, 0.1))
            arrival = type(arrival)(LAYERS[2][0], network.unwrap(node, packet))
        core.receive(arrival, START)
        assert core.counters.drops.total() == refused


def test_a_pool_that_holds_too_much_for_its_keys_is_told_by_its_rounds() -> None:
    """(n / (n + a))^N is 10⁻³ at most, and one round fewer is more than that."""
    for parameters in (POOLING, Parameters(mixing="timed_pool")):
        arrivals = 3 * 0.2 * INTERVAL
        staying = parameters.pool_packets / (parameters.pool_packets + arrivals)
        assert staying**parameters.pool_rounds <= 1e-3 < staying ** (parameters.pool_rounds - 1)
        assert parameters.hold_limit_seconds == parameters.pool_rounds * INTERVAL
