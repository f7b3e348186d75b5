"""What the packet needs of a KEM, and its small suite, X25519. Spec: docs/spec/packet.md (Suites).

The packet's own derivation hashes ciphertext and secret, so `X25519_KEM` gives the bare X25519
result: hashed ElGamal, with the one hash at its user.
"""

import secrets
from functools import lru_cache
from typing import Final, Protocol

from nacl import bindings

from hushmill.crypto.x25519 import X25519_BYTES, X25519Public, x25519
from hushmill.drops import Drop
from hushmill.errors import UsageError

SHARED_BYTES = 32
PARSED_KEYS_KEPT = 4096  # of all nodes and epochs in use; the least recently used is parsed again


class KemPublic(Protocol):
    """A node's public key, parsed."""

    @property
    def raw(self) -> bytes: ...

    def encapsulate(self) -> tuple[bytes, bytes]:
        """(ciphertext, shared secret of 32 bytes), with the library's own randomness."""
        ...


class KemSecret(Protocol):
    """A node's own key; `raw` is what its file keeps."""

    @property
    def raw(self) -> bytes: ...

    @property
    def public(self) -> KemPublic: ...

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte shared secret. Raises PeerError(PACKET) for a hostile ciphertext; a KEM may
        instead give an unrelated secret, which the packet's MAC then refuses."""
        ...


class Kem(Protocol):
    """A suite: `code` goes into every derivation, so that suites never share a key."""

    @property
    def name(self) -> str: ...

    @property
    def code(self) -> int: ...

    @property
    def ciphertext_bytes(self) -> int: ...

    @property
    def public_bytes(self) -> int: ...

    def generate(self) -> KemSecret: ...

    def public(self, raw: bytes) -> KemPublic:
        """The parsed key (cached). Raises PeerError(PACKET) for bytes that are no valid key."""
        ...

    def load_secret(self, raw: bytes) -> KemSecret:
        """The secret whose `raw` this is. Raises UsageError for a wrong length."""
        ...


class X25519KemPublic:
    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw: Final = X25519Public(raw, Drop.PACKET).raw

    def encapsulate(self) -> tuple[bytes, bytes]:
        ephemeral = secrets.token_bytes(X25519_BYTES)
        return bindings.crypto_scalarmult_base(ephemeral), x25519(ephemeral, self.raw, Drop.PACKET)

    def __repr__(self) -> str:
        return f"X25519KemPublic({self.raw.hex()})"


class X25519KemSecret:
    __slots__ = ("public", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != X25519_BYTES:
            raise UsageError(f"an x25519 secret is {X25519_BYTES} bytes")
        self.raw: Final = bytes(raw)
        self.public: Final = X25519KemPublic(bindings.crypto_scalarmult_base(self.raw))

    def decapsulate(self, ciphertext: bytes) -> bytes:
        return x25519(self.raw, ciphertext, Drop.PACKET)

    def __repr__(self) -> str:
        return "X25519KemSecret(<32 bytes>)"


class X25519Kem:
    """Small packets, no protection against a later quantum computer."""

    name: Final = "x25519"
    code: Final = 0x01
    ciphertext_bytes: Final = X25519_BYTES
    public_bytes: Final = X25519_BYTES

    def generate(self) -> X25519KemSecret:
        return X25519KemSecret(secrets.token_bytes(X25519_BYTES))

    @staticmethod
    @lru_cache(maxsize=PARSED_KEYS_KEPT)
    def public(raw: bytes) -> X25519KemPublic:
        return X25519KemPublic(raw)

    def load_secret(self, raw: bytes) -> X25519KemSecret:
        return X25519KemSecret(raw)


X25519_KEM: Final = X25519Kem()
