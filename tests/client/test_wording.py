"""What stands inside a ratchet message, a parcel and an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import Message, Text
from client.wording import (
    NAME_BYTES,
    Hello,
    decode_answer,
    decode_parcel,
    decode_plaintext,
    encode_answer,
    encode_content,
    encode_hello,
    encode_parcel,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError
from tests.client.e2ee_people import BOBS_PREKEYS

HEADER = bytes(range(256)) * 4 + bytes(162)


def test_round_trips() -> None:
    message = Message(Text("hello"), 5)
    assert decode_plaintext(encode_content(message)) == message
    assert decode_plaintext(encode_hello("Zoë")) == Hello("Zoë")
    assert len(HEADER) == 1186
    assert decode_parcel(encode_parcel(HEADER, b"c")) == (HEADER, b"c")
    assert decode_parcel(encode_parcel(None, b"c")) == (None, b"c")
    answer = decode_answer(encode_answer(BOBS_PREKEYS.bundle(), "Bob"))
    assert (answer.bundle.raw, answer.name) == (BOBS_PREKEYS.bundle().raw, "Bob")


def test_a_long_name_is_cut_at_a_whole_character() -> None:
    said = decode_plaintext(encode_hello("é" * 300))
    assert said == Hello("é" * (NAME_BYTES // 2))


@pytest.mark.parametrize(
    "bad",
    [b"", b"\2", b"\0\xff", b"\0" + b"x" * (NAME_BYTES + 1), b"\1", b"\1\1", b"\xff" * 40],
)
def test_refuses_a_plaintext(bad: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        decode_plaintext(bad)
    assert refused.value.reason is Drop.SESSION


@pytest.mark.parametrize("bad", [b"", b"\2abc", b"\1", b"\1" + HEADER])
def test_refuses_a_parcel(bad: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        decode_parcel(bad)
    assert refused.value.reason is Drop.SESSION


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=1500))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    for decode in (decode_plaintext, decode_parcel, decode_answer):
        try:
            value = decode(data)
        except PeerError:
            continue
        assert value is not None
