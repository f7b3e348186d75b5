"""ML-KEM-768 (FIPS 203) by OpenSSL; keys are parsed once, since parsing costs as much as use."""

from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

MLKEM_PUBLIC_BYTES = 1184
MLKEM_CIPHERTEXT_BYTES = 1088
MLKEM_SEED_BYTES = 64
# What a malformed key or ciphertext makes the library raise; anything else is our bug.
LIBRARY_REFUSALS = (ValueError, InvalidKey, UnsupportedAlgorithm)


class MlKemPublic:
    """Somebody's encapsulation key, 1,184 bytes, coefficients checked."""

    __slots__ = ("_key", "raw")

    def __init__(self, raw: bytes, reason: Drop = Drop.SESSION) -> None:
        """Raises PeerError(reason) for a wrong length or a coefficient outside the field."""
        if len(raw) != MLKEM_PUBLIC_BYTES:
            raise PeerError(reason)
        try:
            self._key = MLKEM768PublicKey.from_public_bytes(raw)
        except LIBRARY_REFUSALS as error:
            raise PeerError(reason) from error
        self.raw = bytes(raw)

    def encapsulate(self) -> tuple[bytes, bytes]:
        """(ciphertext of 1,088 bytes, shared secret of 32), with the library's own randomness."""
        shared, ciphertext = self._key.encapsulate()
        return ciphertext, shared

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MlKemPublic) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"MlKemPublic({self.raw[:8].hex()}…)"


class MlKemSecret:
    """A decapsulation key, kept as its 64-byte seed (d, z) and the parsed object."""

    __slots__ = ("_key", "public", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != MLKEM_SEED_BYTES:
            raise UsageError(f"an ML-KEM secret is a seed of {MLKEM_SEED_BYTES} bytes")
        self._key = MLKEM768PrivateKey.from_seed_bytes(raw)
        self.raw = bytes(raw)
        self.public = MlKemPublic(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> "MlKemSecret":
        return cls(MLKEM768PrivateKey.generate().private_bytes_raw())

    def decapsulate(self, ciphertext: bytes, reason: Drop = Drop.SESSION) -> bytes:
        """The 32-byte shared secret; a forged ciphertext gives an unrelated one (FIPS 203, 6.3).

        Raises PeerError(reason) for a wrong length.
        """
        if len(ciphertext) != MLKEM_CIPHERTEXT_BYTES:
            raise PeerError(reason)
        return self._key.decapsulate(ciphertext)

    def __repr__(self) -> str:
        return "MlKemSecret(<64 bytes>)"
