"""A page over HTTP: what is answered, and what whoever asks may cost."""

import socket
from collections.abc import Iterator

import pytest

from hushmill.errors import UsageError, UserError
from hushmill.runtime import PageServer
from hushmill.runtime.page_server import CONNECTIONS, REQUEST_BYTES, REQUEST_SECONDS
from tests.processes.link_loop import Loop, running_loop

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def server(loop: Loop) -> PageServer:
    server = PageServer(loop.reactor, "/metrics", lambda: b"hushmill_mix_up 1\n")
    server.listen("127.0.0.1:0")
    loop.at_end(server.stop)
    return server


def _asked(loop: Loop, server: PageServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port_number)) as asking:
        asking.sendall(request)
        asking.setblocking(False)
        answer = bytearray()
        is_over: list[bool] = []

        def read() -> bool:
            try:
                more = asking.recv(65536)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                more = b""
            answer.extend(more)
            if not more:
                is_over.append(True)
            return bool(is_over)

        loop.until(read, 10.0)
        return bytes(answer)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (GET, b"200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /metrics\r\n\r\n", b"400 Bad Request"),
        (b"\xff\x00\r\n\r\n", b"400 Bad Request"),
        (b"x" * (REQUEST_BYTES + 1), b"431 Request Header Fields Too Large"),
    ],
)
def test_answers_one_request(
    loop: Loop, server: PageServer, request_bytes: bytes, status: bytes
) -> None:
    head, _, page = _asked(loop, server, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert page == (b"hushmill_mix_up 1\n" if status == b"200 OK" else b"")


def test_a_head_of_the_longest_size_is_answered(loop: Loop, server: PageServer) -> None:
    padding = b"X: " + b"a" * (REQUEST_BYTES - len(GET) - 5) + b"\r\n\r\n"
    longest = GET[:-2] + padding
    assert len(longest) == REQUEST_BYTES
    assert b"200 OK" in _asked(loop, server, longest)


def test_whoever_says_nothing_is_cut_off_and_holds_few_places(
    loop: Loop, server: PageServer
) -> None:
    silent = [
        socket.create_connection(("127.0.0.1", server.port_number)) for _ in range(CONNECTIONS)
    ]
    loop.run_for(0.1)
    assert _asked(loop, server, GET) == b""  # one too many
    loop.run_for(REQUEST_SECONDS + 0.2)
    assert b"200 OK" in _asked(loop, server, GET)
    for each in silent:
        each.close()


def test_listens_on_this_machine_alone(loop: Loop, server: PageServer) -> None:
    other = PageServer(loop.reactor, "/metrics", lambda: b"")
    with pytest.raises(UsageError):
        other.listen("0.0.0.0:0")
    with pytest.raises(UserError):
        other.listen(f"127.0.0.1:{server.port_number}")
