"""Directory messages of any length, cut into frames of one size and put together again.

A frame is `total 4 | offset 4 | 4,088 bytes of the message`, the last one filled with zeros, which
are checked. The total stands in each frame and is held against the receiver's limit at the first,
so that nothing is allocated for a length that is refused. Spec: docs/spec/link.md (Directory).
"""

from hushmill.codec import Reader
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.link.link_class import DIRECTORY_FRAME_BYTES

DIRECTORY_MESSAGE_LIMIT = 8 << 20  # a consensus of 1,500 nodes in its first, full form
CHUNK_BYTES = DIRECTORY_FRAME_BYTES - 8


class MessageCutter:
    """Cuts messages of 1 to `limit` bytes into directory frames."""

    __slots__ = ("_limit",)

    def __init__(self, limit: int = DIRECTORY_MESSAGE_LIMIT) -> None:
        self._limit = limit

    def cut(self, message: bytes) -> list[bytes]:
        """The frames of `message`, in order."""
        total = len(message)
        if not 0 < total <= self._limit:
            raise UsageError("a directory message is empty or beyond its limit")
        return [
            total.to_bytes(4, "big")
            + offset.to_bytes(4, "big")
            + message[offset : offset + CHUNK_BYTES].ljust(CHUNK_BYTES, b"\x00")
            for offset in range(0, total, CHUNK_BYTES)
        ]


class MessageAssembler:
    """Puts one link's frames together. Holds at most `limit` bytes, and only bytes that came.

    Choose the smallest limit that the peer's role allows: many links may be half-way at once.
    """

    __slots__ = ("_chunks", "_limit", "_received", "_total")

    def __init__(self, limit: int = DIRECTORY_MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._received = 0
        self._total = 0

    def add(self, frame: bytes) -> bytes | None:
        """The message that `frame` completes, or None. The peer may be hostile: PeerError(FRAME)
        for a wrong size, offset or filling, or a total of zero, beyond the limit, or changed."""
        if len(frame) != DIRECTORY_FRAME_BYTES:
            raise PeerError(Drop.FRAME)
        reader = Reader(frame)
        total, offset = reader.integer(4), reader.integer(4)
        if offset == 0 and not self._chunks:
            if not 0 < total <= self._limit:
                raise PeerError(Drop.FRAME)
            self._total = total
        if total != self._total or offset != self._received:
            raise PeerError(Drop.FRAME)
        chunk = reader.take(min(CHUNK_BYTES, total - offset))
        if any(reader.take(CHUNK_BYTES - len(chunk))):
            raise PeerError(Drop.FRAME)
        self._chunks.append(chunk)
        self._received += len(chunk)
        return self._finish() if self._received == total else None

    def _finish(self) -> bytes:
        message = b"".join(self._chunks)
        self._chunks.clear()
        self._received = self._total = 0
        return message
