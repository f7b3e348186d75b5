"""Reproducible randomness for simulations: a keyed SHAKE-256 stream. Never for the product."""

import hashlib


class SeededRandomness:
    """Uniform bytes from a seed and a name, so that every machine draws from a stream of its own
    and adding a machine changes nobody else's draws."""

    __slots__ = ("_block", "_buffer", "_key", "_position")

    def __init__(self, seed: int, name: str) -> None:
        self._key = hashlib.sha256(f"hushmill simulation {seed} {name}".encode()).digest()
        self._block = 0
        self._buffer = b""
        self._position = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes of the stream."""
        while len(self._buffer) - self._position < count:
            rest = self._buffer[self._position :]
            block = hashlib.shake_256(self._key + self._block.to_bytes(8, "big")).digest(4096)
            self._buffer, self._position = rest + block, 0
            self._block += 1
        taken = self._buffer[self._position : self._position + count]
        self._position += count
        return taken
