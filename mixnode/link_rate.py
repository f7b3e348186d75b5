"""How many packets a neighbour may send: counted at arrival, before a packet costs anything. Pure.

Spec: docs/spec/mixing.md (Rate of a link).
"""

from collections.abc import Collection

from hushmill.identifiers import NodeNumber
from hushmill.token_bucket import TokenBucket

LEAST_BURST_PACKETS = 64


class LinkRates:
    """A bucket a neighbour, so that what one sends beyond its rate costs nobody else a place, a
    replay tag or the time to open it. A neighbour that connects again finds its bucket as it was.
    """

    __slots__ = ("_buckets", "_burst", "_rate")

    def __init__(self, packets_per_second: int) -> None:
        self._rate = packets_per_second
        self._burst = max(LEAST_BURST_PACKETS, packets_per_second)  # a second's worth at once
        self._buckets: dict[NodeNumber, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def admit(self, source: NodeNumber, count: int, now: float) -> int:
        """How many of the `count` packets that came at `now` (seconds) may be opened: the first."""
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets[source] = TokenBucket(self._rate, self._burst, now)
        return bucket.take_up_to(count, now)

    def keep_only(self, sources: Collection[NodeNumber]) -> None:
        """Forgets who is no neighbour any more."""
        for source in [source for source in self._buckets if source not in sources]:
            del self._buckets[source]
