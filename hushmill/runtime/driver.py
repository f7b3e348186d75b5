"""Runs a core on Twisted's clock: the one place where a core meets time.

Effects are carried out in their order. What carries one out may call `receive` again (an answer
that is there at once): that event waits until the effects before it are done, so that a core is
never entered twice.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from hushmill.core import Core
from hushmill.errors import PeerError
from hushmill.runtime.clock import now
from hushmill.runtime.reactor import DelayedCall, Scheduler

Event = TypeVar("Event")
Effect = TypeVar("Effect")

# The reactor's timers stand still while the machine sleeps and the core's deadlines do not, so no
# timer is set for longer than this.
LONGEST_SLEEP_SECONDS = 10.0


class Driver(Generic[Event, Effect]):
    """`core` on `reactor`'s timers; `perform` carries out one effect. An exception of either passes
    through. PeerError is for the link; on any other `run_service` ends the process, and until then
    the core gets nothing more, for it may be half way through something."""

    def __init__(
        self,
        core: Core[Event, Effect],
        perform: Callable[[Effect], None],
        reactor: Scheduler,
        clock: Callable[[], float] = now,
    ) -> None:
        self._core = core
        self._perform = perform
        self._reactor = reactor
        self._clock = clock
        self._waiting: deque[Event] = deque()
        self._is_busy = False
        self._is_stopped = False
        self._timer: DelayedCall | None = None

    def start(self) -> None:
        """Sets the first timer, for a core that has deadlines before any event."""
        self._work()

    def receive(self, event: Event) -> None:
        """Gives the core an event, now or as soon as it is free. Nothing after `stop`."""
        if self._is_stopped:
            return
        self._waiting.append(event)
        self._work()

    def stop(self) -> None:
        """No more events, effects or timers."""
        self._is_stopped = True
        self._waiting.clear()
        self._cancel()

    def _work(self) -> None:
        if self._is_busy or self._is_stopped:
            return
        self._is_busy = True
        try:
            while self._waiting:
                event = self._waiting.popleft()
                self._carry_out(self._core.receive(event, self._clock()))
        except PeerError:
            raise
        except BaseException:
            self.stop()
            raise
        finally:
            self._is_busy = False
        self._set_timer()

    def _wake(self) -> None:
        self._timer = None
        deadline = self._core.next_deadline()
        time = self._clock()
        if deadline is not None and deadline <= time:
            self._is_busy = True
            try:
                self._carry_out(self._core.advance(time))
            except BaseException:
                self.stop()
                raise
            finally:
                self._is_busy = False
        self._work()

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            if self._is_stopped:
                return
            self._perform(effect)

    def _set_timer(self) -> None:
        self._cancel()
        deadline = None if self._is_stopped else self._core.next_deadline()
        if deadline is not None:
            delay = min(max(0.0, deadline - self._clock()), LONGEST_SLEEP_SECONDS)
            self._timer = self._reactor.callLater(delay, self._wake)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
