"""A mail frame's contents: one stored item or filler, and one piece of the consensus.

Exactly one mail frame answers each upstream frame. A filler's item fields are random bytes, so a
frame from a full and from an empty mailbox are built alike. Spec: docs/spec/link.md (Mail).
"""

from dataclasses import dataclass

from hushmill.codec import Reader
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import (
    DEPOSIT_ID_BYTES,
    INBOX_ID_BYTES,
    DepositId,
    Epoch,
    InboxId,
)
from hushmill.link.control import MAIL_HANDLE_BYTES, MailHandle
from hushmill.randomness import Randomness

MAIL_FIXED_BYTES = 1 + MAIL_HANDLE_BYTES + INBOX_ID_BYTES + DEPOSIT_ID_BYTES + 4 + 4 + 2 + 2 + 2
_FILLER, _ITEM = 0, 1


@dataclass(frozen=True, slots=True)
class MailItem:
    """What was deposited at `inbox` under `deposit`; `handle` (8 bytes) is the provider's name for
    it, by which the client has it deleted. `body` is exactly a packet's body."""

    handle: MailHandle
    inbox: InboxId
    deposit: DepositId
    body: bytes

    def __post_init__(self) -> None:
        if len(self.handle) != MAIL_HANDLE_BYTES:
            raise UsageError("a mail handle has 8 bytes")
        if len(self.inbox) != INBOX_ID_BYTES or len(self.deposit) != DEPOSIT_ID_BYTES:
            raise UsageError("an inbox id has 32 bytes and a deposit id 16")


@dataclass(frozen=True, slots=True)
class PieceOfDocument:
    """Bytes `index` of `count` equal pieces of the consensus of `epoch` (the last is shorter)."""

    epoch: Epoch
    index: int
    count: int
    data: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count <= 0xFFFF:
            raise UsageError("a piece's index is below its count, and both are u16")


@dataclass(frozen=True, slots=True)
class Mail:
    """`item` None is filler; `piece` None when the provider has no document to give.

    `answered_sequence` is the highest control sequence whose effects are committed.
    """

    item: MailItem | None
    answered_sequence: int
    piece: PieceOfDocument | None

    def encode(self, body_bytes: int, piece_bytes: int, rng: Randomness) -> bytes:
        """Exactly MAIL_FIXED_BYTES + body_bytes + piece_bytes; what is not used is random."""
        return b"".join(
            (
                self._encode_item(body_bytes, rng),
                self.answered_sequence.to_bytes(4, "big"),
                self._encode_piece(piece_bytes, rng),
            )
        )

    def _encode_item(self, body_bytes: int, rng: Randomness) -> bytes:
        item = self.item
        if item is None:
            filler = MAIL_HANDLE_BYTES + INBOX_ID_BYTES + DEPOSIT_ID_BYTES + body_bytes
            return bytes([_FILLER]) + rng.take(filler)
        if len(item.body) != body_bytes:
            raise UsageError("an item's body has exactly the body size of the network's packets")
        return b"".join((bytes([_ITEM]), item.handle, item.inbox, item.deposit, item.body))

    def _encode_piece(self, piece_bytes: int, rng: Randomness) -> bytes:
        piece = self.piece
        if piece is None:
            return bytes(10) + rng.take(piece_bytes)
        length = len(piece.data)
        if length > piece_bytes:
            raise UsageError("a piece is longer than its room")
        return b"".join(
            (
                piece.epoch.to_bytes(4, "big"),
                piece.index.to_bytes(2, "big"),
                piece.count.to_bytes(2, "big"),
                length.to_bytes(2, "big"),
                piece.data,
                rng.take(piece_bytes - length),
            )
        )

    @classmethod
    def decode(cls, reader: Reader, body_bytes: int, piece_bytes: int) -> "Mail":
        """The mail at the reader, from a provider that may be hostile. PeerError(FRAME)."""
        kind = reader.integer(1)
        item = MailItem(
            handle=MailHandle(reader.take(MAIL_HANDLE_BYTES)),
            inbox=InboxId(reader.take(INBOX_ID_BYTES)),
            deposit=DepositId(reader.take(DEPOSIT_ID_BYTES)),
            body=reader.take(body_bytes),
        )
        if kind not in (_FILLER, _ITEM):
            raise PeerError(Drop.FRAME)
        answered = reader.integer(4)
        return cls(item if kind == _ITEM else None, answered, _read_piece(reader, piece_bytes))


def _read_piece(reader: Reader, piece_bytes: int) -> PieceOfDocument | None:
    epoch = Epoch(reader.integer(4))
    index, count, length = (reader.integer(2) for _ in range(3))
    room = reader.take(piece_bytes)
    if count == 0 and epoch == index == length == 0:
        return None
    if index >= count or length > piece_bytes:
        raise PeerError(Drop.FRAME)
    return PieceOfDocument(epoch, index, count, room[:length])
