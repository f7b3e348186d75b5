"""What one person says to another: text or a file, with the rooms that later features need.

    version 1 | canonical MessagePack of `_Wire`

Device, conversation, its key and its kind, and expiry are in the format from the first day, so
that groups, several devices and timers change no meaning later. Spec: docs/spec/e2ee.md (Content).
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from client.file_name import safe_file_name
from hushmill.codec import decode, encode
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

CONTENT_VERSION = 1
DEVICE_BYTES = 8
CONVERSATION_BYTES = 16
DIRECT_CONVERSATION = bytes(CONVERSATION_BYTES)  # two people's own, which needs no name
FIRST_DEVICE = bytes(DEVICE_BYTES)
NAME_BYTES = 255  # of a file's name, before it is made safe
TEXT_BYTES = 64 * 1024
FILE_BYTES = 2 * 1024 * 1024
CONTENT_BYTES = FILE_BYTES + 4096
_TIME_LIMIT = 2**40  # seconds; far beyond any clock, near enough to stay exact everywhere

ConversationKind = Literal["direct", "group"]


@dataclass(frozen=True, slots=True)
class Text:
    body: str


@dataclass(frozen=True, slots=True)
class File:
    """`name` is safe to write and to show, whoever made it."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """Times are Unix seconds by the sender's clock; `expires_at` 0 means never."""

    body: Text | File
    sent_at: int
    expires_at: int = 0
    device: bytes = FIRST_DEVICE
    conversation: bytes = DIRECT_CONVERSATION
    conversation_kind: ConversationKind = "direct"
    conversation_key: int = 0

    def encode(self) -> bytes:
        """Raises UsageError for what no recipient would take."""
        kind: Literal["text", "file"]
        match self.body:
            case Text(text):
                kind, name, data = "text", "", text.encode("utf-8", errors="replace")
            case File(claimed, data):
                kind, name = "file", safe_file_name(claimed)
        wire = _Wire(
            kind,
            self.device,
            self.conversation,
            self.conversation_kind,
            self.conversation_key,
            self.sent_at,
            self.expires_at,
            name,
            data,
        )
        try:
            _require_sound(wire)
        except PeerError as error:
            raise UsageError("a message outside the limits of its format") from error
        return bytes((CONTENT_VERSION,)) + encode(wire)

    @classmethod
    def decode(cls, data: bytes) -> "Message":
        """The message in `data` (hostile). Raises PeerError(SESSION) for another version, for
        anything but the one encoding, and for fields outside their limits."""
        if data[:1] != bytes((CONTENT_VERSION,)):
            raise PeerError(Drop.SESSION)
        try:
            wire = decode(data[1:], _Wire, CONTENT_BYTES)
        except PeerError as error:
            raise PeerError(Drop.SESSION) from error
        _require_sound(wire)
        body: Text | File
        if wire.kind == "file":
            body = File(safe_file_name(wire.name), wire.data)
        else:
            body = Text(_text(wire.data))
        return cls(
            body,
            wire.sent_at,
            wire.expires_at,
            wire.device,
            wire.conversation,
            wire.conversation_kind,
            wire.conversation_key,
        )


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    kind: Literal["text", "file"]
    device: bytes
    conversation: bytes
    conversation_kind: ConversationKind
    conversation_key: int
    sent_at: int
    expires_at: int
    name: str
    data: bytes


def _require_sound(wire: _Wire) -> None:
    sizes = (len(wire.device), len(wire.conversation)) == (DEVICE_BYTES, CONVERSATION_BYTES)
    times = all(0 <= moment < _TIME_LIMIT for moment in (wire.sent_at, wire.expires_at))
    key = 0 <= wire.conversation_key < 2**32
    limit = FILE_BYTES if wire.kind == "file" else TEXT_BYTES
    is_named = len(wire.name.encode()) <= NAME_BYTES
    if not (sizes and times and key and is_named) or len(wire.data) > limit:
        raise PeerError(Drop.SESSION)
    if wire.kind == "text":
        if wire.name:
            raise PeerError(Drop.SESSION)
        _text(wire.data)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PeerError(Drop.SESSION) from error
