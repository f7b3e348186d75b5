"""X25519, strict."""

import pytest

from hushmill.crypto import X25519_KEM, X25519Public, X25519Secret, x25519
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

P25519 = 2**255 - 19
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P25519 - 1,
    P25519,
    P25519 + 1,
]


def test_holds_the_first_vector_of_the_rfc() -> None:
    """RFC 7748, 5.2."""
    scalar = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"
    point = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"
    shared = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert x25519(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == shared


def test_holds_the_iterated_vectors_of_the_rfc() -> None:
    """RFC 7748, 5.2: k, u = X25519(k, u), k, from 9 and 9."""
    scalar = point = (9).to_bytes(32, "little")
    for count in range(1, 1001):
        scalar, point = x25519(scalar, point), scalar
        if count == 1:
            once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
            assert scalar.hex() == once
    thousand = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"
    assert scalar.hex() == thousand


def test_both_sides_agree() -> None:
    alice, bob = X25519Secret.generate(), X25519Secret.generate()
    shared = alice.exchange(bob.public)
    assert shared == bob.exchange(alice.public)
    assert shared == x25519(alice.raw, bob.public.raw)
    assert len(shared) == 32


@pytest.mark.parametrize("point", LOW_ORDER)
@pytest.mark.parametrize("high_bit", [0, 1 << 255])
def test_refuses_points_of_low_order(point: int, high_bit: int) -> None:
    raw = (point | high_bit).to_bytes(32, "little")
    secret = X25519Secret.generate()
    for action in (
        lambda: x25519(secret.raw, raw, Drop.SESSION),
        lambda: X25519Public(raw),
    ):
        with pytest.raises(PeerError) as refused:
            action()
        assert refused.value.reason is Drop.SESSION
    for kem_action in (
        lambda: X25519_KEM.public(raw),
        lambda: X25519_KEM.load_secret(secret.raw).decapsulate(raw),
    ):
        with pytest.raises(PeerError) as refused:
            kem_action()
        assert refused.value.reason is Drop.PACKET


@pytest.mark.parametrize("value", [P25519 + 2, P25519 + 18, 2**255 - 1])
def test_refuses_values_from_p_on(value: int) -> None:
    with pytest.raises(PeerError):
        X25519Public(value.to_bytes(32, "little"))


def test_refuses_the_high_bit_of_a_good_point() -> None:
    raw = X25519Secret.generate().public.raw
    with pytest.raises(PeerError):
        X25519Public(raw[:-1] + bytes([raw[-1] | 0x80]))


def test_takes_the_largest_canonical_values() -> None:
    """p − 2 is on the curve or its twist and of high order."""
    assert X25519Public((P25519 - 2).to_bytes(32, "little")).raw[0] == 0xEB


@pytest.mark.parametrize("size", [0, 31, 33])
def test_refuses_other_lengths(size: int) -> None:
    with pytest.raises(PeerError):
        X25519Public(bytes([9]).ljust(size, b"\0")[:size])
    with pytest.raises(UsageError):
        X25519Secret(bytes(size))
    with pytest.raises(UsageError):
        X25519_KEM.load_secret(bytes(size))
