"""Packets that wait: first for their replay tags to be on disk, then for their time.

Spec: docs/spec/mixing.md (Holding, Budget). One heap for all; a list a link, so that a link that
sends more than there is room for loses its own packets and nobody else's.
"""

import heapq
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hushmill.identifiers import NodeNumber
from hushmill.randomness import Randomness, below

Content = TypeVar("Content")


@dataclass(slots=True, eq=False)
class _Held(Generic[Content]):
    """One waiting packet. `content` is None once it has been evicted or has left."""

    source: NodeNumber
    due: float
    cost: int
    content: Content | None
    place: int  # its index in its link's list


@dataclass(slots=True)
class _Link(Generic[Content]):
    """What came over one link and waits."""

    held: list[_Held[Content]] = field(default_factory=list)
    used: int = 0


class HeldPackets(Generic[Content]):
    """At most `limit_bytes` of waiting packets, by their stated cost.

    Overflow rule: the link that holds most loses one of its packets, drawn at random, until the
    newcomer fits; a link that holds no more than its even share never loses any.
    """

    __slots__ = (
        "_length",
        "_limit",
        "_links",
        "_order",
        "_ready",
        "_rng",
        "_stale",
        "_unsynced",
        "used",
    )

    def __init__(self, limit_bytes: int, rng: Randomness) -> None:
        self._limit = limit_bytes
        self._rng = rng
        self._links: dict[NodeNumber, _Link[Content]] = {}
        self._unsynced: dict[int, list[_Held[Content]]] = {}
        self._ready: list[tuple[float, int, _Held[Content]]] = []
        self._order = 0
        self._length = 0
        self._stale = 0
        self.used = 0

    def __len__(self) -> int:
        return self._length

    def hold(self, content: Content, source: NodeNumber, due: float, cost: int, batch: int) -> int:
        """How many packets were evicted, the newcomer among them perhaps.

        The packet is not released before `due`, nor before `synced(batch)`. `cost` is in bytes.
        """
        if cost > self._limit:
            return 1
        link = self._links.setdefault(source, _Link())
        item = _Held(source, due, cost, content, len(link.held))
        link.held.append(item)
        link.used += cost
        self.used += cost
        self._length += 1
        self._unsynced.setdefault(batch, []).append(item)
        evicted = 0
        while self.used > self._limit:
            fullest = max(self._links.values(), key=lambda candidate: candidate.used)
            self._take_off(fullest.held[below(self._rng, len(fullest.held))])
            self._stale += 1
            evicted += 1
        self._sweep()
        return evicted

    def synced(self, batch: int) -> None:
        """The batch's tags are on disk: its packets may leave when they are due."""
        for item in self._unsynced.pop(batch, ()):
            if item.content is None:
                self._stale -= 1
                continue
            self._order += 1
            heapq.heappush(self._ready, (item.due, self._order, item))

    def earliest(self) -> float | None:
        """When the first packet that may leave is due."""
        while self._ready and self._ready[0][2].content is None:
            heapq.heappop(self._ready)
            self._stale -= 1
        return self._ready[0][0] if self._ready else None

    def release(self, now: float) -> list[Content]:
        """Every packet that may leave and is due at `now`, by due time."""
        released: list[Content] = []
        while self._ready and self._ready[0][0] <= now:
            item = heapq.heappop(self._ready)[2]
            if item.content is None:
                self._stale -= 1
                continue
            released.append(item.content)
            self._take_off(item)
        return released

    def _take_off(self, item: _Held[Content]) -> None:
        """Out of its link's list (the last one takes its place) and out of the account."""
        link = self._links[item.source]
        last = link.held.pop()
        if last is not item:
            link.held[item.place] = last
            last.place = item.place
        link.used -= item.cost
        self.used -= item.cost
        self._length -= 1
        item.content = None
        if not link.held:
            del self._links[item.source]

    def _sweep(self) -> None:
        """Evicted packets leave husks behind; they never outnumber what is held by much."""
        if self._stale <= 64 + self._length:
            return
        self._ready = [entry for entry in self._ready if entry[2].content is not None]
        heapq.heapify(self._ready)
        for batch, items in self._unsynced.items():
            self._unsynced[batch] = [item for item in items if item.content is not None]
        self._stale = 0
