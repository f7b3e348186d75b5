"""Runs a core on Twisted's clock: the one place where a core meets time.

Effects are carried out in their order. What carries one out may call `receive` again (an answer
that is there at once): that event waits until the effects before it are done, so that a core is
never entered twice. When nothing is left to do for the moment `settled` is called, so that what was
gathered (packets for one link, say) can go out together.
"""

from collections import deque
from collections.abc import Callable, Iterable
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
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._core = core
        self._perform = perform
        self._settled = settled
        self._reactor = reactor
        self._clock = clock
        self._waiting: deque[Event] = deque()
        self._is_busy = False
        self._is_stopped = False
        self._timer: DelayedCall | None = None
        self._deadline: float | None = None  # for which the timer is set

    def start(self) -> None:
        """Sets the first timer, for a core that has deadlines before any event."""
        self._work()

    def receive(self, event: Event) -> None:
        """Gives the core an event, now or as soon as it is free. Nothing after `stop`."""
        self.receive_all((event,))

    def receive_all(self, events: Iterable[Event]) -> None:
        """Several events in their order; the timer is looked at once for all of them."""
        if self._is_stopped:
            return
        self._waiting.extend(events)
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
            self._settled()
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
                self._settled()
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
        """Leaves the timer alone where the deadline is what it was: a busy core has one a tick and
        many events before it."""
        deadline = None if self._is_stopped else self._core.next_deadline()
        if self._timer is not None and deadline == self._deadline:
            return
        self._cancel()
        if deadline is not None:
            self._deadline = deadline
            delay = min(max(0.0, deadline - self._clock()), LONGEST_SLEEP_SECONDS)
            self._timer = self._reactor.callLater(delay, self._wake)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
