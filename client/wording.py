"""What stands inside a ratchet message, inside a parcel, and in an invitation's answer.

    plaintext = 0 | display name (hello)          or  1 | content
    parcel    = 0 | ratchet message               or  1 | handshake header 1,186 | ratchet message
    answer    = bundle 1,382 | display name

Spec: docs/spec/traffic.md (Parcels).
"""

from dataclasses import dataclass

from client.bundle import BUNDLE_BYTES, Bundle
from client.content import Message
from client.handshake_header import HANDSHAKE_HEADER_BYTES
from hushmill.drops import Drop
from hushmill.errors import PeerError

NAME_BYTES = 256
_HELLO, _CONTENT = b"\0", b"\1"
_BARE, _WITH_HEADER = b"\0", b"\1"


@dataclass(frozen=True, slots=True)
class Hello:
    """An inviter's first message, by which the invited side learns that the two have met."""

    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The invited side's answer, sealed under the invitation."""

    bundle: Bundle
    name: str


def encode_hello(name: str) -> bytes:
    return _HELLO + _cut(name)


def encode_content(content: Message) -> bytes:
    return _CONTENT + content.encode()


def decode_plaintext(plaintext: bytes) -> Hello | Message:
    """What a contact (who may be hostile) has encrypted. Raises PeerError(SESSION)."""
    kind, rest = plaintext[:1], plaintext[1:]
    if kind == _HELLO:
        return Hello(_name(rest))
    if kind == _CONTENT:
        return Message.decode(rest)
    raise PeerError(Drop.SESSION)


def encode_parcel(header: bytes | None, ciphertext: bytes) -> bytes:
    return _BARE + ciphertext if header is None else _WITH_HEADER + header + ciphertext


def decode_parcel(parcel: bytes) -> tuple[bytes | None, bytes]:
    """The handshake header, if there is one, and the ratchet message. Raises PeerError(SESSION)."""
    kind, rest = parcel[:1], parcel[1:]
    if kind == _BARE:
        return None, rest
    if kind == _WITH_HEADER and len(rest) > HANDSHAKE_HEADER_BYTES:
        return rest[:HANDSHAKE_HEADER_BYTES], rest[HANDSHAKE_HEADER_BYTES:]
    raise PeerError(Drop.SESSION)


def encode_answer(bundle: Bundle, name: str) -> bytes:
    return bundle.encode() + _cut(name)


def decode_answer(data: bytes) -> Answer:
    """From whoever held the invitation. Raises PeerError(SESSION)."""
    return Answer(Bundle.decode(data[:BUNDLE_BYTES]), _name(data[BUNDLE_BYTES:]))


def _cut(name: str) -> bytes:
    return name.encode()[:NAME_BYTES].decode(errors="ignore").encode()


def _name(data: bytes) -> str:
    if len(data) > NAME_BYTES:
        raise PeerError(Drop.SESSION)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise PeerError(Drop.SESSION) from error
