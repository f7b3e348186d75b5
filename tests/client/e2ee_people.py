"""Two people with seeded randomness, and sessions between them."""

from hashlib import shake_256

from client import Identity, PreKeys, Session, accept_session, start_session

NOW = 1_800_000_000.0
SECRET = bytes(range(32))


class Stream:
    """Seeded bytes: the same stream for the same seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def take(self, count: int) -> bytes:
        self._count += 1
        return shake_256(self._seed + self._count.to_bytes(8, "big")).digest(count)


ALICE = Identity.generate(Stream("alice"))
BOB = Identity.generate(Stream("bob"))
MALLORY = Identity.generate(Stream("mallory"))
BOBS_PREKEYS = PreKeys.generate(BOB, NOW)
MALLORYS_PREKEYS = PreKeys.generate(MALLORY, NOW)


def pair() -> tuple[Session, Session]:
    """Alice's and Bob's side of a fresh session, after her first message."""
    alice, header, first = start_session(ALICE, BOBS_PREKEYS.bundle(), SECRET, b"first")
    bob, plaintext = accept_session(BOB, BOBS_PREKEYS, header, SECRET, first)
    assert plaintext == b"first"
    return alice, bob


def talking_pair() -> tuple[Session, Session]:
    """The same after an answer, so that both have sent and received."""
    alice, bob = pair()
    assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"
    return alice, bob


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
