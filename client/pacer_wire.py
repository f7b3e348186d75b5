"""What the daemon and its pacer say to each other over two pipes, as records of one size.

    record  = kind 1 | stream 1 | number 8 | frame        (the frame is zeros where none is carried)

Before the first record the daemon writes its setup, length first. Both ends are one program of one
version, and the pipes are private to the two; a wrong record is still PeerError(FRAME), and ends
the pacer.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import msgspec

from hushmill.codec import Reader, decode, encode
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.parameters import Parameters

SETUP_LIMIT = 64 * 1024  # bytes
SETUP_LENGTH_BYTES = 4
HEADER_BYTES = 10


class PacerSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """Everything that the pacer knows. It holds the account key, and never a message's key."""

    parameters: Parameters
    frame_bytes: int
    host: str
    port: int
    key_hash: bytes
    network_id: bytes
    account_key: bytes
    code: bytes

    def __repr__(self) -> str:
        return f"PacerSetup(host={self.host!r}, port={self.port}, account_key=<secret>)"


class RecordKind(IntEnum):
    """The first byte of a record."""

    SLOT_FILLED = 1  # down: the frame that lies ready for this slot
    SLOT_TAKEN = 2  # up: the slot's tick came, its frame is on its way
    LINK_UP = 3  # up: the provider has welcomed us
    LINK_DOWN = 4  # up
    LINK_REFUSED = 5  # up: `number` is the provider's status
    MAIL = 6  # up: a mail frame as it came


@dataclass(frozen=True, slots=True)
class SlotFilledRecord:
    stream: int
    number: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class SlotTakenRecord:
    stream: int
    number: int


@dataclass(frozen=True, slots=True)
class LinkUpRecord:
    pass


@dataclass(frozen=True, slots=True)
class LinkDownRecord:
    pass


@dataclass(frozen=True, slots=True)
class LinkRefusedRecord:
    status: int


@dataclass(frozen=True, slots=True)
class MailRecord:
    frame: bytes


Record: TypeAlias = (
    SlotFilledRecord
    | SlotTakenRecord
    | LinkUpRecord
    | LinkDownRecord
    | LinkRefusedRecord
    | MailRecord
)


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
            case SlotFilledRecord(stream, number, frame):
                return self._pack(RecordKind.SLOT_FILLED, stream, number, frame)
            case SlotTakenRecord(stream, number):
                return self._pack(RecordKind.SLOT_TAKEN, stream, number, None)
            case LinkUpRecord():
                return self._pack(RecordKind.LINK_UP, 0, 0, None)
            case LinkDownRecord():
                return self._pack(RecordKind.LINK_DOWN, 0, 0, None)
            case LinkRefusedRecord(status):
                return self._pack(RecordKind.LINK_REFUSED, 0, status, None)
            case MailRecord(frame):
                return self._pack(RecordKind.MAIL, 0, 0, frame)

    def _pack(self, kind: RecordKind, stream: int, number: int, frame: bytes | None) -> bytes:
        filled = bytes(self._frame_bytes) if frame is None else frame
        if len(filled) != self._frame_bytes:
            raise UsageError("a frame of another size")
        return bytes((kind, stream)) + number.to_bytes(8, "big") + filled

    def decode(self, data: bytes) -> Record:
        """The record that `data` is. Raises PeerError(FRAME)."""
        reader = Reader(data)
        kind, stream, number = reader.integer(1), reader.integer(1), reader.integer(8)
        frame = reader.take(self._frame_bytes)
        reader.end()
        match kind:
            case RecordKind.SLOT_FILLED:
                return SlotFilledRecord(stream, number, frame)
            case RecordKind.SLOT_TAKEN:
                return SlotTakenRecord(stream, number)
            case RecordKind.LINK_UP:
                return LinkUpRecord()
            case RecordKind.LINK_DOWN:
                return LinkDownRecord()
            case RecordKind.LINK_REFUSED:
                return LinkRefusedRecord(number)
            case RecordKind.MAIL:
                return MailRecord(frame)
            case _:
                raise PeerError(Drop.FRAME)


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
