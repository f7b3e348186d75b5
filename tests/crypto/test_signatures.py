"""Both halves of a signature count, and so does its label."""

import pytest

from hushmill.crypto import (
    SIGNATURE_BYTES,
    VERIFY_KEY_BYTES,
    Ed25519SigningKey,
    Ed25519VerifyKey,
    Label,
    SigningKey,
    VerifyKey,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

LABEL, OTHER = Label.CONSENSUS, Label.VOTE
MESSAGE = b"who is in the network"
KEY = SigningKey.generate()
SIGNATURE = KEY.sign(LABEL, MESSAGE)


def assert_refused(
    signature: bytes, label: Label = LABEL, message: bytes = MESSAGE, key: VerifyKey = KEY.public
) -> None:
    with pytest.raises(PeerError) as refused:
        key.verify(label, signature, message)
    assert refused.value.reason is Drop.DOCUMENT


def test_a_hybrid_signature_has_its_sizes_and_holds() -> None:
    assert len(SIGNATURE) == SIGNATURE_BYTES == 64 + 3309
    assert len(KEY.public.raw) == VERIFY_KEY_BYTES == 32 + 1952
    VerifyKey(KEY.public.raw).verify(LABEL, SIGNATURE, MESSAGE)


def test_a_stored_key_signs_as_before() -> None:
    again = SigningKey.from_raw(KEY.raw)
    assert again.public == KEY.public
    KEY.public.verify(LABEL, again.sign(LABEL, MESSAGE), MESSAGE)


def test_refuses_another_message_label_or_key() -> None:
    assert_refused(SIGNATURE, message=MESSAGE + b".")
    assert_refused(SIGNATURE, label=OTHER)
    assert_refused(SIGNATURE, key=SigningKey.generate().public)


def test_refuses_when_either_half_is_wrong() -> None:
    foreign = SigningKey.generate().sign(LABEL, MESSAGE)
    assert_refused(SIGNATURE[:64] + foreign[64:])
    assert_refused(foreign[:64] + SIGNATURE[64:])
    assert_refused(SIGNATURE[:64] + bytes(3309))
    assert_refused(bytes(64) + SIGNATURE[64:])
    for position in (0, 63, 64, len(SIGNATURE) - 1):
        changed = bytearray(SIGNATURE)
        changed[position] ^= 1
        assert_refused(bytes(changed))


@pytest.mark.parametrize("size", [0, 64, 3309, SIGNATURE_BYTES - 1, SIGNATURE_BYTES + 1])
def test_refuses_signatures_of_other_lengths(size: int) -> None:
    assert_refused((SIGNATURE + b"\0")[:size])


def test_a_key_with_one_foreign_half_verifies_nothing() -> None:
    foreign = SigningKey.generate().public.raw
    assert_refused(SIGNATURE, key=VerifyKey(KEY.public.raw[:32] + foreign[32:]))
    assert_refused(SIGNATURE, key=VerifyKey(foreign[:32] + KEY.public.raw[32:]))


@pytest.mark.parametrize("size", [0, 32, 1952, VERIFY_KEY_BYTES - 1, VERIFY_KEY_BYTES + 1])
def test_refuses_keys_of_other_lengths(size: int) -> None:
    with pytest.raises(PeerError) as refused:
        VerifyKey((KEY.public.raw + b"\0")[:size])
    assert refused.value.reason is Drop.DOCUMENT
    with pytest.raises(UsageError):
        SigningKey(bytes(65))


def test_an_account_key_signs_and_refuses_alike() -> None:
    key = Ed25519SigningKey.generate()
    signature = key.sign(LABEL, MESSAGE)
    assert len(signature) == 64
    Ed25519VerifyKey(key.public.raw).verify(LABEL, signature, MESSAGE)
    assert Ed25519SigningKey.from_raw(key.raw).sign(LABEL, MESSAGE) == signature
    for label, bad, message in (
        (OTHER, signature, MESSAGE),
        (LABEL, signature, MESSAGE + b"."),
        (LABEL, signature[:-1], MESSAGE),
        (LABEL, signature + b"\0", MESSAGE),
        (LABEL, bytes(64), MESSAGE),
    ):
        with pytest.raises(PeerError) as refused:
            key.public.verify(label, bad, message, reason=Drop.ACCOUNT)
        assert refused.value.reason is Drop.ACCOUNT
    with pytest.raises(PeerError):
        Ed25519VerifyKey(bytes(31))
    with pytest.raises(UsageError):
        Ed25519SigningKey(bytes(33))


def test_a_label_and_message_are_not_run_together() -> None:
    """The label's length is signed, so no label is another's beginning plus a message."""
    key = Ed25519SigningKey.generate()
    signature = key.sign(LABEL, MESSAGE)
    with pytest.raises(PeerError):
        key.public.verify(LABEL, signature, LABEL.value + MESSAGE)
