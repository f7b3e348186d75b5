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


def is_crash(error: BaseException) -> bool:
    """Whether `error` is, or was raised in the course of, a `Crash` (a database wraps what its
    commit hook raises)."""
    return isinstance(error, Crash) or isinstance(error.__context__, Crash)


class CoreRunner(Generic[Event, Effect]):
    """What `hushmill.runtime.Driver` is in the product: runs one core, here in virtual time.

    `perform` carries out an effect. It, or a store inside the core, may raise `Crash`: then neither
    the rest of the list nor anything of this core happens any more, and `on_crash` is called.
    """

    def __init__(
        self,
        clock: Clockwork,
        core: Core[Event, Effect],
        perform: Callable[[Effect], None],
        on_crash: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._core = core
        self._perform = perform
        self._on_crash = on_crash
        self._alive = True
        self._armed: float | None = None
        self.poke()

    def stop(self) -> None:
        """Nothing of this core happens any more."""
        self._alive = False

    def receive(self, event: Event) -> None:
        """Hands `event` to the core at the present virtual time, unless it is dead."""
        if self._alive:
            self._carry_out(lambda: self._core.receive(event, self._clock.now))

    def poke(self) -> None:
        """Looks at the core's deadline again, after a call that was not an event."""
        deadline = self._core.next_deadline() if self._alive else None
        if deadline is not None and (self._armed is None or deadline < self._armed):
            self._armed = max(deadline, self._clock.now)
            self._clock.at(self._armed, self._wake)

    def _wake(self) -> None:
        if self._alive and self._armed is not None and self._armed <= self._clock.now:
            self._armed = None
            self._carry_out(lambda: self._core.advance(self._clock.now))

    def _carry_out(self, turn: Callable[[], list[Effect]]) -> None:
        try:
            for effect in turn():
                if self._alive:  # an effect may have led to the end of this very machine
                    self._perform(effect)
        except Exception as error:
            if not is_crash(error):
                raise
            self._alive = False
            self._on_crash()
        self.poke()
