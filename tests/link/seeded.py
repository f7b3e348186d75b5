"""Bytes that are the same in every run, and what decoders say to bytes."""

import hashlib
from collections.abc import Callable

from hushmill.drops import Drop
from hushmill.errors import PeerError


class Seeded:
    """A stream of SHAKE-256; no secret comes from it."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._count = 0

    def take(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed}/{self._count}".encode()).digest(count)


def refusal(decode: Callable[[bytes], object], data: bytes) -> Drop | None:
    """The reason for which `decode` refuses `data`, None where it does not; no other way out."""
    try:
        decode(data)
    except PeerError as error:
        return error.reason
    return None
