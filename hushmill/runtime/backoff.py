"""How long to wait before the next attempt: exponential, and uniform below its ceiling.

When an authority or a whole data centre comes back, everybody's waits have been drawn apart, so
that nobody is met by all at once. Uniform from (nearly) zero up to the ceiling spreads better than
a fixed wait with a little noise on it.
"""

from hushmill.randomness import Randomness, unit

FIRST_CEILING_SECONDS = 1.0
LAST_CEILING_SECONDS = 60.0
SHORTEST_WAIT_SECONDS = 0.05  # so that a refused connection is not a busy loop


class Backoff:
    """Waits for one peer. The ceiling doubles with each until `reset`."""

    __slots__ = ("_attempts", "_first", "_last", "_rng")

    def __init__(
        self,
        rng: Randomness,
        first_seconds: float = FIRST_CEILING_SECONDS,
        last_seconds: float = LAST_CEILING_SECONDS,
    ) -> None:
        self._rng = rng
        self._first = first_seconds
        self._last = last_seconds
        self._attempts = 0

    def next_wait(self) -> float:
        """Seconds to wait before the next attempt."""
        ceiling = min(self._last, self._first * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return max(SHORTEST_WAIT_SECONDS, ceiling * unit(self._rng))

    def reset(self) -> None:
        """The peer has been reached and has stayed: begin again from the first ceiling."""
        self._attempts = 0
