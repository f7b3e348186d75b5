"""X25519 by libsodium, strict: one encoding a point, and no all-zero result (RFC 7748, 6.1)."""

import secrets

from nacl import bindings
from nacl.exceptions import CryptoError

from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

X25519_BYTES = 32
FIELD_PRIME = 2**255 - 19


def x25519(secret: bytes, public: bytes, reason: Drop = Drop.SESSION) -> bytes:
    """The 32-byte shared secret; `public` may be hostile, `secret` is 32 bytes of ours.

    Raises PeerError(reason) for a wrong length, for an encoding that is not canonical (the high bit
    set, or a value of p or more) and for a low-order point, whose result would be all zeros.
    """
    if len(public) != X25519_BYTES or int.from_bytes(public, "little") >= FIELD_PRIME:
        raise PeerError(reason)
    try:
        shared = bindings.crypto_scalarmult(secret, public)
    except CryptoError as error:
        raise PeerError(reason) from error
    if not any(shared):  # libsodium refuses it too; we do not lean on that alone
        raise PeerError(reason)
    return shared


class X25519Public:
    """Somebody's public key: 32 canonical bytes, not of low order."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes, reason: Drop = Drop.SESSION) -> None:
        """Raises PeerError(reason) for what `x25519` would refuse with every secret."""
        # Every scalar is clamped to a multiple of the cofactor, so any scalar finds a low order.
        x25519(bytes(X25519_BYTES), raw, reason)
        self.raw = bytes(raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, X25519Public) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"X25519Public({self.raw.hex()})"


class X25519Secret:
    """A secret key: 32 bytes, clamped by the operation itself."""

    __slots__ = ("public", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != X25519_BYTES:
            raise UsageError(f"an X25519 secret is {X25519_BYTES} bytes")
        self.raw = bytes(raw)
        self.public = X25519Public(bindings.crypto_scalarmult_base(self.raw))

    @classmethod
    def generate(cls) -> "X25519Secret":
        return cls(secrets.token_bytes(X25519_BYTES))

    def exchange(self, public: X25519Public) -> bytes:
        """The 32-byte shared secret."""
        return x25519(self.raw, public.raw)

    def __repr__(self) -> str:
        return "X25519Secret(<32 bytes>)"
