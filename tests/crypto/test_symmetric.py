"""Derivation, AEAD, stream, wide block and passphrases."""

import hashlib

import nacl.pwhash
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.crypto import (
    Label,
    derive,
    digest,
    equal,
    keystream,
    lioness_decrypt,
    lioness_encrypt,
    open_sealed,
    password_key,
    seal,
    stream_xor,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

KEY = bytes(range(32))
NONCE = bytes(12)


def test_the_derivation_is_the_one_that_the_spec_writes_down() -> None:
    written = b"\x13hushmill/packet/hop" + bytes.fromhex("00000005 00000001 61 00000000")
    assert derive(Label.PACKET_HOP, 5, b"a", b"") == hashlib.shake_256(written).digest(5)
    assert digest(Label.PACKET_HOP, b"a") == derive(Label.PACKET_HOP, 32, b"a")


PARTS = st.lists(st.binary(max_size=6), max_size=4)


@given(one=PARTS, other=PARTS, length=st.integers(16, 64), longer=st.integers(0, 32))
def test_other_parts_or_lengths_give_other_bytes(
    one: list[bytes], other: list[bytes], length: int, longer: int
) -> None:
    left = derive(Label.PACKET_HOP, length, *one)
    right = derive(Label.PACKET_HOP, length + longer, *other)
    assert (left == right[:length]) == (one == other and longer == 0)


def test_moving_bytes_between_parts_gives_other_bytes() -> None:
    assert derive(Label.PACKET_HOP, 32, b"ab", b"c") != derive(Label.PACKET_HOP, 32, b"a", b"bc")


def test_every_label_is_ascii_and_differs() -> None:
    assert len({label.value for label in Label}) == len(list(Label))
    for label in Label:
        assert label.value.startswith(b"hushmill/")
        assert len(label.value) < 256
        label.value.decode("ascii")


def test_equal_is_equality() -> None:
    assert equal(b"abc", b"abc")
    assert not equal(b"abc", b"abd")
    assert not equal(b"abc", b"ab")


def test_sealed_bytes_hold_the_vector_of_the_rfc() -> None:
    """RFC 8439, 2.8.2."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    sealed = seal(key, nonce, text, associated)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert open_sealed(key, nonce, sealed, associated) == text


def test_every_flipped_bit_of_what_is_sealed_is_refused() -> None:
    sealed = seal(KEY, NONCE, b"sixteen letters!", b"associated")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PeerError) as refused:
            open_sealed(KEY, NONCE, bytes(changed), b"associated")
        assert refused.value.reason is Drop.FRAME
    for other in (
        (bytes(32), NONCE, sealed, b"associated"),
        (KEY, b"\1" + NONCE[1:], sealed, b"associated"),
        (KEY, NONCE, sealed, b"associate"),
        (KEY, NONCE, sealed[:15], b"associated"),
        (KEY, NONCE, b"", b"associated"),
    ):
        with pytest.raises(PeerError) as refused:
            open_sealed(*other, reason=Drop.SESSION)
        assert refused.value.reason is Drop.SESSION


def test_the_stream_is_chacha20_from_block_one() -> None:
    """RFC 8439, A.1, test vectors 1 and 2: key and nonce zero, blocks 0 and 1."""
    block_one = (
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    )
    assert keystream(bytes(32), 64).hex() == block_one
    assert stream_xor(KEY, stream_xor(KEY, b"there and back")) == b"there and back"


@given(data=st.binary(min_size=33, max_size=300), keys=st.binary(min_size=128, max_size=128))
def test_the_wide_block_opens_what_it_closed(data: bytes, keys: bytes) -> None:
    closed = lioness_encrypt(keys, data)
    assert len(closed) == len(data)
    assert closed != data
    assert lioness_decrypt(keys, closed) == data
    assert lioness_encrypt(keys, lioness_decrypt(keys, data)) == data


def test_every_bit_of_the_wide_block_changes_half_of_it() -> None:
    keys, data = bytes(range(128)), bytes(200)
    for transform in (lioness_encrypt, lioness_decrypt):
        plain = int.from_bytes(transform(keys, data), "big")
        for bit in range(len(data) * 8):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            difference = plain ^ int.from_bytes(transform(keys, bytes(changed)), "big")
            # 800 of 1,600 bits, seven deviations of 20; in the first 32 bytes 128, of 8.
            assert abs(difference.bit_count() - 800) < 140
            assert abs((difference >> (168 * 8)).bit_count() - 128) < 56


def test_every_key_of_the_wide_block_is_used() -> None:
    keys, data = bytes(128), bytes(100)
    seen = {lioness_encrypt(keys, data)}
    for part in range(4):
        changed = bytearray(keys)
        changed[part * 32] ^= 1
        seen.add(lioness_encrypt(bytes(changed), data))
    assert len(seen) == 5


def test_a_passphrases_key_is_argon2id() -> None:
    """libsodium is another implementation than OpenSSL."""
    salt = bytes(range(16))
    expected = nacl.pwhash.argon2id.kdf(
        32, b"five random words will do", salt, opslimit=3, memlimit=64 * 1024 * 1024
    )
    assert password_key(b"five random words will do", salt) == expected


def test_refuses_a_cheap_passphrase_key() -> None:
    for cost in ({"memory_kib": 64 * 1024 - 1}, {"passes": 2}):
        with pytest.raises(UsageError):
            password_key(b"words", bytes(16), **cost)
    with pytest.raises(UsageError):
        password_key(b"words", bytes(15))
