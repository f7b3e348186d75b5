"""The public-key floor: the raw library calls below which no packet can be opened or made.

Key objects are kept, nothing is derived or checked: only `hushmill bench` and the oracle time it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from nacl import bindings
from nacl.utils import random

from hushmill.parameters import SuiteName

RawCall = Callable[[], object]


@dataclass(frozen=True, slots=True)
class PublicKeyFloor:
    """The raw calls of one hop: what opening it needs, and what making it needs."""

    opening: tuple[RawCall, ...]
    making: tuple[RawCall, ...]


def public_key_floor(suite: SuiteName) -> PublicKeyFloor:
    """One X25519 to open a hop and two to make it; for `xwing` also one ML-KEM call each."""
    scalar = random(32)
    point = bindings.crypto_scalarmult_base(random(32))
    mlkem = MLKEM768PrivateKey.generate()
    mlkem_public = mlkem.public_key()
    _, mlkem_ciphertext = mlkem_public.encapsulate()

    def multiply() -> object:
        return bindings.crypto_scalarmult(scalar, point)

    def multiply_base() -> object:
        return bindings.crypto_scalarmult_base(scalar)

    def decapsulate() -> object:
        return mlkem.decapsulate(mlkem_ciphertext)

    if suite == "x25519":
        return PublicKeyFloor((multiply,), (multiply_base, multiply))
    return PublicKeyFloor(
        (multiply, decapsulate), (multiply_base, multiply, mlkem_public.encapsulate)
    )
