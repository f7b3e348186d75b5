"""ChaCha20-Poly1305 (RFC 8439), and ChaCha20 alone for streams. Spec: docs/spec/packet.md."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hushmill.drops import Drop
from hushmill.errors import PeerError

AEAD_KEY_BYTES = 32
AEAD_NONCE_BYTES = 12
AEAD_TAG_BYTES = 16
# Every stream key here is used for one stream only, so its nonce can be constant.
ZERO_NONCE = bytes(AEAD_NONCE_BYTES)


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext, 16 bytes longer than `plaintext`. A (key, nonce) pair must never come twice."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated)


def open_sealed(
    key: bytes, nonce: bytes, sealed: bytes, associated: bytes, reason: Drop = Drop.FRAME
) -> bytes:
    """The plaintext. Raises PeerError(reason) when it was not sealed with exactly these."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, associated)
    except InvalidTag as error:
        raise PeerError(reason) from error


def stream_xor(key: bytes, data: bytes) -> bytes:
    """`data` under ChaCha20 with a zero nonce, from block 1 on; its own inverse.

    `key`: 32 bytes, used for one stream only. The AEAD without its tag gives the stream at half the
    cost of a cipher object; block 0 is the one that RFC 8439 (2.8) spends on the tag's key.
    """
    return ChaCha20Poly1305(key).encrypt(ZERO_NONCE, data, None)[:-AEAD_TAG_BYTES]


def keystream(key: bytes, length: int) -> bytes:
    """The first `length` bytes of the stream of `stream_xor`."""
    return stream_xor(key, bytes(length))
