import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import fragment_count, padded_count, reassemble, split
from client.fragments import MAXIMUM_FRAGMENTS, largest_ciphertext
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from tests.client.e2ee_people import Stream

CAPACITY = 3512


def refused(fragments: list[bytes]) -> bool:
    try:
        reassemble(fragments)
    except PeerError as error:
        return error.reason is Drop.SESSION
    return False


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_doubles_the_count_at_the_limit_and_one_past_it(count: int) -> None:
    room = count * (CAPACITY - 1) - 4
    for length, fragments in ((room, count), (room + 1, 2 * count)):
        assert padded_count(length, CAPACITY) == fragments
        cut = split(bytes(length), CAPACITY)
        assert len(cut) == fragments
        assert {len(fragment) for fragment in cut} == {CAPACITY}
        assert reassemble(cut) == bytes(length)


@given(st.binary(max_size=700), st.integers(6, 60))
def test_survives_a_round_trip(ciphertext: bytes, capacity: int) -> None:
    cut = split(ciphertext, capacity)
    assert len(cut) == padded_count(len(ciphertext), capacity)
    assert len(cut).bit_count() == 1
    assert all(fragment_count(fragment) == len(cut) for fragment in cut)
    assert reassemble(cut) == ciphertext


@given(st.lists(st.binary(max_size=12), max_size=5))
def test_any_fragments_are_put_together_exactly_or_refused(fragments: list[bytes]) -> None:
    if not refused(fragments):
        assert split(reassemble(fragments), len(fragments[0])) == fragments


@given(st.lists(st.binary(min_size=7, max_size=7), min_size=2, max_size=2))
def test_any_fragments_with_the_right_head_are_too(bodies: list[bytes]) -> None:
    fragments = [b"\1" + body for body in bodies]
    if not refused(fragments):
        assert split(reassemble(fragments), 8) == fragments


def test_takes_the_largest_and_refuses_one_byte_more() -> None:
    largest = largest_ciphertext(64)
    assert len(split(bytes(largest), 64)) == MAXIMUM_FRAGMENTS
    with pytest.raises(UsageError):
        split(bytes(largest + 1), 64)


def test_refuses_what_was_not_cut_so() -> None:
    cut = split(Stream("cut").take(3 * CAPACITY), CAPACITY)
    assert not refused(cut)
    assert refused([])
    assert refused(cut[:-1])
    assert refused([*cut, cut[-1]])
    assert refused([*cut[:3], cut[3][:-1]])
    assert refused([*cut[:3], cut[3] + b"\0"])
    assert refused([*cut[:3], b"\0" + cut[3][1:]])
    assert refused([*cut[:3], cut[3][:-1] + b"\1"])  # padding that is not zeros
    assert refused([b"\2" + b"\xff" * 4 + cut[0][5:], *cut[1:]])  # a length past the end
    assert refused([b"\2" + bytes(4) + bytes(CAPACITY - 5)] + [b"\2" + bytes(CAPACITY - 1)] * 3)


@pytest.mark.parametrize("fragment", [b"", b"\0", b"\0" * 4, b"\x0b" + bytes(50), b"\xff" * 50])
def test_refuses_a_head_without_room_or_beyond_the_limit(fragment: bytes) -> None:
    with pytest.raises(PeerError):
        fragment_count(fragment)


@pytest.mark.parametrize("capacity", [0, 4])
def test_a_fragment_without_room_is_our_own_mistake(capacity: int) -> None:
    with pytest.raises(UsageError):
        split(b"x", capacity)
