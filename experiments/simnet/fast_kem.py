"""A KEM with no security at all, for virtual time only: anyone can compute the shared secret.

It lets a simulation run the product's whole packet path without public-key cost and, drawing from
a seeded stream, gives the same bytes twice. `hushmill.crypto.kem_named` cannot return it.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.randomness import Randomness

FAST_KEY_BYTES = 32


def _shared(public: bytes, ciphertext: bytes) -> bytes:
    return blake2b(ciphertext, digest_size=32, key=public, person=b"test-only kem").digest()


@dataclass(frozen=True, slots=True)
class FastPublic:
    """TEST ONLY. The hash of a secret, 32 bytes."""

    raw: bytes
    rng: Randomness

    def encapsulate(self) -> tuple[bytes, bytes]:
        ciphertext = self.rng.take(FAST_KEY_BYTES)
        return ciphertext, _shared(self.raw, ciphertext)


@dataclass(frozen=True, slots=True)
class FastSecret:
    """TEST ONLY. 32 bytes whose public key opens everything."""

    raw: bytes
    public: FastPublic

    def decapsulate(self, ciphertext: bytes) -> bytes:
        if len(ciphertext) != FAST_KEY_BYTES:
            raise PeerError(Drop.PACKET)
        return _shared(self.public.raw, ciphertext)


class FastKem:
    """TEST ONLY. Code 0xFE, ciphertexts of 32 bytes, shared = BLAKE2b(public, ciphertext)."""

    name: Final = "fast-for-tests"
    code: Final = 0xFE
    ciphertext_bytes: Final = FAST_KEY_BYTES
    public_bytes: Final = FAST_KEY_BYTES

    def __init__(self, rng: Randomness) -> None:
        self._rng = rng

    def generate(self) -> FastSecret:
        return self.load_secret(self._rng.take(FAST_KEY_BYTES))

    def public(self, raw: bytes) -> FastPublic:
        if len(raw) != FAST_KEY_BYTES:
            raise PeerError(Drop.PACKET)
        return FastPublic(bytes(raw), self._rng)

    def load_secret(self, raw: bytes) -> FastSecret:
        if len(raw) != FAST_KEY_BYTES:
            raise UsageError(f"a fast secret is {FAST_KEY_BYTES} bytes")
        public = blake2b(raw, digest_size=FAST_KEY_BYTES, person=b"test-only public").digest()
        return FastSecret(bytes(raw), FastPublic(public, self._rng))
