"""Randomness as an argument: cores draw from what they are given and never from a global.

The product passes `hushmill.runtime.SystemRandomness` (the system generator); the simulator passes
a seeded stream. The functions here turn bytes into the few distributions that are needed.
"""

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Randomness(Protocol):
    """A source of uniform bytes."""

    def take(self, count: int) -> bytes:
        """`count` uniform bytes."""
        ...


def below(rng: Randomness, limit: int) -> int:
    """A uniform integer in [0, limit), limit ≥ 1, without modulo bias (by rejection)."""
    bits = (limit - 1).bit_length()
    count = (bits + 7) // 8
    while True:
        value = int.from_bytes(rng.take(count), "big") >> (count * 8 - bits) if bits else 0
        if value < limit:
            return value


def unit(rng: Randomness) -> float:
    """A uniform float in [0, 1) of 53 bits."""
    return (int.from_bytes(rng.take(7), "big") >> 3) * 2.0**-53


def exponential(rng: Randomness, mean: float) -> float:
    """An exponential draw with the given mean, in the mean's unit."""
    return -mean * math.log1p(-unit(rng))


def choose(rng: Randomness, items: Sequence[Item]) -> Item:
    """One of `items`, uniformly."""
    return items[below(rng, len(items))]


def shuffled(rng: Randomness, items: Sequence[Item]) -> list[Item]:
    """A uniformly random order of `items` (Fisher–Yates)."""
    result = list(items)
    for last in range(len(result) - 1, 0, -1):
        other = below(rng, last + 1)
        result[last], result[other] = result[other], result[last]
    return result
