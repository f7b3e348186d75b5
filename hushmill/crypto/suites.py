"""The packet suites that a genesis can name, and no other."""

from typing import assert_never

from hushmill.crypto.kem import X25519_KEM, Kem
from hushmill.crypto.xwing import XWING_KEM
from hushmill.parameters import SuiteName


def kem_named(suite: SuiteName) -> Kem:
    """The KEM of a network's suite."""
    match suite:
        case "xwing":
            return XWING_KEM
        case "x25519":
            return X25519_KEM
        case _:
            assert_never(suite)
