"""The two clocks of a process, read here and nowhere else.

Epochs need wall time, which a system administrator or NTP may step at any moment. `now` is wall
time as it stood when the process began, carried on by the boot clock: it never goes back, is never
stepped, and goes on through a suspended machine. How far it is from the system's clock is said by
`wall_clock_error`, so that a node whose clock is wrong can refuse to run.
"""

import time
from collections.abc import Callable


class AnchoredClock:
    """Unix seconds from `wall`, read once, and carried on by `elapsed`, which never goes back."""

    __slots__ = ("_anchor", "_elapsed", "_wall")

    def __init__(self, wall: Callable[[], float], elapsed: Callable[[], float]) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._anchor = wall() - elapsed()

    def now(self) -> float:
        return self._anchor + self._elapsed()

    def error(self) -> float:
        """Seconds by which the system's clock is ahead of `now` (negative: behind)."""
        return self._wall() - self.now()

    def catch_up(self) -> None:
        """Takes the system's time where it is ahead. Where it is behind, nothing changes: what has
        been erased for being old cannot become new again."""
        self._anchor += max(0.0, self.error())


def monotonic() -> float:
    """Seconds that never go back and count while the machine sleeps; their zero means nothing."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_clock = AnchoredClock(time.time, monotonic)


def now() -> float:
    """Unix seconds that never step back, nor forward unless `catch_up` is called."""
    return _clock.now()


def wall_clock_error() -> float:
    """The system's wall clock minus `now`, in seconds."""
    return _clock.error()


def catch_up() -> None:
    """Moves `now` forward to the system's wall clock, where that is ahead."""
    _clock.catch_up()
