"""The number that two people compare: Signal's numeric fingerprint, 60 digits.

Spec: docs/spec/e2ee.md (Safety number); vector in tests/vectors/safety_number.json.
"""

from hashlib import sha512

from client.identity import IdentityKey

_ITERATIONS = 5200
_VERSION = bytes(2)
_KEY_TYPE = b"\x05"  # what Signal puts before a key of this curve
_CHUNKS = 6
_CHUNK_BYTES = 5


def safety_number(own: IdentityKey, theirs: IdentityKey) -> str:
    """60 digits, the same for both people; different for anyone in the middle. There are no
    telephone numbers here, so the stable id is empty and the key alone decides."""
    return numeric_fingerprint((_KEY_TYPE + own, b""), (_KEY_TYPE + theirs, b""))


def numeric_fingerprint(left: tuple[bytes, bytes], right: tuple[bytes, bytes]) -> str:
    """60 digits for two pairs of (key of 33 bytes, stable id)."""
    return "".join(sorted((_half(*left), _half(*right))))


def _half(key: bytes, stable_id: bytes) -> str:
    """30 digits that cost 5,200 hashes to try a key for."""
    value = _VERSION + key + stable_id
    for _ in range(_ITERATIONS):
        value = sha512(value + key).digest()
    chunks = (value[index * _CHUNK_BYTES : (index + 1) * _CHUNK_BYTES] for index in range(_CHUNKS))
    return "".join(f"{int.from_bytes(chunk, 'big') % 100_000:05d}" for chunk in chunks)
