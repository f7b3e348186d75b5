"""Directory messages: their bytes, how they are cut, and what an assembler refuses unallocated."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import Epoch
from hushmill.link import (
    DIRECTORY_MESSAGE_LIMIT,
    Accepted,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    MessageAssembler,
    MessageCutter,
    NotFound,
    PublishDescriptor,
    Refusal,
    Refused,
    Share,
    Vote,
    decode_directory,
    encode_directory,
)
from tests.link.seeded import refusal

VECTORS: list[tuple[DirectoryMessage, str]] = [
    (PublishDescriptor(b"ab"), "306162"),
    (FetchDocument(Epoch(0)), "3100000000"),
    (FetchDocument(Epoch(494_000)), "31000789b0"),
    (DocumentFound(b"doc"), "32646f63"),
    (NotFound(), "33"),
    (Accepted(), "34"),
    (Refused(Refusal.TOO_OLD), "3503"),
    (Vote(b"v"), "3676"),
    (Share(b"s"), "3773"),
]
REFUSED = ["", "00", "2f", "38", "31000000", "310000000000", "3300", "3400", "35", "3500", "350301"]


@pytest.mark.parametrize(("message", "raw"), VECTORS)
def test_writes_and_reads_each_message(message: DirectoryMessage, raw: str) -> None:
    assert encode_directory(message).hex() == raw
    assert decode_directory(bytes.fromhex(raw)) == message


@pytest.mark.parametrize("raw", REFUSED)
def test_refuses_what_is_no_message(raw: str) -> None:
    assert refusal(decode_directory, bytes.fromhex(raw)) is Drop.FRAME


@given(st.binary(max_size=40))
def test_answers_any_bytes_with_a_message_or_a_peer_error(data: bytes) -> None:
    reason = refusal(decode_directory, data)
    assert reason in (None, Drop.FRAME)
    if reason is None:
        assert encode_directory(decode_directory(data)) == data


@pytest.mark.parametrize("size", [1, 4087, 4088, 4089, 8176, 8177, 100_000])
def test_puts_together_what_was_cut(size: int) -> None:
    message = bytes(index * 7 % 251 for index in range(size))
    frames = MessageCutter().cut(message)
    assert {len(frame) for frame in frames} == {4096}
    assert len(frames) == -(-size // 4088)
    assembler = MessageAssembler()
    results = [assembler.add(frame) for frame in frames * 2]
    assert [result for result in results if result is not None] == [message, message]
    assert results[len(frames) - 1] == message


def test_lays_a_frame_out_as_the_spec_says() -> None:
    frame = MessageCutter().cut(b"hello")[0]
    assert frame == bytes.fromhex("00000005 00000000") + b"hello" + bytes(4083)


def test_takes_a_message_at_its_limit_and_refuses_one_byte_more() -> None:
    at, above = MessageCutter(10_001).cut(bytes(10_000)), MessageCutter(10_001).cut(bytes(10_001))
    assembler = MessageAssembler(10_000)
    assert [assembler.add(frame) for frame in at][-1] == bytes(10_000)
    with pytest.raises(PeerError):
        assembler.add(above[0])
    with pytest.raises(UsageError):
        MessageCutter(10_000).cut(bytes(10_001))
    with pytest.raises(UsageError):
        MessageCutter().cut(b"")


def test_allocates_nothing_for_a_length_that_it_refuses() -> None:
    frame = bytes.fromhex("ffffffff 00000000") + bytes(4088)
    assembler = MessageAssembler(DIRECTORY_MESSAGE_LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(PeerError):
            assembler.add(frame)
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_allocates_only_what_has_come() -> None:
    frame = DIRECTORY_MESSAGE_LIMIT.to_bytes(4, "big") + bytes(4092)
    assembler = MessageAssembler(DIRECTORY_MESSAGE_LIMIT)
    tracemalloc.start()
    try:
        assert assembler.add(frame) is None
        assert tracemalloc.get_traced_memory()[1] < 30_000
    finally:
        tracemalloc.stop()


def test_refuses_frames_that_do_not_follow() -> None:
    one, two, three = MessageCutter().cut(bytes(range(256)) * 40)
    other = MessageCutter().cut(bytes(9_000))
    for frames in (
        [two],  # no beginning
        [one, three],  # a gap
        [one, one],  # again
        [one, two, two],
        [one, other[1]],  # another total
        [bytes(4096)],  # nothing at all
        [one[:-1]],
        [one + b"\x00"],
        [one, two, three[:-1] + b"\x01"],  # filling that is not zeros
    ):
        assembler = MessageAssembler()
        for frame in frames[:-1]:
            assert assembler.add(frame) is None
        assert refusal(assembler.add, frames[-1]) is Drop.FRAME


@given(st.lists(st.binary(min_size=8, max_size=40), max_size=5))
def test_answers_any_frames_with_a_message_or_a_peer_error(starts: list[bytes]) -> None:
    assembler = MessageAssembler(100_000)
    for start in starts:
        assert refusal(assembler.add, start.ljust(4096, b"\x00")) in (None, Drop.FRAME)
