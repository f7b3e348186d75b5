"""Virtual time: a heap of things to do, and machines that run shipped cores on it."""

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

from hushmill.core import Core

Event = TypeVar("Event")
Effect = TypeVar("Effect")


class Clockwork:
    """Does what is due in order of time; equal times keep the order in which they were asked for,
    so that one seed gives one history."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(time, self.now), next(self._order), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now + seconds, action)

    def run_until(self, time: float) -> None:
        """Carries out everything due up to `time` and leaves the clock there."""
        while self._heap and self._heap[0][0] <= time:
            self.now, _, action = heapq.heappop(self._heap)
            action()
        self.now = time


class Crash(Exception):  # noqa: N818 (it is no error: the fault that the simulation injects)
    """The machine dies here: what it had not made durable is gone."""


class CoreRunner(Generic[Event, Effect]):
    """What `hushmill.runtime.Driver` is in the product: runs one core, here in virtual time.

    `perform` carries out an effect and may raise `Crash`, after which neither the rest of the list
    nor anything of this core happens any more.
    """

    def __init__(
        self, clock: Clockwork, core: Core[Event, Effect], perform: Callable[[Effect], None]
    ) -> None:
        self._clock = clock
        self._core = core
        self._perform = perform
        self._alive = True
        self._armed: float | None = None
        self._arm()

    def stop(self) -> None:
        self._alive = False

    def receive(self, event: Event) -> None:
        """Hands `event` to the core at the present virtual time, unless it is dead."""
        if self._alive:
            self._carry_out(self._core.receive(event, self._clock.now))

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._perform(effect)
            if not self._alive:
                return
        self._arm()

    def _arm(self) -> None:
        deadline = self._core.next_deadline()
        if deadline is None or (self._armed is not None and self._armed <= deadline):
            return
        self._armed = max(deadline, self._clock.now)
        self._clock.at(self._armed, self._wake)

    def _wake(self) -> None:
        self._armed = None
        if self._alive:
            self._carry_out(self._core.advance(self._clock.now))

    def poke(self) -> None:
        """Looks at the core's deadline again, after a call that was not an event."""
        if self._alive:
            self._arm()
