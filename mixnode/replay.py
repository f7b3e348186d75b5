"""The replay table of one node key: which tags have been seen.

Spec: docs/spec/mixing.md (Replay). The whole table lives as long as its key, and no longer.
"""

from collections.abc import Iterable

from hushmill.drops import Drop
from hushmill.identifiers import NodeNumber, ReplayTag


class ReplayTable:
    """Tags of one key, at most `limit` of them.

    While it is less than three quarters full every link may add to it, so that honest load need
    not be even. What is left then is for links below their even share alone: no link fills it.
    """

    __slots__ = ("_by_source", "_limit", "_restored", "_tags")

    def __init__(self, limit: int, restored: Iterable[ReplayTag] = ()) -> None:
        """`restored` come from the log and count for every link alike."""
        self._limit = limit
        self._tags = set(restored)
        self._restored = len(self._tags)
        self._by_source: dict[NodeNumber, int] = {}

    def __len__(self) -> int:
        return len(self._tags)

    def __contains__(self, tag: ReplayTag) -> bool:
        return tag in self._tags

    def admit(self, tag: ReplayTag, source: NodeNumber, sources: int) -> Drop | None:
        """None when `tag` is new, and then it is remembered; else why the packet is dropped.

        `source` is the link that the packet came from, one of `sources` links that share the room.
        """
        if tag in self._tags:
            return Drop.REPLAY
        used = self._by_source.get(source, 0)
        if len(self._tags) >= self._limit:
            return Drop.REPLAY_FULL
        if 4 * len(self._tags) >= 3 * self._limit:
            share = max(0, self._limit - self._restored) // max(1, sources)
            if used >= share:
                return Drop.REPLAY_FULL
        self._by_source[source] = used + 1
        self._tags.add(tag)
        return None
