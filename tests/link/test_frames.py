"""Frames against vectors laid out by hand from docs/spec/link.md, and against anything."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.drops import Drop
from hushmill.errors import UsageError
from hushmill.identifiers import AccountKey, DepositId, Epoch, InboxId, NodeNumber
from hushmill.link import (
    NO_HANDLE,
    ClientFrames,
    Control,
    Hello,
    InboxOperation,
    LinkClass,
    Mail,
    MailHandle,
    MailItem,
    NodeFrames,
    PieceOfDocument,
    Relay,
    RelayAndFetch,
    Welcome,
    WelcomeStatus,
    frame_bytes,
)
from tests.link.seeded import Seeded, refusal

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "link.json").read_text()
)
CLIENT = ClientFrames(VECTORS["packet_bytes"], VECTORS["body_bytes"])
NODE = NodeFrames(VECTORS["packet_bytes"])


def raw(command: str, name: str) -> bytes:
    return bytes.fromhex(VECTORS[command][name])


def vector_control() -> Control:
    vector = VECTORS["relay_and_fetch"]
    return Control(
        sequence=vector["sequence"],
        first_mix=NodeNumber(vector["first_mix"]),
        piece_epoch=Epoch(vector["piece_epoch"]),
        piece_index=vector["piece_index"],
        one_time_inbox=InboxId(raw("relay_and_fetch", "one_time_inbox")),
        operation=InboxOperation(vector["operation"]),
        inbox=InboxId(raw("relay_and_fetch", "inbox")),
        lifetime_hours=vector["lifetime_hours"],
        handles=tuple(MailHandle(bytes.fromhex(handle)) for handle in vector["handles"]),
    )


def vector_mail() -> Mail:
    vector = VECTORS["mail"]
    item = MailItem(
        MailHandle(raw("mail", "handle")),
        InboxId(raw("mail", "inbox")),
        DepositId(raw("mail", "deposit")),
        raw("mail", "body"),
    )
    piece = PieceOfDocument(
        Epoch(vector["epoch"]), vector["index"], vector["count"], raw("mail", "data")
    )
    return Mail(item, vector["answered_sequence"], piece)


def vector_hello() -> Hello:
    return Hello(
        VECTORS["hello"]["version"],
        AccountKey(raw("hello", "account")),
        raw("hello", "signature"),
        raw("hello", "proof_of_work"),
        raw("hello", "code"),
    )


def test_reads_every_upstream_vector() -> None:
    relay = RelayAndFetch(vector_control(), raw("relay_and_fetch", "packet"))
    assert CLIENT.decode_upstream(raw("relay_and_fetch", "frame")) == relay
    assert CLIENT.decode_upstream(raw("hello", "frame")) == vector_hello()


def test_reads_every_downstream_vector() -> None:
    assert CLIENT.decode_downstream(raw("mail", "frame")) == vector_mail()
    filler = Mail(None, VECTORS["filler"]["answered_sequence"], None)
    assert CLIENT.decode_downstream(raw("filler", "frame")) == filler
    welcome = Welcome(1, WelcomeStatus.FULL)
    assert CLIENT.decode_downstream(raw("welcome", "frame")) == welcome


def test_reads_and_writes_the_node_vector() -> None:
    frame = raw("relay", "frame")
    assert NODE.decode(frame) == Relay(raw("relay", "packet"))
    assert NODE.encode(NODE.decode(frame)) == frame


def test_writes_the_vectors_up_to_their_random_filling() -> None:
    rng = Seeded()
    relay = RelayAndFetch(vector_control(), raw("relay_and_fetch", "packet"))
    written = CLIENT.encode_upstream(relay, rng)
    wanted = raw("relay_and_fetch", "frame")
    fields = 4 + 2 + 4 + 2 + 32 + 1 + 32 + 2 + 64
    assert written[: 1 + fields] == wanted[: 1 + fields]
    assert written[257:] == wanted[257:]
    written = CLIENT.encode_downstream(vector_mail(), rng)
    used = len(written) - (CLIENT.piece_bytes - 100)
    assert written[:used] == raw("mail", "frame")[:used]
    assert CLIENT.encode_upstream(vector_hello(), rng)[:138] == raw("hello", "frame")[:138]


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_refuses_what_is_no_frame(name: str) -> None:
    decode = {
        "upstream": CLIENT.decode_upstream,
        "downstream": CLIENT.decode_downstream,
        "node": NODE.decode,
    }[name.split(":")[0]]
    assert refusal(decode, bytes.fromhex(VECTORS["refused"][name])) is Drop.FRAME


@pytest.mark.parametrize(("packet_bytes", "body_bytes"), [(8192, 3528), (3840, 3528)])
def test_gives_each_class_one_size(packet_bytes: int, body_bytes: int) -> None:
    frames = ClientFrames(packet_bytes, body_bytes)
    rng = Seeded()
    control = vector_control()
    hello = vector_hello()
    item = MailItem(
        MailHandle(bytes(8)), InboxId(bytes(32)), DepositId(bytes(16)), rng.take(body_bytes)
    )
    piece = PieceOfDocument(Epoch(1), 0, 1, rng.take(frames.piece_bytes))
    sizes = {
        len(frames.encode_upstream(hello, rng)),
        len(frames.encode_upstream(RelayAndFetch(control, rng.take(packet_bytes)), rng)),
        len(frames.encode_downstream(Welcome(1, WelcomeStatus.ACCEPTED), rng)),
        *(
            len(frames.encode_downstream(Mail(an_item, 1, a_piece), rng))
            for an_item in (None, item)
            for a_piece in (None, piece, PieceOfDocument(Epoch(1), 1, 2, b""))
        ),
    }
    assert sizes == {frame_bytes(LinkClass.CLIENT, packet_bytes)} == {1 + packet_bytes + 256}
    relay = NodeFrames(packet_bytes).encode(Relay(bytes(packet_bytes)))
    assert len(relay) == frame_bytes(LinkClass.NODE, packet_bytes) == 1 + packet_bytes
    assert frame_bytes(LinkClass.DIRECTORY, packet_bytes) == 4096


def test_keeps_every_value_through_a_round_trip() -> None:
    rng = Seeded(7)
    for mail in (vector_mail(), Mail(None, 0xFFFFFFFF, None), Mail(vector_mail().item, 0, None)):
        assert CLIENT.decode_downstream(CLIENT.encode_downstream(mail, rng)) == mail
    for status in WelcomeStatus:
        welcome = Welcome(1, status)
        assert CLIENT.decode_downstream(CLIENT.encode_downstream(welcome, rng)) == welcome
    for operation in InboxOperation:
        control = Control(
            sequence=0xFFFFFFFF,
            first_mix=NodeNumber(0xFFFF),
            piece_epoch=Epoch(0),
            piece_index=0xFFFF,
            one_time_inbox=InboxId(rng.take(32)),
            operation=operation,
            inbox=InboxId(rng.take(32)),
            lifetime_hours=0xFFFF,
            handles=(NO_HANDLE,) * 8,
        )
        assert Control.decode(control.encode(rng)) == control


def test_fills_a_filler_with_noise_and_never_with_zeros() -> None:
    empty = CLIENT.encode_downstream(Mail(None, 1, None), Seeded(1))
    again = CLIENT.encode_downstream(Mail(None, 1, None), Seeded(2))
    assert empty[2:58] != again[2:58]
    assert max(empty.count(bytes([value])) for value in range(256)) < 30  # mean 3


@given(st.binary(min_size=1, max_size=1), st.binary(max_size=600), st.integers(-1, 1))
def test_answers_any_bytes_with_a_value_or_a_peer_error(
    code: bytes, start: bytes, surplus: int
) -> None:
    frames = ClientFrames(320, 100)
    frame = (code + start).ljust(frames.frame_bytes, b"\x5a")[: frames.frame_bytes + surplus]
    for decode in (frames.decode_upstream, frames.decode_downstream, NodeFrames(320).decode):
        assert refusal(decode, frame) in (None, Drop.FRAME)


@given(st.sampled_from([0x10, 0x11, 0x20, 0x21]), st.binary(min_size=576, max_size=576))
def test_decodes_any_filling_of_a_known_command_or_refuses_it(code: int, filling: bytes) -> None:
    frames = ClientFrames(320, 100)
    frame = bytes([code]) + filling
    decode = frames.decode_upstream if code < 0x20 else frames.decode_downstream
    assert refusal(decode, frame) in (None, Drop.FRAME)


def test_holds_its_callers_to_exact_sizes() -> None:
    rng = Seeded()
    with pytest.raises(UsageError):
        NODE.encode(Relay(bytes(10)))
    with pytest.raises(UsageError):
        CLIENT.encode_upstream(RelayAndFetch(vector_control(), bytes(10)), rng)
    with pytest.raises(UsageError):
        MailItem(MailHandle(bytes(7)), InboxId(bytes(32)), DepositId(bytes(16)), b"")
    with pytest.raises(UsageError):
        PieceOfDocument(Epoch(1), 2, 2, b"")
    short = MailItem(MailHandle(bytes(8)), InboxId(bytes(32)), DepositId(bytes(16)), b"short")
    with pytest.raises(UsageError):
        CLIENT.encode_downstream(Mail(short, 1, None), rng)
    wide = PieceOfDocument(Epoch(1), 0, 1, bytes(CLIENT.piece_bytes + 1))
    with pytest.raises(UsageError):
        CLIENT.encode_downstream(Mail(None, 1, wide), rng)
    with pytest.raises(UsageError):
        ClientFrames(100, 3528)


def test_has_exactly_eight_handles() -> None:
    fields = vector_control()
    for count in (7, 9):
        with pytest.raises(UsageError):
            Control(
                sequence=fields.sequence,
                first_mix=fields.first_mix,
                piece_epoch=fields.piece_epoch,
                piece_index=fields.piece_index,
                one_time_inbox=fields.one_time_inbox,
                operation=fields.operation,
                inbox=fields.inbox,
                lifetime_hours=fields.lifetime_hours,
                handles=(NO_HANDLE,) * count,
            )
