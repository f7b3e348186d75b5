"""A person's identity: one Ed25519 key, known to contacts and to nobody else.

Spec: docs/spec/e2ee.md (Identity).
"""

from typing import NewType

from hushmill.crypto import Ed25519SigningKey, Label
from hushmill.errors import UsageError
from hushmill.randomness import Randomness

IdentityKey = NewType("IdentityKey", bytes)  # 32 bytes, Ed25519 public key
IDENTITY_BYTES = 32


class Identity:
    """The secret half. `seed` is 32 bytes, kept in the encrypted store only."""

    __slots__ = ("_signer", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != IDENTITY_BYTES:
            raise UsageError("an identity's seed has 32 bytes")
        self.seed = seed
        self._signer = Ed25519SigningKey.from_raw(seed)
        self.public = IdentityKey(self._signer.public.raw)

    @classmethod
    def generate(cls, rng: Randomness) -> "Identity":
        return cls(rng.take(IDENTITY_BYTES))

    def sign(self, label: Label, message: bytes) -> bytes:
        """64 bytes. Only prekeys are ever signed: messages stay deniable."""
        return self._signer.sign(label, message)

    def __repr__(self) -> str:
        return "Identity(<secret>)"
