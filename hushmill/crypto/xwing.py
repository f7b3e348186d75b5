"""X-Wing: X25519 and ML-KEM-768 in one KEM (draft-connolly-cfrg-xwing-kem).

`sk_M pk_M ct_M ss_M` of the draft are ML-KEM's, `sk_X pk_X ct_X ss_X` X25519's. Key and ciphertext
hold ML-KEM's part first. One deviation, in docs/spec/packet.md: X25519 parts that are low-order or
not canonical are refused, where the draft lets them pass.
"""

import secrets
from functools import lru_cache
from hashlib import sha3_256, shake_256
from typing import Final

from nacl import bindings

from hushmill.crypto.kem import PARSED_KEYS_KEPT
from hushmill.crypto.mlkem import (
    MLKEM_CIPHERTEXT_BYTES,
    MLKEM_PUBLIC_BYTES,
    MLKEM_SEED_BYTES,
    MlKemPublic,
    MlKemSecret,
)
from hushmill.crypto.x25519 import X25519_BYTES, X25519Public, x25519
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

XWING_SEED_BYTES = 32
XWING_LABEL = rb"\.//^" + b"\\"  # the draft's ASCII art, 5c2e2f2f5e5c


def _combine(mlkem_shared: bytes, shared: bytes, ciphertext: bytes, public: bytes) -> bytes:
    """SHA3-256(ss_M | ss_X | ct_X | pk_X | label), the draft's Combiner."""
    return sha3_256(b"".join((mlkem_shared, shared, ciphertext, public, XWING_LABEL))).digest()


class XWingPublic:
    """pk_M 1,184 bytes | pk_X 32."""

    __slots__ = ("_mlkem", "_x25519", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != MLKEM_PUBLIC_BYTES + X25519_BYTES:
            raise PeerError(Drop.PACKET)
        self._mlkem: Final = MlKemPublic(raw[:MLKEM_PUBLIC_BYTES], Drop.PACKET)
        self._x25519: Final = X25519Public(raw[MLKEM_PUBLIC_BYTES:], Drop.PACKET).raw
        self.raw: Final = bytes(raw)

    def encapsulate(self) -> tuple[bytes, bytes]:
        ephemeral = secrets.token_bytes(X25519_BYTES)
        ciphertext = bindings.crypto_scalarmult_base(ephemeral)
        shared = x25519(ephemeral, self._x25519, Drop.PACKET)
        mlkem_ciphertext, mlkem_shared = self._mlkem.encapsulate()
        combined = _combine(mlkem_shared, shared, ciphertext, self._x25519)
        return mlkem_ciphertext + ciphertext, combined

    def __repr__(self) -> str:
        return f"XWingPublic({self.raw[:8].hex()}…)"


class XWingSecret:
    """The draft's 32-byte decapsulation key, a seed, with the keys it expands to."""

    __slots__ = ("_mlkem", "_public", "_x25519", "public", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != XWING_SEED_BYTES:
            raise UsageError(f"an xwing secret is a seed of {XWING_SEED_BYTES} bytes")
        expanded = shake_256(raw).digest(MLKEM_SEED_BYTES + X25519_BYTES)
        self.raw: Final = bytes(raw)
        self._mlkem: Final = MlKemSecret(expanded[:MLKEM_SEED_BYTES])
        self._x25519: Final = expanded[MLKEM_SEED_BYTES:]
        self._public: Final = bindings.crypto_scalarmult_base(self._x25519)
        self.public: Final = XWingPublic(self._mlkem.public.raw + self._public)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        classical = ciphertext[MLKEM_CIPHERTEXT_BYTES:]
        # X25519 first: a low-order part costs no ML-KEM, and libsodium leaves the vector registers
        # clean, where OpenSSL's ChaCha20 of the packet before leaves them in a state that makes
        # its ML-KEM half as fast (25 µs against 50, measured).
        shared = x25519(self._x25519, classical, Drop.PACKET)
        mlkem_shared = self._mlkem.decapsulate(ciphertext[:MLKEM_CIPHERTEXT_BYTES], Drop.PACKET)
        return _combine(mlkem_shared, shared, classical, self._public)

    def __repr__(self) -> str:
        return "XWingSecret(<32 bytes>)"


class XWingKem:
    """The default: an adversary must break both parts."""

    name: Final = "xwing"
    code: Final = 0x02
    ciphertext_bytes: Final = MLKEM_CIPHERTEXT_BYTES + X25519_BYTES
    public_bytes: Final = MLKEM_PUBLIC_BYTES + X25519_BYTES

    def generate(self) -> XWingSecret:
        return XWingSecret(secrets.token_bytes(XWING_SEED_BYTES))

    @staticmethod
    @lru_cache(maxsize=PARSED_KEYS_KEPT)
    def public(raw: bytes) -> XWingPublic:
        return XWingPublic(raw)

    def load_secret(self, raw: bytes) -> XWingSecret:
        return XWingSecret(raw)


XWING_KEM: Final = XWingKem()
