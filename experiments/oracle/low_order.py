"""Packets for no key: their public element makes a secret that anybody knows."""

import secrets
from dataclasses import dataclass
from hashlib import sha3_256

from hushmill.crypto import (
    MLKEM_PUBLIC_BYTES,
    KemPublic,
    MlKemPublic,
    X25519Secret,
    x25519,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.parameters import SuiteName

# Every u of low order on the curve or its twist below 2^255 (Bernstein, "Curve25519: new
# Diffie-Hellman speed records", and cr.yp.to/ecdh.html): the last two are 0 and 1 again.
_PRIME = 2**255 - 19
LOW_ORDER = (
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    _PRIME - 1,
    _PRIME,
    _PRIME + 1,
)
_XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")  # draft-connolly-cfrg-xwing-kem, 5.3


@dataclass(frozen=True)
class ForgedKey:
    """Encapsulates to `real` with an X25519 element and a result of the maker's choice."""

    suite: SuiteName
    real: KemPublic
    element: bytes
    result: bytes

    @property
    def raw(self) -> bytes:
        return self.real.raw

    def encapsulate(self) -> tuple[bytes, bytes]:
        if self.suite == "x25519":
            return self.element, self.result
        public = MlKemPublic(self.real.raw[:MLKEM_PUBLIC_BYTES], Drop.PACKET)
        ciphertext, shared = public.encapsulate()
        parts = (shared, self.result, self.element, self.real.raw[MLKEM_PUBLIC_BYTES:])
        return ciphertext + self.element, sha3_256(b"".join((*parts, _XWING_LABEL))).digest()


def _has_result(element: bytes) -> bool:
    try:
        x25519(bytes(32), element)
    except PeerError:
        return False
    return True


def low_order_keys(suite: SuiteName, real: KemPublic) -> list[ForgedKey]:
    """With any secret the result is zero."""
    elements = [value.to_bytes(32, "little") for value in LOW_ORDER]
    if any(_has_result(element) for element in elements):
        raise AssertionError("an element is not of low order")
    return [ForgedKey(suite, real, element, bytes(32)) for element in elements]


def honest_key(suite: SuiteName, real: KemPublic) -> ForgedKey:
    """The same forging with an element and a result that are right: it must be delivered, or the
    others were refused for a fault in the forging."""
    secret = X25519Secret(secrets.token_bytes(32))
    result = x25519(secret.raw, real.raw[-32:])
    return ForgedKey(suite, real, secret.public.raw, result)
