"""The header that begins a session, sent with each message until the peer first answers.

    version 1 | suite 1 | initiator 32 | ephemeral 32 | prekey 32 | ML-KEM ciphertext 1,088

`prekey` is the responder's X25519 prekey, by which it finds the pair of prekeys that was used.
Spec: docs/spec/e2ee.md (Handshake).
"""

from dataclasses import dataclass

from client.bundle import E2EE_SUITE, E2EE_VERSION
from client.identity import IDENTITY_BYTES, IdentityKey
from hushmill.codec import Reader
from hushmill.crypto import MLKEM_CIPHERTEXT_BYTES, X25519_BYTES, Label, digest
from hushmill.drops import Drop
from hushmill.errors import PeerError

HANDSHAKE_HEADER_BYTES = 2 + IDENTITY_BYTES + 2 * X25519_BYTES + MLKEM_CIPHERTEXT_BYTES


@dataclass(frozen=True, slots=True)
class HandshakeHeader:
    """1,186 bytes on the wire."""

    identity: IdentityKey
    ephemeral: bytes
    prekey: bytes
    kem_ciphertext: bytes

    def encode(self) -> bytes:
        start = bytes((E2EE_VERSION, E2EE_SUITE))
        return start + self.identity + self.ephemeral + self.prekey + self.kem_ciphertext

    @classmethod
    def decode(cls, data: bytes) -> "HandshakeHeader":
        """The header in `data` (hostile). Raises PeerError(SESSION) for another version, suite
        or length; whether its keys are any good, the handshake finds out."""
        if len(data) != HANDSHAKE_HEADER_BYTES or data[:2] != bytes((E2EE_VERSION, E2EE_SUITE)):
            raise PeerError(Drop.SESSION)
        reader = Reader(data[2:])
        return cls(
            IdentityKey(reader.take(IDENTITY_BYTES)),
            reader.take(X25519_BYTES),
            reader.take(X25519_BYTES),
            reader.take(MLKEM_CIPHERTEXT_BYTES),
        )


def handshake_fingerprint(header: bytes) -> bytes:
    """32 bytes to remember an accepted handshake by, until its prekey dies. A replayed header has
    the same; a changed one begins another session, which its first message does not open."""
    return digest(Label.E2EE_FINGERPRINT, header)
