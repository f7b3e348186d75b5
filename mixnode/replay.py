"""The replay table of one node key: which tags have been seen.

Spec: docs/spec/mixing.md (Replay). The whole table lives as long as its key, and no longer.
"""

import mmap
from collections.abc import Iterable

from hushmill.drops import Drop
from hushmill.identifiers import REPLAY_TAG_BYTES, NodeNumber, ReplayTag

SECRET_BYTES = 16
_EMPTY = bytes(REPLAY_TAG_BYTES)


def table_bytes(limit: int) -> int:
    """The memory of a table for `limit` tags: at most three of four slots are taken, and at least
    one is free, where a search ends."""
    return (limit * 4 // 3 + 1) * REPLAY_TAG_BYTES


class ReplayTable:
    """Tags of one key, at most `limit` of them, in memory that is allocated once: open addressing
    with linear probing. Nothing is ever taken out.

    Senders are hostile and may draw tags until they like them. Where a tag stands hangs on
    `secret` (16 random bytes), so they cannot choose tags that stand in each other's way.

    While the table is less than three quarters full every link may add to it, so that honest load
    need not be even. What is left then is for links below their even share alone: no link fills it.
    """

    __slots__ = (
        "_by_source",
        "_count",
        "_end",
        "_has_zeros",
        "_limit",
        "_memory",
        "_restored",
        "_room",
        "_secret",
        "_slots",
    )

    def __init__(self, limit: int, secret: bytes, restored: Iterable[ReplayTag] = ()) -> None:
        """`restored` come from the log and count for every link alike. Should the log hold more
        than `limit` (which was lower than before), the table is as large as they need, and full."""
        self._secret = secret
        self._by_source: dict[NodeNumber, int] = {}
        self._count = 0
        self._has_zeros = False
        self._limit = limit
        self._allocate(limit)
        self._load(restored)
        self._restored = self._count

    def __len__(self) -> int:
        return self._count

    @property
    def memory_bytes(self) -> int:
        """Taken from the start, whatever the table holds."""
        return self._end

    def admit(self, tag: ReplayTag, source: NodeNumber, sources: int) -> Drop | None:
        """None when `tag` is new, and then it is remembered; else why the packet is dropped.

        `source` is the link that the packet came from, one of `sources` links that share the room.
        """
        place = self._place(tag)
        if place is None:
            return Drop.REPLAY
        used = self._by_source.get(source, 0)
        if self._count >= self._limit:
            return Drop.REPLAY_FULL
        if 4 * self._count >= 3 * self._limit:
            share = max(0, self._limit - self._restored) // max(1, sources)
            if used >= share:
                return Drop.REPLAY_FULL
        self._by_source[source] = used + 1
        self._put(tag, place)
        return None

    def close(self) -> None:
        """Gives the memory back, with its key. The table is not to be used any more."""
        self._memory.close()

    def _allocate(self, room: int) -> None:
        """Empty memory for `room` tags."""
        self._room = room
        self._end = table_bytes(room)
        self._slots = self._end // REPLAY_TAG_BYTES
        self._memory = mmap.mmap(-1, self._end, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def _place(self, tag: ReplayTag) -> int | None:
        """Where `tag` is to be put; None when it is known."""
        memory, end = self._memory, self._end
        # SipHash-1-3, keyed by the interpreter, and by the secret where PYTHONHASHSEED is known.
        place = hash(self._secret + tag) % self._slots * REPLAY_TAG_BYTES
        while (there := memory[place : place + REPLAY_TAG_BYTES]) != _EMPTY:
            if there == tag:
                return None
            place += REPLAY_TAG_BYTES
            if place == end:
                place = 0
        return None if self._has_zeros and tag == _EMPTY else place

    def _put(self, tag: ReplayTag, place: int) -> None:
        """A tag of zeros looks like a free slot, so it is remembered beside the table."""
        if tag == _EMPTY:
            self._has_zeros = True
        self._memory[place : place + REPLAY_TAG_BYTES] = tag
        self._count += 1

    def _load(self, tags: Iterable[ReplayTag]) -> None:
        """Millions at a start."""
        place_of, put = self._place, self._put
        for tag in tags:
            if self._count >= self._room:
                self._grow()
            place = place_of(tag)
            if place is not None:
                put(tag, place)

    def _grow(self) -> None:
        """Twice the room for what is known."""
        old, self._count = self._memory, int(self._has_zeros)
        self._allocate(2 * self._room)
        slots = (
            old[place : place + REPLAY_TAG_BYTES] for place in range(0, len(old), REPLAY_TAG_BYTES)
        )
        self._load(ReplayTag(slot) for slot in slots if slot != _EMPTY)
        old.close()
