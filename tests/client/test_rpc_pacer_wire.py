"""Records between the daemon and its pacer: one size, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.core_events import FillSlot, LinkDown, LinkUp, SlotTaken, Stream
from client.pacer_wire import (
    HEADER_BYTES,
    LinkRefused,
    MailFrame,
    PacerSetup,
    Record,
    RecordCutter,
    RecordFormat,
    SetupReader,
    encode_setup,
)
from hushmill.errors import PeerError, UsageError
from hushmill.parameters import Parameters

FORMAT = RecordFormat(40)
SETUP = PacerSetup(
    parameters=Parameters(),
    host="127.0.0.1",
    port=4000,
    key_hash=b"h" * 32,
    network_id=b"n" * 32,
    provider=8,
    account_key=b"secret-account-key",
    code=b"",
)
RECORDS: list[Record] = [
    FillSlot(Stream.DROP, 2**63, 2**32 - 1, b"f" * 40),
    SlotTaken(Stream.PAYLOAD, 1, 7),
    LinkUp(),
    LinkDown(),
    LinkRefused(3),
    MailFrame(bytes(range(40))),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_record_has_one_size_and_reads_back(record: Record) -> None:
    data = FORMAT.encode(record)
    assert len(data) == FORMAT.record_bytes == HEADER_BYTES + 40
    assert FORMAT.decode(data) == record


def test_refuses_frames_of_another_size() -> None:
    for length in (0, 39, 41):
        with pytest.raises(UsageError):
            FORMAT.encode(MailFrame(bytes(length)))


def test_refuses_an_unknown_kind_or_stream() -> None:
    data = bytearray(FORMAT.encode(SlotTaken(Stream.DROP, 1, 1)))
    for position, value in ((0, 0), (0, 7), (1, 3), (1, 255)):
        wrong = bytearray(data)
        wrong[position] = value
        with pytest.raises(PeerError):
            FORMAT.decode(bytes(wrong))


@given(st.binary(min_size=HEADER_BYTES + 38, max_size=HEADER_BYTES + 42))
def test_decodes_any_bytes_or_refuses(data: bytes) -> None:
    try:
        FORMAT.decode(data)
    except PeerError:
        return
    assert len(data) == FORMAT.record_bytes


@given(st.integers(1, 97))
def test_cuts_records_wherever_the_pipe_breaks(step: int) -> None:
    stream = b"".join(map(FORMAT.encode, RECORDS))
    cutter = RecordCutter(FORMAT)
    cut: list[Record] = []
    for start in range(0, len(stream), step):
        cut += cutter.feed(stream[start : start + step])
    assert cut == RECORDS


@given(st.integers(1, 97))
def test_reads_the_setup_wherever_the_pipe_breaks(step: int) -> None:
    stream, reader, found = encode_setup(SETUP) + b"rest", SetupReader(), None
    for start in range(0, len(stream), step):
        if found is None:
            found = reader.feed(stream[start : start + step])
        else:
            found = (found[0], found[1] + stream[start : start + step])
    assert found == (SETUP, b"rest")


def test_refuses_a_setup_that_is_too_long_or_torn() -> None:
    with pytest.raises(PeerError):
        SetupReader().feed(b"\xff\xff\xff\xff")
    with pytest.raises(PeerError):
        SetupReader().feed(b"\0\0\0\x02\x90\x90")


def test_does_not_print_the_account_key() -> None:
    assert "secret-account-key" not in repr(SETUP)
