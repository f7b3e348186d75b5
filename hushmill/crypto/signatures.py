"""Signatures: hybrid ones (Ed25519 and ML-DSA-65, both must hold) for the directory, and plain
Ed25519 for accounts. What is signed is label length (1 byte) | label | message, so a signature of
one purpose never serves another.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from nacl.bindings import crypto_core_ed25519_is_valid_point

from hushmill.crypto.labels import Label
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

ED25519_PUBLIC_BYTES = 32
ED25519_SEED_BYTES = 32
ED25519_SIGNATURE_BYTES = 64
MLDSA_PUBLIC_BYTES = 1952
MLDSA_SEED_BYTES = 32
MLDSA_SIGNATURE_BYTES = 3309
VERIFY_KEY_BYTES = ED25519_PUBLIC_BYTES + MLDSA_PUBLIC_BYTES
SIGNATURE_BYTES = ED25519_SIGNATURE_BYTES + MLDSA_SIGNATURE_BYTES


def _signed_bytes(label: Label, message: bytes) -> bytes:
    return len(label).to_bytes(1, "big") + label + message


class Ed25519VerifyKey:
    """32 bytes. Raises PeerError(reason) when they cannot be a key."""

    __slots__ = ("_key", "raw")

    def __init__(self, raw: bytes, reason: Drop = Drop.DOCUMENT) -> None:
        # OpenSSL accepts points of low order, for which anyone can make a signature.
        if len(raw) != ED25519_PUBLIC_BYTES or not crypto_core_ed25519_is_valid_point(raw):
            raise PeerError(reason)
        try:
            self._key = Ed25519PublicKey.from_public_bytes(raw)
        except ValueError as error:
            raise PeerError(reason) from error
        self.raw = bytes(raw)

    def verify(
        self, label: Label, signature: bytes, message: bytes, reason: Drop = Drop.DOCUMENT
    ) -> None:
        """Returns when `signature` (64 bytes) holds; else raises PeerError(reason)."""
        if len(signature) != ED25519_SIGNATURE_BYTES:
            raise PeerError(reason)
        try:
            self._key.verify(signature, _signed_bytes(label, message))
        except InvalidSignature as error:
            raise PeerError(reason) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ed25519VerifyKey) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Ed25519VerifyKey({self.raw.hex()})"


class Ed25519SigningKey:
    """A seed of 32 bytes (`raw`) and its parsed key."""

    __slots__ = ("_key", "public", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != ED25519_SEED_BYTES:
            raise UsageError(f"an Ed25519 seed is {ED25519_SEED_BYTES} bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(raw)
        self.raw = bytes(raw)
        self.public = Ed25519VerifyKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> "Ed25519SigningKey":
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_raw(cls, raw: bytes) -> "Ed25519SigningKey":
        return cls(raw)

    def sign(self, label: Label, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(_signed_bytes(label, message))

    def __repr__(self) -> str:
        return "Ed25519SigningKey(<32 bytes>)"


class VerifyKey:
    """Ed25519 32 bytes | ML-DSA-65 1,952. Raises PeerError(DOCUMENT) when they cannot be keys."""

    __slots__ = ("_ed25519", "_mldsa", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != VERIFY_KEY_BYTES:
            raise PeerError(Drop.DOCUMENT)
        self._ed25519 = Ed25519VerifyKey(raw[:ED25519_PUBLIC_BYTES])
        try:
            self._mldsa = MLDSA65PublicKey.from_public_bytes(raw[ED25519_PUBLIC_BYTES:])
        except ValueError as error:
            raise PeerError(Drop.DOCUMENT) from error
        self.raw = bytes(raw)

    def verify(self, label: Label, signature: bytes, message: bytes) -> None:
        """Returns when *both* parts of `signature` (3,373 bytes) hold; else PeerError(DOCUMENT)."""
        if len(signature) != SIGNATURE_BYTES:
            raise PeerError(Drop.DOCUMENT)
        self._ed25519.verify(label, signature[:ED25519_SIGNATURE_BYTES], message)
        try:
            self._mldsa.verify(signature[ED25519_SIGNATURE_BYTES:], _signed_bytes(label, message))
        except InvalidSignature as error:
            raise PeerError(Drop.DOCUMENT) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyKey) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"VerifyKey({self.raw[:8].hex()}…)"


class SigningKey:
    """Two seeds of 32 bytes (`raw`: Ed25519's, then ML-DSA's) and their parsed keys."""

    __slots__ = ("_ed25519", "_mldsa", "public", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != ED25519_SEED_BYTES + MLDSA_SEED_BYTES:
            raise UsageError(f"a signing key is {ED25519_SEED_BYTES + MLDSA_SEED_BYTES} bytes")
        self._ed25519 = Ed25519SigningKey(raw[:ED25519_SEED_BYTES])
        self._mldsa = MLDSA65PrivateKey.from_seed_bytes(raw[ED25519_SEED_BYTES:])
        self.raw = bytes(raw)
        self.public = VerifyKey(
            self._ed25519.public.raw + self._mldsa.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> "SigningKey":
        seed = MLDSA65PrivateKey.generate().private_bytes_raw()
        return cls(Ed25519SigningKey.generate().raw + seed)

    @classmethod
    def from_raw(cls, raw: bytes) -> "SigningKey":
        return cls(raw)

    def sign(self, label: Label, message: bytes) -> bytes:
        """Ed25519's 64 bytes | ML-DSA's 3,309 (hedged: two signatures of one message differ)."""
        return self._ed25519.sign(label, message) + self._mldsa.sign(_signed_bytes(label, message))

    def __repr__(self) -> str:
        return "SigningKey(<64 bytes>)"
