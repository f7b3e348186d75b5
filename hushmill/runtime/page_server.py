"""One page of text over HTTP, for programs of this machine.

Whoever asks has two seconds and 4 KiB to do so; eight may ask at once. Nothing but a GET of the
one path is answered with more than a status, and each connection is for one request (RFC 9112).
"""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast
from typing import Protocol as Structure

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from hushmill.errors import ExitCode, UsageError, UserError
from hushmill.runtime.reactor import DelayedCall, Reactor

REQUEST_BYTES = 4096
REQUEST_SECONDS = 2.0
CONNECTIONS = 8


class _Transport(Structure):
    """What is used of Twisted's connection."""

    def write(self, data: bytes) -> None: ...

    def loseConnection(self) -> None: ...  # noqa: N802

    def abortConnection(self) -> None: ...  # noqa: N802


class _Asked(Protocol):
    """One connection: a request's head is awaited, answered, and that is all."""

    def __init__(self, server: "PageServer") -> None:
        self._server = server
        self._head = b""
        self._has_answered = False
        self._timer: DelayedCall | None = None

    def connectionMade(self) -> None:  # noqa: N802
        self._timer = self._server.reactor.callLater(REQUEST_SECONDS, self._abort)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._has_answered:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._answer(*self._server.answer(self._head.split(b"\r\n", 1)[0]))
        elif len(self._head) > REQUEST_BYTES:
            self._answer(b"431 Request Header Fields Too Large", b"")

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._server.gone(self)

    def _answer(self, status: bytes, page: bytes) -> None:
        self._has_answered = True
        head = [
            b"HTTP/1.1 " + status,
            b"Content-Type: text/plain; version=0.0.4; charset=utf-8",
            b"Content-Length: %d" % len(page),
            b"Connection: close",
        ]
        transport = cast("_Transport", self.transport)
        transport.write(b"\r\n".join(head) + b"\r\n\r\n" + page)
        transport.loseConnection()

    def _abort(self) -> None:
        cast("_Transport", self.transport).abortConnection()


class PageServer(Factory[_Asked]):
    """`page` makes the text anew for each request of `path`."""

    noisy = False

    def __init__(self, reactor: Reactor, path: str, page: Callable[[], bytes]) -> None:
        self.reactor = reactor
        self._request = b"GET " + path.encode("ascii")
        self._page = page
        self._asked: set[_Asked] = set()
        self._port: Port | None = None

    @property
    def port_number(self) -> int:
        """The port that is listened on, for a server asked for port 0."""
        if self._port is None:
            return 0
        number: int = self._port.getHost().port
        return number

    def listen(self, address: str) -> None:
        """Listens on `address`, "127.0.0.1:9100" or "[::1]:9100". Raises UserError(CONFIGURATION)
        where that port cannot be had; an address that others can reach is UsageError."""
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        if not ip_address(host).is_loopback:
            raise UsageError("a page is for this machine alone")
        opened = Port(int(port), cast("Any", self), CONNECTIONS, host, cast("Any", self.reactor))
        try:
            opened.startListening()
        except CannotListenError as error:
            raise UserError(
                f"Cannot listen on {address}: {error.socketError}. Is another program there?",
                ExitCode.CONFIGURATION,
            ) from error
        self._port = opened

    def stop(self) -> None:
        if self._port is not None:
            self._port.stopListening()
            self._port = None
        for asked in list(self._asked):
            cast("_Transport", asked.transport).abortConnection()

    def buildProtocol(self, addr: Any) -> _Asked | None:  # noqa: N802
        """None, and so the connection is closed at once, for one too many."""
        if len(self._asked) >= CONNECTIONS:
            return None
        asked = _Asked(self)
        self._asked.add(asked)
        return asked

    def gone(self, asked: _Asked) -> None:
        self._asked.discard(asked)

    def answer(self, line: bytes) -> tuple[bytes, bytes]:
        """Status and page for a request's first line."""
        target, _, version = line.rpartition(b" ")
        if not version.startswith(b"HTTP/1."):
            return b"400 Bad Request", b""
        if target != self._request:
            return b"404 Not Found", b""
        return b"200 OK", self._page()
