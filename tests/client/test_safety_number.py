import json
from pathlib import Path

from client import safety_number
from client.identity import IdentityKey
from client.safety import numeric_fingerprint
from tests.client.e2ee_people import ALICE, BOB, MALLORY, flipped

VECTOR = json.loads(
    (Path(__file__).parent.parent / "vectors" / "safety_number.json").read_text(encoding="utf-8")
)


def half(side: str) -> tuple[bytes, bytes]:
    return bytes.fromhex(VECTOR[side]["identity_key"]), VECTOR[side]["stable_id"].encode()


def test_equals_what_signals_library_says() -> None:
    assert numeric_fingerprint(half("a"), half("b")) == VECTOR["number"]
    assert numeric_fingerprint(half("b"), half("a")) == VECTOR["number"]


def test_is_sixty_digits_and_the_same_for_both_people() -> None:
    number = safety_number(ALICE.public, BOB.public)
    assert number == safety_number(BOB.public, ALICE.public)
    assert len(number) == 60
    assert number.isdecimal()


def test_differs_with_anyone_in_the_middle() -> None:
    honest = safety_number(ALICE.public, BOB.public)
    assert safety_number(ALICE.public, MALLORY.public) != honest
    assert safety_number(MALLORY.public, BOB.public) != honest


def test_differs_with_every_bit_of_a_key() -> None:
    numbers = {
        safety_number(ALICE.public, IdentityKey(flipped(BOB.public, bit)))
        for bit in range(0, 256, 16)
    }
    assert len(numbers | {safety_number(ALICE.public, BOB.public)}) == 17
