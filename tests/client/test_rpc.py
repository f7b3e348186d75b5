"""The local protocol: every line is a call, an answer, or a stated fault; and its bounds."""

import json
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as TwistedFailure

from client.rpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LINE_LIMIT,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    USER_ERROR,
    WRONG_VERSION,
    Failure,
    JsonObject,
    LineCutter,
    Request,
    Result,
    RpcError,
    decode_answer,
    decode_request,
    encode_message,
    socket_address,
)
from client.rpc_server import (
    CONNECTION_LIMIT,
    MESSAGE_CHARACTERS,
    PIPELINE_LIMIT,
    Answering,
    Method,
    RpcConnection,
    RpcServer,
)
from hushmill.errors import ExitCode, UserError


class Words(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Peer:
    """The kernel's answer about who is at the other end."""

    def __init__(self, user: int) -> None:
        self.user = user

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
        return struct.pack("3i", 1, self.user, 1)[:size]


class Line:
    """A connection's transport, in memory."""

    def __init__(self, user: int) -> None:
        self.peer = Peer(user)
        self.written = b""
        self.disconnecting = False

    def write(self, data: bytes) -> None:
        self.written += data

    def loseConnection(self) -> None:  # noqa: N802
        self.disconnecting = True

    def getHandle(self) -> Peer:  # noqa: N802
        return self.peer


class Served:
    """A server with three methods, and the bugs it was told of."""

    def __init__(self) -> None:
        self.bugs: list[TwistedFailure] = []
        self.later: list[Deferred[JsonObject]] = []
        methods: dict[str, Answering] = {
            "echo": Method(Words, lambda words: {"text": words.text}),
            "missing": Method(Empty, self.missing),
            "broken": Method(Empty, self.broken),
            "slow": Method(Empty, self.slow),
        }
        self.server = RpcServer(methods, self.bugs.append)

    def missing(self, _: Empty) -> JsonObject:
        raise UserError("nobody of that name", ExitCode.NOT_FOUND)

    def broken(self, _: Empty) -> JsonObject:
        raise OSError("disk")

    def slow(self, _: Empty) -> Deferred[JsonObject]:
        self.later.append(Deferred())
        return self.later[-1]

    def connect(self, user: int | None = None) -> tuple[RpcConnection, Line]:
        transport = Line(os.getuid() if user is None else user)
        connection = self.server.buildProtocol(None)
        connection.transport = transport  # type: ignore[assignment]
        connection.connectionMade()
        return connection, transport

    def ask(self, line: bytes) -> Result | Failure:
        connection, transport = self.connect()
        connection.dataReceived(line)
        return decode_answer(transport.written.rstrip(b"\n"))


def call(method: str, **params: str) -> bytes:
    return encode_message(Request(7, method, dict(params)))


def test_answers_a_call() -> None:
    assert Served().ask(call("echo", text="\U0001f680")) == Result(7, {"text": "\U0001f680"})
    assert Served().ask(call("echo", text="\u2028ü")) == Result(7, {"text": "\u2028ü"})


def test_names_the_exit_code_of_a_user_error() -> None:
    failure = Failure(7, USER_ERROR, "nobody of that name", ExitCode.NOT_FOUND)
    assert Served().ask(call("missing")) == failure


def test_tells_the_service_of_a_bug_and_says_so() -> None:
    served = Served()
    answer = served.ask(call("broken"))
    assert isinstance(answer, Failure)
    assert (answer.code, answer.exit_code) == (INTERNAL_ERROR, ExitCode.BUG)
    assert "disk" not in answer.message
    assert [bug.type for bug in served.bugs] == [OSError]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{\n", PARSE_ERROR),
        (b"\xff\n", PARSE_ERROR),
        (b"[" * 100_000 + b"\n", PARSE_ERROR),
        (b"[]\n", INVALID_REQUEST),
        (b'{"v":1,"id":1,"method":"echo","params":{}}\n', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","v":2,"id":1,"method":"echo","params":{}}\n', WRONG_VERSION),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}\n', WRONG_VERSION),
        (b'{"jsonrpc":"2.0","v":1,"id":true,"method":"echo","params":{}}\n', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","v":1,"id":1,"method":"echo","params":[]}\n', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","v":1,"id":1,"method":"echo","x":1}\n', INVALID_REQUEST),
        (call("echo", text="\udcff"), INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","v":1,"id":1,"method":"echo","x":"\xed\xa0\x80"}\n', PARSE_ERROR),
        (call("unknown"), METHOD_NOT_FOUND),
        (call("echo"), INVALID_PARAMS),
        (call("echo", text="a", more="b"), INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","v":1,"id":1,"method":"echo","params":{"text":5}}\n', INVALID_PARAMS),
    ],
)
def test_refuses_what_is_not_a_call(line: bytes, code: int) -> None:
    answer = Served().ask(line)
    assert isinstance(answer, Failure)
    assert answer.code == code


@pytest.mark.parametrize(
    "line",
    [
        call("\0" * 400_000),  # each character is six in JSON, and four more in Python's words
        call("echo", text="a", **{"x" * 3_900_000: "b"}),
        call("echo", text="\udcff"),
    ],
)
def test_an_answer_repeats_little_of_the_call(line: bytes) -> None:
    served = Served()
    connection, transport = served.connect()
    connection.dataReceived(line)
    assert 0 < len(transport.written) < 8 * MESSAGE_CHARACTERS
    assert isinstance(decode_answer(transport.written.rstrip(b"\n")), Failure)


@given(st.binary(max_size=200))
def test_decodes_any_bytes_or_faults(line: bytes) -> None:
    for decode in (decode_request, decode_answer):
        with suppress(RpcError):
            decode(line)


@pytest.mark.parametrize(
    "message",
    [Result(3, {"a": [1, None, "b"]}), Failure(None, -1, "text", ExitCode.LOCKED)],
)
def test_reads_back_an_answer(message: Result | Failure) -> None:
    assert decode_answer(encode_message(message).rstrip(b"\n")) == message


def test_reads_back_a_call_on_one_line() -> None:
    request = Request(1, "send", {"text": "two\nlines"})
    line = encode_message(request)
    assert line.count(b"\n") == 1
    assert decode_request(line) == request
    assert json.loads(line)["v"] == 1


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=8))
def test_cuts_lines_wherever_the_stream_breaks(lines: list[bytes]) -> None:
    cutter, stream = LineCutter(), b"".join(line + b"\n" for line in lines)
    assert [cut for byte in stream for cut in cutter.feed(bytes([byte]))] == lines
    assert LineCutter().feed(stream) == lines


def test_bounds_a_line() -> None:
    assert LineCutter(limit=4).feed(b"abc\n") == [b"abc"]
    for too_long in (b"abcd", b"abcd\n", b"a\nabcd\n"):
        with pytest.raises(RpcError):
            LineCutter(limit=4).feed(too_long)


def test_refuses_to_encode_a_line_over_the_limit() -> None:
    with pytest.raises(UserError) as caught:
        encode_message(Request(1, "send", {"text": "a" * LINE_LIMIT}))
    assert caught.value.exit_code is ExitCode.USAGE


def test_closes_a_connection_whose_line_is_too_long() -> None:
    connection, transport = Served().connect()
    connection.dataReceived(b"a" * LINE_LIMIT)
    assert transport.disconnecting


def test_refuses_another_user() -> None:
    served = Served()
    connection, transport = served.connect(user=os.getuid() + 1)
    connection.dataReceived(call("echo", text="a"))
    assert transport.disconnecting
    assert transport.written == b""
    assert not served.server.connections


def test_bounds_connections() -> None:
    served = Served()
    open_ones = [served.connect() for _ in range(CONNECTION_LIMIT)]
    _, refused = served.connect()
    assert refused.disconnecting
    open_ones[0][0].connectionLost()
    _, accepted = served.connect()
    assert not accepted.disconnecting


def test_answers_in_order_and_bounds_what_waits() -> None:
    served = Served()
    connection, transport = served.connect()
    connection.dataReceived(call("slow") + call("echo", text="a") * PIPELINE_LIMIT)
    assert transport.written == b""
    served.later[0].callback({"slow": True})
    answers = [decode_answer(line) for line in transport.written.splitlines()]
    assert answers == [Result(7, {"slow": True})] + [Result(7, {"text": "a"})] * PIPELINE_LIMIT
    connection.dataReceived(call("slow") + call("echo", text="a") * (PIPELINE_LIMIT + 1))
    assert transport.disconnecting


def test_serves_many_calls_in_one_chunk() -> None:
    connection, transport = Served().connect()
    connection.dataReceived(call("echo", text="a") * 3000)
    assert transport.written.count(b"\n") == 3000


def test_ends_a_waiting_call_with_its_connection() -> None:
    served = Served()
    connection, _ = served.connect()
    connection.dataReceived(call("slow"))
    connection.connectionLost()
    assert served.later[0].called
    assert not served.bugs


def test_reaches_a_socket_whose_path_is_too_long(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    with socket_address(folder / "daemon.sock") as address:
        assert len(address) < 100
        assert Path(address).parent.samefile(folder)
    with socket_address(Path("/run/daemon.sock")) as address:
        assert address == "/run/daemon.sock"
