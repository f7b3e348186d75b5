"""A ciphertext cut into 1, 2, 4, 8 … whole fragments of one size, and put together again.

    fragment = log₂ of the count 1 | a slice of (length 4 | ciphertext | zeros)

How many fragments leave says only between which powers of two the length lies.
Spec: docs/spec/e2ee.md (Fragments).
"""

from collections.abc import Sequence

from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

MAXIMUM_EXPONENT = 10
MAXIMUM_FRAGMENTS = 1 << MAXIMUM_EXPONENT
_EXPONENT_BYTES = 1
_LENGTH_BYTES = 4
_MINIMUM_CAPACITY = _EXPONENT_BYTES + _LENGTH_BYTES


def padded_count(length: int, capacity: int) -> int:
    """How many fragments of `capacity` bytes a ciphertext of `length` bytes becomes."""
    if capacity < _MINIMUM_CAPACITY:
        raise UsageError("a fragment has no room for its head")
    needed = -(-(_LENGTH_BYTES + length) // (capacity - _EXPONENT_BYTES))
    exponent = max(0, needed - 1).bit_length()
    return 1 << exponent


def largest_ciphertext(capacity: int) -> int:
    """The most bytes that `split` takes."""
    return MAXIMUM_FRAGMENTS * (capacity - _EXPONENT_BYTES) - _LENGTH_BYTES


def split(ciphertext: bytes, capacity: int) -> list[bytes]:
    """1, 2, 4 … 1,024 fragments of exactly `capacity` bytes. More is UsageError."""
    count = padded_count(len(ciphertext), capacity)
    if count > MAXIMUM_FRAGMENTS:
        raise UsageError("too large for one message: send it as several")
    room = capacity - _EXPONENT_BYTES
    body = len(ciphertext).to_bytes(_LENGTH_BYTES, "big") + ciphertext
    body += bytes(count * room - len(body))
    head = bytes((count.bit_length() - 1,))
    return [head + body[index * room : (index + 1) * room] for index in range(count)]


def fragment_count(fragment: bytes) -> int:
    """How many fragments belong together, from any one of them (hostile).

    Raises PeerError(SESSION) for a fragment without room or a count above 1,024.
    """
    if len(fragment) < _MINIMUM_CAPACITY or fragment[0] > MAXIMUM_EXPONENT:
        raise PeerError(Drop.SESSION)
    return 1 << fragment[0]


def reassemble(fragments: Sequence[bytes]) -> bytes:
    """The ciphertext that all fragments (hostile), in their order, were cut from.

    Raises PeerError(SESSION) for anything that `split` would not have made.
    """
    if not fragments or fragment_count(fragments[0]) != len(fragments):
        raise PeerError(Drop.SESSION)
    head, capacity = fragments[0][:1], len(fragments[0])
    if any(part[:1] != head or len(part) != capacity for part in fragments):
        raise PeerError(Drop.SESSION)
    body = b"".join(part[_EXPONENT_BYTES:] for part in fragments)
    end = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
    if end > len(body) or padded_count(end - _LENGTH_BYTES, capacity) != len(fragments):
        raise PeerError(Drop.SESSION)
    if any(body[end:]):
        raise PeerError(Drop.SESSION)
    return body[_LENGTH_BYTES:end]
