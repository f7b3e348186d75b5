from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import Bundle, Identity, PreKeys
from client.bundle import BUNDLE_BYTES, LIFETIME_SECONDS, ROTATION_SECONDS
from hushmill.crypto import Label, MlKemSecret, X25519Secret
from hushmill.drops import Drop
from hushmill.errors import PeerError
from tests.client.e2ee_people import ALICE, BOB, BOBS_PREKEYS, NOW

LOW_ORDER = [
    (0).to_bytes(32, "little"),
    (1).to_bytes(32, "little"),
    (325606250916557431795983626356110631294008115727848805560023387167927233504).to_bytes(
        32, "little"
    ),
    (39382357235489614581723060781553021112529911719440698176882885853963445705823).to_bytes(
        32, "little"
    ),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]
NON_CANONICAL = [
    (2**255 - 19 + 9).to_bytes(32, "little"),  # 9 again, by a second encoding
    (9 + 2**255).to_bytes(32, "little"),  # 9 with the high bit set
]
RAW = BOBS_PREKEYS.bundle().encode()


def refused(data: bytes) -> bool:
    try:
        Bundle.decode(data)
    except PeerError as error:
        return error.reason is Drop.SESSION
    return False


def signed(identity: Identity, prekey: bytes, kem: bytes, hour: int = 1) -> bytes:
    """A bundle with valid signatures, whatever its keys are."""
    body = b"\1\1" + identity.public + hour.to_bytes(4, "big") + prekey
    body += identity.sign(Label.E2EE_X25519_PREKEY, prekey) + kem
    return body + identity.sign(Label.E2EE_BUNDLE, body)


def test_has_the_documented_size() -> None:
    assert len(RAW) == BUNDLE_BYTES == 1382


def test_survives_a_round_trip() -> None:
    bundle = Bundle.decode(RAW)
    assert bundle == BOBS_PREKEYS.bundle()
    assert bundle.encode() == RAW
    assert bundle.identity == BOB.public


def test_refuses_a_change_of_any_byte() -> None:
    for index in range(len(RAW)):
        assert refused(RAW[:index] + bytes((RAW[index] ^ 0x40,)) + RAW[index + 1 :]), index


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda _: b""])
def test_refuses_another_length(change: Callable[[bytes], bytes]) -> None:
    assert refused(change(RAW))


@given(st.binary(max_size=BUNDLE_BYTES + 10))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert refused(data)


@given(st.binary(min_size=BUNDLE_BYTES - 2, max_size=BUNDLE_BYTES - 2))
def test_any_bytes_behind_the_right_version_are_refused(data: bytes) -> None:
    assert refused(b"\1\1" + data)


@pytest.mark.parametrize("head", [b"\2\1", b"\1\2", b"\0\1"])
def test_refuses_another_version_or_suite(head: bytes) -> None:
    assert refused(head + RAW[2:])


@pytest.mark.parametrize("point", LOW_ORDER + NON_CANONICAL)
def test_refuses_a_signed_prekey_of_low_order_or_with_a_second_encoding(point: bytes) -> None:
    kem = MlKemSecret.generate().public.raw
    assert not refused(signed(ALICE, X25519Secret.generate().public.raw, kem))
    assert refused(signed(ALICE, point, kem))


def test_refuses_a_prekey_without_its_own_signature_in_a_signed_bundle() -> None:
    """What X3DH checks by itself must hold by itself: the outer signature is no stand-in."""
    prekey, kem = X25519Secret.generate().public.raw, MlKemSecret.generate().public.raw
    body = b"\1\1" + ALICE.public + bytes(4) + prekey
    for inner in (bytes(64), ALICE.sign(Label.E2EE_BUNDLE, prekey)):
        signed_body = body + inner + kem
        assert refused(signed_body + ALICE.sign(Label.E2EE_BUNDLE, signed_body))


def test_refuses_a_signed_kem_key_outside_its_field() -> None:
    assert refused(signed(ALICE, X25519Secret.generate().public.raw, b"\xff" * 1184))


def test_refuses_halves_of_two_bundles_of_one_person() -> None:
    other = PreKeys.generate(BOB, NOW).bundle().encode()
    kem_at = 2 + 32 + 4 + 32 + 64
    assert refused(RAW[:kem_at] + other[kem_at:])
    assert refused(RAW[:38] + other[38:kem_at] + RAW[kem_at:])
    assert refused(RAW[:kem_at] + other[kem_at:-64] + RAW[-64:])


def test_refuses_another_persons_prekeys_under_ones_own_name() -> None:
    assert refused(RAW[:2] + ALICE.public + RAW[34:])


def test_is_usable_for_thirty_days_from_its_signed_hour() -> None:
    bundle = BOBS_PREKEYS.bundle()
    made = bundle.made_hour * 3600
    assert bundle.is_usable(made)
    assert bundle.is_usable(made + LIFETIME_SECONDS)
    assert not bundle.is_usable(made + LIFETIME_SECONDS + 1)
    assert bundle.is_usable(made - 24 * 3600)
    assert not bundle.is_usable(made - 24 * 3600 - 1)


def test_rotates_after_a_week_and_dies_once_nobody_may_use_it() -> None:
    made = BOBS_PREKEYS.bundle().made_hour * 3600
    assert not BOBS_PREKEYS.should_rotate(made + ROTATION_SECONDS - 1)
    assert BOBS_PREKEYS.should_rotate(made + ROTATION_SECONDS)
    assert not BOBS_PREKEYS.should_rotate(made)
    assert BOBS_PREKEYS.should_rotate(made - 1)
    assert not BOBS_PREKEYS.is_dead(made + LIFETIME_SECONDS)
    assert BOBS_PREKEYS.is_dead(made + LIFETIME_SECONDS + ROTATION_SECONDS + 1)


def test_prekeys_are_the_same_after_loading() -> None:
    loaded = PreKeys.load(BOBS_PREKEYS.raw)
    assert loaded.raw == BOBS_PREKEYS.raw
    assert loaded.bundle() == BOBS_PREKEYS.bundle()


def test_refuses_stored_prekeys_that_do_not_belong_together() -> None:
    other = PreKeys.generate(BOB, NOW).raw
    for raw in (BOBS_PREKEYS.raw[:-1], BOBS_PREKEYS.raw + b"\0", b"", RAW + other[len(RAW) :]):
        with pytest.raises(PeerError):
            PreKeys.load(raw)


def test_prekeys_never_print() -> None:
    shown = f"{BOBS_PREKEYS!r} {BOBS_PREKEYS}"
    assert shown == "PreKeys(<secret>) PreKeys(<secret>)"
