"""The budget under both strategies, and the queue of delays. Spec: docs/spec/mixing.md (Holding,
Budget)."""

from collections.abc import Callable

import pytest

from experiments.simnet.seeded import SeededRandomness
from hushmill.identifiers import NodeNumber
from mixnode.strategies import PoissonMix, Strategy, TimedPool

LINK_A, LINK_B = NodeNumber(1), NodeNumber(2)
Make = Callable[[int], Strategy[str]]


def _held(limit: int) -> PoissonMix[str]:
    return PoissonMix(limit, SeededRandomness(1, "held"))


def _pool(limit: int) -> TimedPool[str]:
    """One that keeps a single packet a round, and has drawn its phase."""
    pool: TimedPool[str] = TimedPool(limit, SeededRandomness(1, "held"), 0.5, 1)
    assert pool.release(0.0) == []
    return pool


BOTH = pytest.mark.parametrize("make", [_held, _pool])


def test_releases_nothing_before_its_tags_are_synced() -> None:
    held = _held(1000)
    held.hold("a", LINK_A, due=1.0, cost=10, batch=1)
    assert held.release(100.0) == []
    assert held.earliest() is None
    held.synced(2)
    assert held.release(100.0) == []
    held.synced(1)
    assert held.release(100.0) == ["a"]


def test_releases_nothing_before_its_time() -> None:
    held = _held(1000)
    held.hold("late", LINK_A, due=2.0, cost=10, batch=1)
    held.hold("soon", LINK_A, due=1.0, cost=10, batch=1)
    held.synced(1)
    assert held.earliest() == 1.0
    assert held.release(0.999) == []
    assert held.release(1.0) == ["soon"]
    assert held.release(1.999) == []
    assert held.release(2.0) == ["late"]
    assert held.used == 0


@BOTH
def test_keeps_its_limit_and_overflows_one_past_it(make: Make) -> None:
    held = make(100)
    assert sum(held.hold(str(n), LINK_A, 1.0, 10, 1) for n in range(10)) == 0
    assert (held.used, len(held)) == (100, 10)
    assert held.hold("one more", LINK_A, 1.0, 10, 1) == 1
    assert (held.used, len(held)) == (100, 10)
    assert held.hold("larger than all", LINK_A, 1.0, 101, 1) == 1
    held.synced(1)
    assert len(held.release(1.0)) + len(held) == 10
    assert held.used == 10 * len(held)


@BOTH
def test_a_flood_on_one_link_costs_the_other_nothing(make: Make) -> None:
    held = make(1000)
    rng = SeededRandomness(1, "flood")
    evicted = 0
    for n in range(5000):
        due = 10.0 + rng.take(1)[0]
        evicted += held.hold(f"a{n}", LINK_A, due, 10, batch=n)
        if n % 100 == 0:
            evicted += held.hold(f"b{n}", LINK_B, due, 10, batch=n)
        assert held.used <= 1000
    for n in range(5000):
        held.synced(n)
    released = held.release(1000.0)
    for n in range(500):  # a pool lets its last one go once others take its place
        held.hold(f"c{n}", LINK_A, 1000.0, 10, batch=5000)
        held.synced(5000)
        released += [name for name in held.release(1001.0 + n) if name[0] != "c"]
    assert sorted(name for name in released if name[0] == "b") == sorted(
        f"b{n}" for n in range(0, 5000, 100)
    )
    assert evicted == 5050 - len(released)
    assert len(released) == 100


def test_what_was_evicted_leaves_no_growing_trace() -> None:
    held = _held(100)
    for n in range(10_000):
        held.hold(str(n), LINK_A, 1e9, 10, batch=n // 100)
        if n % 100 == 99:
            held.synced(n // 100)
    waiting = len(held._ready) + sum(len(items) for items in held._held._unsynced.values())
    assert waiting <= 10 + 64 + 10 + 1
