"""How much somebody may send: so many a second, and so many at once. Pure."""


class TokenBucket:
    """Fills at `rate` tokens a second up to `depth`, and begins full; what is sent takes one each.
    `now` is in seconds; a clock that steps back earns nothing and costs nothing."""

    __slots__ = ("_depth", "_rate", "_then", "_tokens")

    def __init__(self, rate: float, depth: int, now: float) -> None:
        self._rate = rate
        self._depth = float(depth)
        self._tokens = self._depth
        self._then = now

    def take(self, now: float) -> bool:
        """Whether there was a token; there is one less."""
        return self.take_up_to(1, now) == 1

    def take_up_to(self, count: int, now: float) -> int:
        """How many of `count` tokens there were; so many are gone."""
        earned = max(0.0, now - self._then) * self._rate
        self._tokens = min(self._depth, self._tokens + earned)
        self._then = max(self._then, now)
        taken = min(count, int(self._tokens))
        self._tokens -= taken
        return taken

    def is_full(self, now: float) -> bool:
        """Whether it is like a new one."""
        return self._tokens + max(0.0, now - self._then) * self._rate >= self._depth
