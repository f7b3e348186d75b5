"""How a node waits while it ends. Spec: docs/spec/mixing.md (Ending)."""

from collections.abc import Callable

from hushmill.runtime import Scheduler, monotonic

LOOK_SECONDS = 0.02


class Patience:
    """Looks again and again, and calls `then` once: when `is_done` says so, when `seconds` are
    over, or when it is told to hurry."""

    def __init__(
        self,
        reactor: Scheduler,
        is_done: Callable[[], bool],
        seconds: float,
        then: Callable[[], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._reactor = reactor
        self._is_done = is_done
        self._clock = clock
        self._until = clock() + seconds  # not so many looks: on a busy machine each takes longer
        self._then = then
        self._has_ended = False
        self._timer = reactor.callLater(0, self._look)

    def hurry(self) -> None:
        """Waits no longer."""
        if not self._has_ended:
            self._timer.cancel()
            self._end()

    def _look(self) -> None:
        if self._is_done() or self._clock() >= self._until:
            self._end()
            return
        self._timer = self._reactor.callLater(LOOK_SECONDS, self._look)

    def _end(self) -> None:
        self._has_ended = True
        self._then()
