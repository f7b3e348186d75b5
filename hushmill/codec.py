"""Canonical bytes: one value has one encoding, and a reader refuses every other.

Documents are MessagePack arrays of msgspec structs (decode, re-encode, compare). Fixed layouts
(packets, frames) are read with `Reader`, which refuses short *and* trailing bytes.
"""

from typing import TypeVar

import msgspec

from hushmill.drops import Drop
from hushmill.errors import PeerError

Document = TypeVar("Document", bound=msgspec.Struct)
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def encode(value: msgspec.Struct) -> bytes:
    """The one canonical encoding of `value`."""
    return _encoder.encode(value)


def decode(data: bytes, kind: type[Document], limit: int) -> Document:
    """The `kind` that `data` canonically encodes; `data` may be hostile.

    Raises PeerError(DOCUMENT) for more than `limit` bytes, for anything that does not decode, and
    for any encoding but the canonical one.
    """
    if len(data) > limit:
        raise PeerError(Drop.DOCUMENT)
    try:
        value = msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise PeerError(Drop.DOCUMENT) from error
    if encode(value) != data:
        raise PeerError(Drop.DOCUMENT)
    return value


class Reader:
    """Takes fixed-size fields off the front of a frame. Every failure is PeerError(FRAME)."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._position + count
        if end > len(self._data):
            raise PeerError(Drop.FRAME)
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def integer(self, count: int) -> int:
        """The next `count` bytes as an unsigned big-endian integer."""
        return int.from_bytes(self.take(count), "big")

    def end(self) -> None:
        """Refuses what is left over."""
        if self._position != len(self._data):
            raise PeerError(Drop.FRAME)
