import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import File, Message, Text
from client.content import (
    CONTENT_BYTES,
    CONVERSATION_BYTES,
    DEVICE_BYTES,
    FILE_BYTES,
    NAME_BYTES,
    TEXT_BYTES,
    ConversationKind,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

TEXT = Message(Text("hello, Bob"), sent_at=1_800_000_000)
FILE = Message(File("photo.jpg", b"\xff\xd8\xff"), sent_at=1_800_000_000, expires_at=1_800_003_600)


def refused(data: bytes) -> bool:
    try:
        Message.decode(data)
    except PeerError as error:
        return error.reason is Drop.SESSION
    return False


def wire(**changes: object) -> bytes:
    """A text's encoding with some of its fields replaced."""
    fields: dict[str, object] = {
        "kind": "text",
        "device": bytes(DEVICE_BYTES),
        "conversation": bytes(CONVERSATION_BYTES),
        "conversation_kind": "direct",
        "conversation_key": 0,
        "sent_at": 1,
        "expires_at": 0,
        "name": "",
        "data": b"hi",
    }
    return b"\1" + msgspec.msgpack.encode([*(fields | changes).values()])


@pytest.mark.parametrize("message", [TEXT, FILE])
def test_survives_a_round_trip(message: Message) -> None:
    assert Message.decode(message.encode()) == message


@given(
    st.text().filter(lambda text: "\ud800" not in text),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**40 - 1),
    st.binary(min_size=DEVICE_BYTES, max_size=DEVICE_BYTES),
    st.binary(min_size=CONVERSATION_BYTES, max_size=CONVERSATION_BYTES),
    st.sampled_from(["direct", "group"]),
    st.integers(0, 2**32 - 1),
)
def test_carries_every_room(
    body: str,
    sent_at: int,
    expires_at: int,
    device: bytes,
    conversation: bytes,
    kind: ConversationKind,
    key: int,
) -> None:
    message = Message(Text(body), sent_at, expires_at, device, conversation, kind, key)
    assert Message.decode(message.encode()) == message


@given(st.binary(max_size=300))
def test_any_bytes_are_one_message_or_refused(data: bytes) -> None:
    for candidate in (data, b"\1" + data):
        if not refused(candidate):
            assert Message.decode(candidate).encode() == candidate


@pytest.mark.parametrize("version", [0, 2, 255])
def test_refuses_another_version(version: int) -> None:
    assert not refused(wire())
    assert refused(bytes((version,)) + wire()[1:])
    assert refused(b"")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "video"},
        {"kind": 1},
        {"device": bytes(DEVICE_BYTES - 1)},
        {"device": bytes(DEVICE_BYTES + 1)},
        {"conversation": b""},
        {"conversation": bytes(CONVERSATION_BYTES + 1)},
        {"conversation_kind": "channel"},
        {"conversation_key": -1},
        {"conversation_key": 2**32},
        {"sent_at": -1},
        {"sent_at": 2**40},
        {"sent_at": 1.5},
        {"sent_at": None},
        {"expires_at": -1},
        {"expires_at": 2**40},
        {"name": "text-has-no-name"},
        {"name": None},
        {"data": b"\xff not UTF-8"},
        {"data": b"\xed\xa0\x80"},
        {"data": "a string"},
        {"data": b"x" * (TEXT_BYTES + 1)},
        {"kind": "file", "name": "a", "data": b"x" * (FILE_BYTES + 1)},
    ],
)
def test_refuses_a_field_outside_its_limits(change: dict[str, object]) -> None:
    assert refused(wire(**change))


def test_refuses_a_second_encoding_missing_and_extra_fields() -> None:
    whole = wire()
    assert refused(whole + b"\0")
    assert refused(whole[:-1])
    values = msgspec.msgpack.decode(whole[1:])
    assert refused(b"\1" + msgspec.msgpack.encode(values[:-1]))
    assert refused(b"\1" + msgspec.msgpack.encode([*values, 0]))
    assert refused(b"\1\xdc\x00\x09" + whole[2:])  # the array's length in its long form


def test_takes_the_largest_and_refuses_one_byte_more() -> None:
    for body, extra in (
        (Text("x" * TEXT_BYTES), Text("x" * (TEXT_BYTES + 1))),
        (File("f", bytes(FILE_BYTES)), File("f", bytes(FILE_BYTES + 1))),
    ):
        encoded = Message(body, 1).encode()
        assert len(encoded) <= CONTENT_BYTES
        assert Message.decode(encoded).body == body
        with pytest.raises(UsageError):
            Message(extra, 1).encode()


@pytest.mark.parametrize(
    "message",
    [
        Message(Text("x"), -1),
        Message(Text("x"), 1, device=b"short"),
        Message(Text("x"), 1, conversation=b""),
        Message(Text("x"), 1, conversation_key=-1),
    ],
)
def test_a_message_outside_the_format_is_our_own_mistake(message: Message) -> None:
    with pytest.raises(UsageError):
        message.encode()


def test_a_received_name_is_safe_whatever_the_sender_claims() -> None:
    received = Message.decode(wire(kind="file", name="../../.bashrc\u202e\n"))
    assert received.body == File("bashrc", b"hi")


def test_takes_the_longest_name_and_refuses_one_byte_more_without_looking_at_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received = Message.decode(wire(kind="file", name="n" * NAME_BYTES))
    assert isinstance(received.body, File)
    looked_at: list[str] = []
    monkeypatch.setattr("client.content.safe_file_name", looked_at.append)
    assert refused(wire(kind="file", name="n" * (NAME_BYTES + 1)))
    assert refused(wire(kind="file", name="\u00e4" * 128))
    assert refused(wire(kind="file", name="a" + "\u0301" * 75_000 + "\u0316" * 75_000))
    assert looked_at == []


def test_an_own_name_leaves_without_its_path() -> None:
    sent = Message(File("/home/alice/secret-folder/a.txt", b"x"), 1).encode()
    assert b"secret-folder" not in sent
    assert Message.decode(sent).body == File("a.txt", b"x")


def test_a_lone_surrogate_in_a_text_does_not_stop_it() -> None:
    assert Message.decode(Message(Text("a\ud800b"), 1).encode()).body == Text("a?b")
