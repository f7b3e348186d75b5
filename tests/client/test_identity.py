import pytest

from client import Identity
from hushmill.crypto import Ed25519VerifyKey, Label
from hushmill.errors import PeerError, UsageError
from tests.client.e2ee_people import ALICE, BOB, Stream


def test_generates_a_different_identity_each_time() -> None:
    stream = Stream("identity")
    assert Identity.generate(stream).public != Identity.generate(stream).public


def test_is_the_same_after_loading_its_seed() -> None:
    assert Identity(ALICE.seed).public == ALICE.public


def test_never_prints_its_seed() -> None:
    assert ALICE.seed.hex() not in repr(ALICE)
    assert repr(ALICE.seed)[2:-1] not in f"{ALICE!r} {ALICE}"


@pytest.mark.parametrize("length", [0, 31, 33])
def test_refuses_a_seed_of_another_length(length: int) -> None:
    with pytest.raises(UsageError):
        Identity(bytes(length))


def test_a_signature_of_one_purpose_serves_no_other() -> None:
    signature = ALICE.sign(Label.E2EE_X25519_PREKEY, b"key")
    Ed25519VerifyKey(ALICE.public).verify(Label.E2EE_X25519_PREKEY, signature, b"key")
    with pytest.raises(PeerError):
        Ed25519VerifyKey(ALICE.public).verify(Label.E2EE_BUNDLE, signature, b"key")
    with pytest.raises(PeerError):
        Ed25519VerifyKey(BOB.public).verify(Label.E2EE_X25519_PREKEY, signature, b"key")
