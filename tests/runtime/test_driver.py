"""A core on Twisted's clock, which tests move by hand."""

from dataclasses import dataclass, field

import pytest
from twisted.internet.task import Clock

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.runtime import Driver


@dataclass
class Alarm:
    """A core that repeats events and rings at the times it is told; it notes every call."""

    deadlines: list[float] = field(default_factory=list)
    calls: list[tuple[str, float]] = field(default_factory=list)

    def receive(self, event: str, now: float) -> list[str]:
        self.calls.append((event, now))
        if event.startswith("at "):
            self.deadlines.append(float(event[3:]))
        if event == "bug":
            raise RuntimeError(event)
        if event == "peer":
            raise PeerError(Drop.FRAME)
        return [f"{event}!", f"{event}!!"]

    def next_deadline(self) -> float | None:
        return min(self.deadlines, default=None)

    def advance(self, now: float) -> list[str]:
        due = [deadline for deadline in self.deadlines if deadline <= now]
        self.deadlines = [deadline for deadline in self.deadlines if deadline > now]
        self.calls.append(("advance", now))
        return [f"ring {deadline:g}" for deadline in due]


class Bench:
    """An alarm, its driver, and what was performed."""

    def __init__(self, *deadlines: float) -> None:
        self.clock = Clock()
        self.core = Alarm(list(deadlines))
        self.effects: list[str] = []
        self.driver = Driver(self.core, self.perform, self.clock, self.clock.seconds)

    def perform(self, effect: str) -> None:
        self.effects.append(effect)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)


def test_performs_effects_in_order_and_rings_in_time() -> None:
    bench = Bench()
    bench.driver.receive("at 1.5")
    bench.driver.receive("x")
    assert bench.effects == ["at 1.5!", "at 1.5!!", "x!", "x!!"]
    bench.pass_time(1.49)
    assert bench.effects[4:] == []
    bench.pass_time(0.03)
    assert bench.effects[4:] == ["ring 1.5"]
    assert not bench.clock.getDelayedCalls()


def test_rings_for_deadlines_that_were_there_before_any_event() -> None:
    bench = Bench(0.5, 0.2)
    bench.driver.start()
    bench.pass_time(1)
    assert bench.effects == ["ring 0.2", "ring 0.5"]


def test_lets_an_earlier_deadline_come_first() -> None:
    bench = Bench()
    bench.driver.receive("at 5")
    bench.driver.receive("at 1")
    bench.pass_time(6)
    assert bench.effects[4:] == ["ring 1", "ring 5"]


def test_never_enters_the_core_twice() -> None:
    """An event from within an effect waits for the effects before it."""
    bench = Bench()

    def perform(effect: str) -> None:
        bench.effects.append(effect)
        if effect == "a!":
            bench.driver.receive("b")

    bench.driver = Driver(bench.core, perform, bench.clock, bench.clock.seconds)
    bench.driver.receive("a")
    assert bench.effects == ["a!", "a!!", "b!", "b!!"]


def test_does_nothing_after_stop() -> None:
    bench = Bench()
    bench.driver.receive("at 1")
    bench.driver.stop()
    bench.driver.receive("x")
    bench.pass_time(2)
    assert bench.effects == ["at 1!", "at 1!!"]
    assert not bench.clock.getDelayedCalls()


def test_stops_between_two_effects() -> None:
    bench = Bench()

    def perform(effect: str) -> None:
        bench.effects.append(effect)
        bench.driver.stop()

    bench.driver = Driver(bench.core, perform, bench.clock, bench.clock.seconds)
    bench.driver.receive("a")
    assert bench.effects == ["a!"]


def test_looks_again_after_the_machine_slept() -> None:
    """The core's clock jumps with the machine; the reactor's timers do not."""
    bench = Bench()
    slept = 0.0
    bench.driver = Driver(
        bench.core, bench.perform, bench.clock, lambda: bench.clock.seconds() + slept
    )
    bench.driver.receive("at 3600")
    slept = 7200.0
    bench.pass_time(10.1)
    assert bench.effects[2:] == ["ring 3600"]


def test_lets_a_bug_through_and_does_nothing_after_it() -> None:
    """The core may be half way through something; what ends the process comes a moment later."""
    bench = Bench(1.0)
    bench.driver.start()
    with pytest.raises(RuntimeError):
        bench.driver.receive("bug")
    bench.driver.receive("x")
    bench.pass_time(2)
    assert bench.effects == []
    assert not bench.clock.getDelayedCalls()


def test_a_bug_in_an_effect_at_a_deadline_is_the_last_too() -> None:
    bench = Bench(0.5, 0.7)

    def fail(effect: str) -> None:
        bench.effects.append(effect)
        raise RuntimeError(effect)

    bench.driver = Driver(bench.core, fail, bench.clock, bench.clock.seconds)
    bench.driver.start()
    with pytest.raises(RuntimeError):
        bench.pass_time(0.6)
    bench.pass_time(1)
    bench.driver.receive("x")
    assert bench.effects == ["ring 0.5"]


def test_lets_a_peers_error_through_and_stays_usable() -> None:
    bench = Bench()
    with pytest.raises(PeerError):
        bench.driver.receive("peer")
    bench.driver.receive("x")
    assert bench.effects == ["x!", "x!!"]
