"""What the daemon and its pacer say to each other over two pipes, as records of one size.

    record = kind 1 | stream 1 | number 8 | revision 4 | frame     (zeros where none is carried)

The records are the events of the two cores as they are. Before the first record the daemon writes
its setup, length first. Both ends are one program of one version, and the pipes are private to the
two; a wrong record is still PeerError(FRAME), and ends the pacer.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import msgspec

from client.core_events import FillSlot, LinkDown, LinkUp, SlotTaken, Stream
from hushmill.codec import decode, encode
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.parameters import Parameters

SETUP_LIMIT = 64 * 1024  # bytes
SETUP_LENGTH_BYTES = 4
_HEADER = struct.Struct(">BBQI")
HEADER_BYTES = _HEADER.size


class PacerSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """Everything that the pacer knows. It holds the account key, and never a message's key."""

    parameters: Parameters
    host: str
    port: int
    key_hash: bytes
    network_id: bytes
    provider: int
    account_key: bytes
    code: bytes

    def __repr__(self) -> str:
        return f"PacerSetup(host={self.host!r}, port={self.port}, account_key=<secret>)"


class RecordKind(IntEnum):
    """The first byte of a record."""

    FILL_SLOT = 1  # down
    SLOT_TAKEN = 2  # up, as the rest
    LINK_UP = 3
    LINK_DOWN = 4
    LINK_REFUSED = 5  # `number` is the provider's status
    MAIL_FRAME = 6


@dataclass(frozen=True, slots=True)
class LinkRefused:
    """The provider answered our hello with this status, and closed."""

    status: int


@dataclass(frozen=True, slots=True)
class MailFrame:
    """A frame as the provider sent it; the daemon reads it."""

    frame: bytes


Record: TypeAlias = FillSlot | SlotTaken | LinkUp | LinkDown | LinkRefused | MailFrame


def encode_setup(setup: PacerSetup) -> bytes:
    """The setup, its length first."""
    body = encode(setup)
    if len(body) > SETUP_LIMIT:
        raise UsageError("the pacer's setup is too long")
    return len(body).to_bytes(SETUP_LENGTH_BYTES, "big") + body


class SetupReader:
    """Collects the setup from the pipe's first bytes."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> tuple[PacerSetup, bytes] | None:
        """The setup and the bytes after it, once it is complete. Raises PeerError."""
        self._pending += data
        if len(self._pending) < SETUP_LENGTH_BYTES:
            return None
        length = int.from_bytes(self._pending[:SETUP_LENGTH_BYTES], "big")
        if length > SETUP_LIMIT:
            raise PeerError(Drop.FRAME)
        end = SETUP_LENGTH_BYTES + length
        if len(self._pending) < end:
            return None
        body = bytes(self._pending[SETUP_LENGTH_BYTES:end])
        return decode(body, PacerSetup, SETUP_LIMIT), bytes(self._pending[end:])


class RecordFormat:
    """Records of a network whose client frames have `frame_bytes` bytes."""

    __slots__ = ("_frame_bytes", "record_bytes")

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self.record_bytes = HEADER_BYTES + frame_bytes

    def encode(self, record: Record) -> bytes:
        """Exactly `record_bytes`. Raises UsageError for a frame of another size."""
        match record:
            case FillSlot(stream, number, revision, frame):
                return self._pack(RecordKind.FILL_SLOT, stream, number, revision, frame)
            case SlotTaken(stream, number, revision):
                return self._pack(RecordKind.SLOT_TAKEN, stream, number, revision, None)
            case LinkUp():
                return self._pack(RecordKind.LINK_UP, 0, 0, 0, None)
            case LinkDown():
                return self._pack(RecordKind.LINK_DOWN, 0, 0, 0, None)
            case LinkRefused(status):
                return self._pack(RecordKind.LINK_REFUSED, 0, status, 0, None)
            case MailFrame(frame):
                return self._pack(RecordKind.MAIL_FRAME, 0, 0, 0, frame)

    def _pack(
        self, kind: RecordKind, stream: int, number: int, revision: int, frame: bytes | None
    ) -> bytes:
        filled = bytes(self._frame_bytes) if frame is None else frame
        if len(filled) != self._frame_bytes:
            raise UsageError("a frame of another size")
        return _HEADER.pack(kind, stream, number, revision) + filled

    def decode(self, data: bytes) -> Record:
        """The record that `data` is. Raises PeerError(FRAME)."""
        if len(data) != self.record_bytes:
            raise PeerError(Drop.FRAME)
        kind, stream, number, revision = _HEADER.unpack_from(data)
        frame = data[HEADER_BYTES:]
        match kind:
            case RecordKind.FILL_SLOT:
                return FillSlot(_stream(stream), number, revision, frame)
            case RecordKind.SLOT_TAKEN:
                return SlotTaken(_stream(stream), number, revision)
            case RecordKind.LINK_UP:
                return LinkUp()
            case RecordKind.LINK_DOWN:
                return LinkDown()
            case RecordKind.LINK_REFUSED:
                return LinkRefused(number)
            case RecordKind.MAIL_FRAME:
                return MailFrame(frame)
            case _:
                raise PeerError(Drop.FRAME)


def _stream(value: int) -> Stream:
    try:
        return Stream(value)
    except ValueError as error:
        raise PeerError(Drop.FRAME) from error


class RecordCutter:
    """Cuts a pipe's bytes into records."""

    __slots__ = ("_format", "_pending")

    def __init__(self, record_format: RecordFormat) -> None:
        self._format = record_format
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Record]:
        """The records that `data` completes. Raises PeerError(FRAME)."""
        self._pending += data
        size = self._format.record_bytes
        whole = len(self._pending) // size * size
        taken = bytes(self._pending[:whole])
        del self._pending[:whole]
        return [self._format.decode(taken[start : start + size]) for start in range(0, whole, size)]
