"""Envelopes: one size, one encoding, everything else refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.envelope import (
    BITMAP_BYTES,
    ENTRIES_ALONE,
    ENTRIES_BESIDE_FRAGMENT,
    FRAGMENTS_LIMIT,
    WHOLE,
    Acknowledgement,
    Address,
    Entry,
    Envelope,
    EnvelopeFormat,
    Piece,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import InboxId, NodeNumber

BODY = 3528
FORMAT = EnvelopeFormat(BODY)
ADDRESS = Address(NodeNumber(3), InboxId(bytes(range(32))), 7)


def envelope(entries: int = 0, *, is_fragment: bool = True, through: int = 4) -> Envelope:
    listed = tuple(Entry(through + 1 + place, WHOLE) for place in range(entries))
    fragment = bytes([9]) * FORMAT.fragment_bytes
    piece = Piece(5, 255, fragment) if is_fragment else None
    return Envelope(ADDRESS, 2, Acknowledgement(through, listed), piece)


@pytest.mark.parametrize("is_fragment", [True, False])
@pytest.mark.parametrize("entries", [0, 1, 2])
def test_round_trip_at_one_size(entries: int, is_fragment: bool) -> None:
    made = envelope(entries, is_fragment=is_fragment)
    encoded = FORMAT.encode(made)
    assert len(encoded) == BODY - 16
    assert FORMAT.decode(encoded) == made


def test_layout_is_the_specs() -> None:
    encoded = FORMAT.encode(envelope(1))
    assert encoded[:2] == b"\x01\x01"
    assert encoded[2:4] == b"\0\3"
    assert encoded[4:8] == b"\0\0\0\7"
    assert encoded[8:40] == bytes(range(32))
    assert encoded[40:49] == b"\0\0\0\2" + b"\0\0\0\4" + b"\1"
    assert encoded[49:85] == b"\0\0\0\5" + WHOLE
    assert encoded[85:121] == bytes(36)
    assert encoded[121:127] == b"\0\0\0\5" + b"\0\xff"
    assert encoded[127:] == bytes([9]) * (BODY - 16 - 127)


def test_room_for_entries_is_exact() -> None:
    assert FORMAT.entries_alone == ENTRIES_ALONE
    FORMAT.encode(envelope(ENTRIES_BESIDE_FRAGMENT))
    FORMAT.encode(envelope(ENTRIES_ALONE, is_fragment=False))
    with pytest.raises(UsageError):
        FORMAT.encode(envelope(ENTRIES_BESIDE_FRAGMENT + 1))
    with pytest.raises(UsageError):
        FORMAT.encode(envelope(ENTRIES_ALONE + 1, is_fragment=False))


def changed(at: int, value: bytes, *, is_fragment: bool = True) -> bytes:
    encoded = bytearray(FORMAT.encode(envelope(1, is_fragment=is_fragment)))
    encoded[at : at + len(value)] = value
    return bytes(encoded)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        FORMAT.encode(envelope())[:-1],
        FORMAT.encode(envelope()) + b"\0",
        changed(0, b"\2"),
        changed(1, b"\0"),
        changed(1, b"\3"),
        changed(48, b"\3"),  # more entries than there is room for
        changed(48, b"\0"),  # an entry's bytes beyond the count
        changed(85, b"\1"),  # padding that is not zeros
        changed(49, b"\0\0\0\4"),  # an entry that `through` covers
        changed(48, b"\2"),  # a second entry of zeros: not rising
        changed(125, FRAGMENTS_LIMIT.to_bytes(2, "big")),
        changed(BODY - 17, b"\1", is_fragment=False),
    ],
)
def test_refuses(bad: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        FORMAT.decode(bad)
    assert refused.value.reason is Drop.SESSION


@settings(max_examples=300, deadline=None)
@given(head=st.binary(min_size=0, max_size=200), rest=st.sampled_from([0, 1, 255]))
def test_any_bytes_are_a_value_or_an_error(head: bytes, rest: int) -> None:
    data = (head + bytes([rest]) * BODY)[: BODY - 16]
    for start in (b"", b"\1\1", b"\1\2"):
        raw = start + data[len(start) :]
        try:
            value = FORMAT.decode(raw)
        except PeerError:
            continue
        assert FORMAT.encode(value) == raw


def test_a_bitmap_has_a_bit_for_every_fragment() -> None:
    assert BITMAP_BYTES * 8 == FRAGMENTS_LIMIT
