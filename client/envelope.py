"""What one sealed deposit holds: where its sender is reached, what it has received, one fragment.

    version 1 | kind 1 | provider 2 | inbox serial 4 | inbox 32 | oldest 4 |
    received through 4 | entries 1 | entries (sequence 4 | bitmap 32) … |
    [sequence 4 | number 2 | fragment]

Every envelope of a network has one size. A fragment's has room for two entries of messages that
are partly received, a bare acknowledgement's for 64; unused room is zeros. The sender's live inbox
rides in every envelope: a higher serial is a newer one. `oldest` is the lowest sequence that its
sender still tries: what is missing below it will not come. Spec: docs/spec/traffic.md (Envelopes).
"""

from dataclasses import dataclass
from enum import IntEnum

from client.seal import SEAL_OVERHEAD_BYTES
from hushmill.codec import Reader
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import INBOX_ID_BYTES, InboxId, NodeNumber

ENVELOPE_VERSION = 1
FRAGMENTS_LIMIT = 256  # of one message
BITMAP_BYTES = FRAGMENTS_LIMIT // 8
WHOLE = b"\xff" * BITMAP_BYTES
ENTRIES_BESIDE_FRAGMENT = 2
ENTRIES_ALONE = 64
_ENTRY_BYTES = 4 + BITMAP_BYTES
_HEAD_BYTES = 1 + 1 + 2 + 4 + INBOX_ID_BYTES + 4 + 4 + 1
_FRAGMENT_HEAD_BYTES = 4 + 2


class EnvelopeKind(IntEnum):
    FRAGMENT = 1
    ACKNOWLEDGEMENT = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """Which fragments of message `sequence` are committed: bit i of `bitmap` (32 bytes, lowest bit
    of the first byte first) is fragment i. All ones say that the whole message is."""

    sequence: int
    bitmap: bytes


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Every message up to `through` is committed; `entries` tell of later ones, rising."""

    through: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """Where someone receives. A higher `serial` replaces a lower one."""

    provider: NodeNumber
    inbox: InboxId
    serial: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Fragment `number` of message `sequence`; sequence 0 is the answer to an invitation."""

    sequence: int
    number: int
    fragment: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    sender: Address
    oldest: int
    acknowledgement: Acknowledgement
    piece: Piece | None


class EnvelopeFormat:
    """Envelopes for packets whose body has `body_bytes`."""

    __slots__ = ("_plain_bytes", "fragment_bytes")

    def __init__(self, body_bytes: int) -> None:
        self._plain_bytes = body_bytes - SEAL_OVERHEAD_BYTES
        room = _HEAD_BYTES + ENTRIES_BESIDE_FRAGMENT * _ENTRY_BYTES + _FRAGMENT_HEAD_BYTES
        self.fragment_bytes = self._plain_bytes - room
        if self.fragment_bytes < 64:
            raise UsageError("a packet's body has no room for an envelope")

    @property
    def entries_alone(self) -> int:
        """How many entries an acknowledgement without a fragment has room for."""
        return min(ENTRIES_ALONE, (self._plain_bytes - _HEAD_BYTES) // _ENTRY_BYTES)

    def encode(self, envelope: Envelope) -> bytes:
        """Exactly `body_bytes` less the seal's 16."""
        piece = envelope.piece
        kind = EnvelopeKind.ACKNOWLEDGEMENT if piece is None else EnvelopeKind.FRAGMENT
        room = self.entries_alone if piece is None else ENTRIES_BESIDE_FRAGMENT
        entries = envelope.acknowledgement.entries
        if len(entries) > room:
            raise UsageError("an envelope has no room for so many entries")
        listed = b"".join(entry.sequence.to_bytes(4, "big") + entry.bitmap for entry in entries)
        parts = [
            bytes((ENVELOPE_VERSION, kind)),
            envelope.sender.provider.to_bytes(2, "big"),
            envelope.sender.serial.to_bytes(4, "big"),
            envelope.sender.inbox,
            envelope.oldest.to_bytes(4, "big"),
            envelope.acknowledgement.through.to_bytes(4, "big"),
            bytes((len(entries),)),
            listed + bytes(room * _ENTRY_BYTES - len(listed)),
        ]
        if piece is not None:
            if len(piece.fragment) != self.fragment_bytes:
                raise UsageError("a fragment fills its envelope exactly")
            parts += [
                piece.sequence.to_bytes(4, "big"),
                piece.number.to_bytes(2, "big"),
                piece.fragment,
            ]
        body = b"".join(parts)
        return body + bytes(self._plain_bytes - len(body))

    def decode(self, plaintext: bytes) -> Envelope:
        """The envelope that a contact (who may be hostile) sealed. Raises PeerError(SESSION)."""
        try:
            return self._decode(plaintext)
        except PeerError as error:
            raise PeerError(Drop.SESSION) from error

    def _decode(self, plaintext: bytes) -> Envelope:
        reader = Reader(plaintext)
        if reader.integer(1) != ENVELOPE_VERSION:
            raise PeerError(Drop.SESSION)
        kind = reader.integer(1)
        if kind not in (EnvelopeKind.FRAGMENT, EnvelopeKind.ACKNOWLEDGEMENT):
            raise PeerError(Drop.SESSION)
        is_fragment = kind == EnvelopeKind.FRAGMENT
        provider, serial = NodeNumber(reader.integer(2)), reader.integer(4)
        sender = Address(provider, InboxId(reader.take(INBOX_ID_BYTES)), serial)
        oldest, through, count = reader.integer(4), reader.integer(4), reader.integer(1)
        room = ENTRIES_BESIDE_FRAGMENT if is_fragment else self.entries_alone
        if count > room:
            raise PeerError(Drop.SESSION)
        entries = tuple(Entry(reader.integer(4), reader.take(BITMAP_BYTES)) for _ in range(count))
        _require_zeros(reader.take((room - count) * _ENTRY_BYTES))
        sequences = [through, *(entry.sequence for entry in entries)]
        if sequences != sorted(set(sequences)):
            raise PeerError(Drop.SESSION)
        piece = None
        if is_fragment:
            sequence, number = reader.integer(4), reader.integer(2)
            if number >= FRAGMENTS_LIMIT:
                raise PeerError(Drop.SESSION)
            piece = Piece(sequence, number, reader.take(self.fragment_bytes))
        else:
            _require_zeros(
                reader.take(self._plain_bytes - _HEAD_BYTES - self.entries_alone * _ENTRY_BYTES)
            )
        reader.end()
        return Envelope(sender, oldest, Acknowledgement(through, entries), piece)


def _require_zeros(padding: bytes) -> None:
    if any(padding):
        raise PeerError(Drop.SESSION)
