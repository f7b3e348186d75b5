"""The control field of an upstream frame: 256 bytes, always full. Spec: docs/spec/link.md.

Every field has a value in every frame (a random inbox id where none is meant), so that a frame
that registers, asks or deletes is built in the same way as one that does not.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from hushmill.codec import Reader
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import INBOX_ID_BYTES, Epoch, InboxId, NodeNumber
from hushmill.link.link_class import CONTROL_BYTES
from hushmill.randomness import Randomness

MailHandle = NewType("MailHandle", bytes)  # 8 bytes, names one stored item to its owner
MAIL_HANDLE_BYTES = 8
NO_HANDLE = MailHandle(bytes(MAIL_HANDLE_BYTES))
HANDLES_IN_CONTROL = 8
_SEQUENCE_BYTES = 4
NEWEST_DOCUMENT = Epoch(0)  # as piece_epoch: whatever the provider holds as newest


class InboxOperation(IntEnum):
    """What the frame asks of the inbox id that it names."""

    NONE = 0
    REGISTER_LIVE = 1
    REGISTER_INVITATION = 2  # lives for `lifetime_hours`, takes a few items
    REMOVE = 3


@dataclass(frozen=True, slots=True)
class Control:
    """What a client tells its provider beside a packet.

    `sequence` (u32) rises with each frame of a session; answers name the highest one whose effects
    are committed. The pacer writes it as the frame leaves (`renumbered`), since frames of three
    streams are made ahead and leave in an order that nobody knows before. `first_mix` is where the
    packet goes (NO_NODE: relay nothing). `piece_epoch` and `piece_index` ask for a piece of the
    consensus. `one_time_inbox` is registered in every frame, needed or not. `handles` are exactly
    eight items that the client has committed (NO_HANDLE for none). `inbox` means nothing where
    `operation` is NONE, and is random there.
    """

    sequence: int
    first_mix: NodeNumber
    piece_epoch: Epoch
    piece_index: int
    one_time_inbox: InboxId
    operation: InboxOperation
    inbox: InboxId
    lifetime_hours: int
    handles: tuple[MailHandle, ...]

    def __post_init__(self) -> None:
        if len(self.handles) != HANDLES_IN_CONTROL:
            raise UsageError("a control field has exactly eight handles")
        if any(len(handle) != MAIL_HANDLE_BYTES for handle in self.handles):
            raise UsageError("a mail handle has 8 bytes")
        if len(self.one_time_inbox) != INBOX_ID_BYTES or len(self.inbox) != INBOX_ID_BYTES:
            raise UsageError("an inbox id has 32 bytes")

    def encode(self, rng: Randomness) -> bytes:
        """Exactly 256 bytes; what the fields leave is random."""
        try:
            fields = b"".join(
                (
                    self.sequence.to_bytes(_SEQUENCE_BYTES, "big"),
                    self.first_mix.to_bytes(2, "big"),
                    self.piece_epoch.to_bytes(4, "big"),
                    self.piece_index.to_bytes(2, "big"),
                    self.one_time_inbox,
                    self.operation.to_bytes(1, "big"),
                    self.inbox,
                    self.lifetime_hours.to_bytes(2, "big"),
                    *self.handles,
                )
            )
        except OverflowError as error:
            raise UsageError("a control field's integer is out of its range") from error
        return fields + rng.take(CONTROL_BYTES - len(fields))

    @classmethod
    def decode(cls, data: bytes) -> "Control":
        """The field in exactly 256 bytes from a client, who may be hostile. PeerError(FRAME)."""
        if len(data) != CONTROL_BYTES:
            raise PeerError(Drop.FRAME)
        reader = Reader(data)
        return cls(
            sequence=reader.integer(_SEQUENCE_BYTES),
            first_mix=NodeNumber(reader.integer(2)),
            piece_epoch=Epoch(reader.integer(4)),
            piece_index=reader.integer(2),
            one_time_inbox=InboxId(reader.take(INBOX_ID_BYTES)),
            operation=_operation(reader.integer(1)),
            inbox=InboxId(reader.take(INBOX_ID_BYTES)),
            lifetime_hours=reader.integer(2),
            handles=tuple(
                MailHandle(reader.take(MAIL_HANDLE_BYTES)) for _ in range(HANDLES_IN_CONTROL)
            ),
        )


def renumbered(frame: bytes, sequence: int) -> bytes:
    """A relay-and-fetch frame with another sequence, which stands right behind its first byte."""
    return frame[:1] + sequence.to_bytes(_SEQUENCE_BYTES, "big") + frame[1 + _SEQUENCE_BYTES :]


def _operation(code: int) -> InboxOperation:
    try:
        return InboxOperation(code)
    except ValueError as error:
        raise PeerError(Drop.FRAME) from error
