"""Key derivation: SHAKE-256 in one call over an injective encoding. Spec: docs/spec/packet.md.

Keccak's sponge needs no HMAC around it, and one call costs a third of HKDF's (FIPS 202, sections
6.2 and A.2).
"""

import hmac
from hashlib import shake_256

from hushmill.crypto.labels import Label


def derive(label: Label, length: int, *parts: bytes) -> bytes:
    """`length` bytes that only the exact `label`, `length` and `parts` give.

    Input to SHAKE-256: label length (1 byte) | label | output length (4) | and for each part its
    length (4) | part. All integers are big-endian, so no two inputs have one encoding.
    """
    pieces = [len(label).to_bytes(1, "big"), label, length.to_bytes(4, "big")]
    for part in parts:
        pieces.append(len(part).to_bytes(4, "big"))
        pieces.append(part)
    return shake_256(b"".join(pieces)).digest(length)


def digest(label: Label, *parts: bytes) -> bytes:
    """32 bytes that name `parts` under `label`; collision-resistant."""
    return derive(label, 32, *parts)


def equal(left: bytes, right: bytes) -> bool:
    """Whether both are the same bytes, in a time that depends on their lengths only."""
    return hmac.compare_digest(left, right)
