"""A Poisson process as a value: exponential gaps from the given randomness.

Clients' three streams and every node's own loops are this one class, so that the law of cover and
of payload cannot drift apart. Spec: docs/spec/traffic.md.
"""

from hushmill.randomness import Randomness, exponential


class PoissonProcess:
    """Ticks at `rate` a second. A rate of zero never ticks."""

    __slots__ = ("_rate", "_rng", "next_tick")

    def __init__(self, rate: float, rng: Randomness) -> None:
        self._rate = rate
        self._rng = rng
        self.next_tick: float | None = None

    def start(self, now: float) -> None:
        """Draws the first tick after `now`."""
        self.next_tick = now + exponential(self._rng, 1 / self._rate) if self._rate > 0 else None

    def stop(self) -> None:
        """No tick comes any more, until it is started anew."""
        self.next_tick = None

    def is_due(self, now: float) -> bool:
        return self.next_tick is not None and self.next_tick <= now

    def step(self) -> float:
        """The tick that was due; the next one is drawn from it, not from the clock, so that a late
        wake-up does not slow the process down. Call only when a tick is set."""
        tick = self.next_tick
        if tick is None:
            raise ValueError("the process has not been started")
        self.next_tick = tick + exponential(self._rng, 1 / self._rate)
        return tick
