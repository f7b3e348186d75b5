"""Packets that wait: first for their replay tags to be on disk, then for their strategy's word.

Spec: docs/spec/mixing.md (Holding, Budget). A list a link, so that a link that sends more than
there is room for loses its own packets and nobody else's. When they leave: `strategies.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hushmill.identifiers import NodeNumber
from hushmill.randomness import Randomness, below

Content = TypeVar("Content")


@dataclass(slots=True, eq=False)
class Held(Generic[Content]):
    """One waiting packet. `content` is None once it has been evicted or has left."""

    source: NodeNumber
    due: float
    cost: int
    content: Content | None
    place: int  # its index in its link's list
    is_free: bool  # whether its tag is on disk


@dataclass(slots=True)
class _Link(Generic[Content]):
    """What came over one link and waits."""

    held: list[Held[Content]] = field(default_factory=list)
    used: int = 0


class HeldPackets(Generic[Content]):
    """At most `limit_bytes` of waiting packets, by their stated cost.

    Overflow rule: the link that holds most loses one of its packets, drawn at random, until the
    newcomer fits; a link that holds no more than its even share never loses any.
    """

    __slots__ = ("_count", "_husks", "_limit", "_links", "_rng", "_unsynced", "free", "used")

    def __init__(self, limit_bytes: int, rng: Randomness) -> None:
        self._limit = limit_bytes
        self._rng = rng
        self._links: dict[NodeNumber, _Link[Content]] = {}
        self._unsynced: dict[int | None, list[Held[Content]]] = {}
        self._husks = 0  # evicted ones among `_unsynced`
        self._count = 0
        self.free = 0  # packets whose tags are on disk
        self.used = 0

    def __len__(self) -> int:
        return self._count

    def add(
        self, content: Content, source: NodeNumber, due: float, cost: int, batch: int | None
    ) -> int:
        """How many packets were evicted, the newcomer among them perhaps.

        It is not free before `freed(batch)`. `cost` is in bytes.
        """
        if cost > self._limit:
            return 1
        link = self._links.setdefault(source, _Link())
        item = Held(source, due, cost, content, len(link.held), is_free=False)
        link.held.append(item)
        link.used += cost
        self.used += cost
        self._count += 1
        self._unsynced.setdefault(batch, []).append(item)
        evicted = 0
        while self.used > self._limit:
            fullest = max(self._links.values(), key=lambda candidate: candidate.used)
            victim = fullest.held[below(self._rng, len(fullest.held))]
            self._husks += not victim.is_free
            self.take_off(victim)
            evicted += 1
        if self._husks > 64 + self._count:
            self._sweep()
        return evicted

    def freed(self, batch: int | None) -> list[Held[Content]]:
        """The batch's tags are on disk: its packets that are still here, which may now leave."""
        items = self._unsynced.pop(batch, [])
        free = [item for item in items if item.content is not None]
        for item in free:
            item.is_free = True
        self._husks -= len(items) - len(free)
        self.free += len(free)
        return free

    def all_free(self) -> Iterator[Held[Content]]:
        """Every packet that may leave; nothing may be added or taken off meanwhile."""
        for link in self._links.values():
            yield from (item for item in link.held if item.is_free)

    def drop(self, is_late: Callable[[Held[Content]], bool]) -> int:
        """How many packets were dropped, of which `is_late` says that they need not wait."""
        late = [item for link in self._links.values() for item in link.held if is_late(item)]
        for item in late:
            self._husks += not item.is_free
            self.take_off(item)
        return len(late)

    def take_off(self, item: Held[Content]) -> None:
        """Out of its link's list (the last one takes its place) and out of the account."""
        link = self._links[item.source]
        last = link.held.pop()
        if last is not item:
            link.held[item.place] = last
            last.place = item.place
        link.used -= item.cost
        self.used -= item.cost
        self._count -= 1
        self.free -= item.is_free
        item.content = None
        if not link.held:
            del self._links[item.source]

    def _sweep(self) -> None:
        """Evicted packets leave husks behind; they never outnumber what is held by much."""
        for batch, items in self._unsynced.items():
            self._unsynced[batch] = [item for item in items if item.content is not None]
        self._husks = 0
