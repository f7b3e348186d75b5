import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import deposit_id, open_fragment, seal_fragment
from client.seal import SEAL_OVERHEAD_BYTES
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import DepositId
from tests.client.e2ee_people import SECRET, flipped

DEPOSIT = deposit_id(SECRET, 7, 1)
SEALED = seal_fragment(SECRET, DEPOSIT, b"a fragment")
OTHER_SECRET = bytes(32)


def opens(sealed: bytes, secret: bytes = SECRET, deposit: DepositId = DEPOSIT) -> bool:
    try:
        return open_fragment(secret, deposit, sealed) == b"a fragment"
    except PeerError as error:
        if error.reason is not Drop.UNKNOWN_SENDER:
            raise
        return False


def test_opens_what_was_sealed() -> None:
    assert opens(SEALED)
    assert len(SEALED) == len(b"a fragment") + SEAL_OVERHEAD_BYTES


def test_a_retry_is_the_same_bytes_under_the_same_id() -> None:
    assert deposit_id(SECRET, 7, 1) == DEPOSIT
    assert seal_fragment(SECRET, DEPOSIT, b"a fragment") == SEALED


def test_ids_differ_by_secret_sequence_and_index_and_share_no_start() -> None:
    ids = {deposit_id(SECRET, sequence, index) for sequence in range(50) for index in range(20)}
    ids |= {deposit_id(OTHER_SECRET, sequence, 0) for sequence in range(50)}
    assert len({value[:8] for value in ids}) == 1050
    assert deposit_id(SECRET, 1, 0) != deposit_id(SECRET, 0, 1)
    assert deposit_id(SECRET, 2**64 - 1, 2**16 - 1) not in ids


def test_refuses_a_flip_of_every_bit() -> None:
    for bit in range(len(SEALED) * 8):
        assert not opens(flipped(SEALED, bit))
    for bit in range(128):
        assert not opens(SEALED, deposit=DepositId(flipped(DEPOSIT, bit)))


def test_refuses_another_pair_direction_message_or_fragment() -> None:
    assert not opens(SEALED, secret=OTHER_SECRET)
    assert not opens(SEALED, deposit=deposit_id(SECRET, 8, 1))
    assert not opens(SEALED, deposit=deposit_id(SECRET, 7, 0))


@given(st.binary(max_size=64))
def test_refuses_any_bytes(sealed: bytes) -> None:
    with pytest.raises(PeerError):
        open_fragment(SECRET, DEPOSIT, sealed)


def test_no_two_deposits_share_a_key_stream() -> None:
    streams = {
        seal_fragment(SECRET, deposit_id(SECRET, sequence, index), bytes(32))
        for sequence in range(20)
        for index in range(10)
    }
    assert len({stream[:8] for stream in streams}) == 200
