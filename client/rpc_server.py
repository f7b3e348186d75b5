"""The daemon's end of the local protocol: a table of methods behind a Unix socket.

A connection is served one call at a time, in their order. It may have `PIPELINE_LIMIT` calls
waiting behind the one that is served; one more ends it.
"""

import os
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Generic, TypeAlias, TypeVar
from typing import Protocol as TypingProtocol

import msgspec
from twisted.internet import interfaces, protocol
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure as TwistedFailure

from client.rpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    USER_ERROR,
    Failure,
    JsonObject,
    LineCutter,
    Request,
    Result,
    RpcError,
    decode_request,
    encode_message,
)
from hushmill.errors import ExitCode, UserError

CONNECTION_LIMIT = 32
PIPELINE_LIMIT = 4
MESSAGE_CHARACTERS = 1000  # of what a failure says
_NAME_CHARACTERS = 60

Params = TypeVar("Params", bound=msgspec.Struct)
Answer: TypeAlias = "JsonObject | Deferred[JsonObject]"


class Answering(TypingProtocol):
    """What stands in the table: `Method` of any shape."""

    def answer(self, params: JsonObject) -> "Answer": ...


class Method(Generic[Params]):
    """One row of the table: the shape of the parameters and what answers them."""

    __slots__ = ("_call", "_shape")

    def __init__(self, shape: type[Params], call: Callable[[Params], Answer]) -> None:
        self._shape = shape
        self._call = call

    def answer(self, params: JsonObject) -> Answer:
        """Raises msgspec.ValidationError for parameters of another shape."""
        return self._call(msgspec.convert(params, self._shape))


class LocalTransport(TypingProtocol):
    """What Twisted gives a connection, as far as it is used here."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...  # noqa: N802 (Twisted's names)
    def getHandle(self) -> socket.socket: ...  # noqa: N802


class RpcConnection(protocol.Protocol):
    """One command's connection."""

    transport: LocalTransport  # type: ignore[assignment]  # set by Twisted, which does not type it

    def __init__(self, server: "RpcServer") -> None:
        self._server = server
        self._cutter = LineCutter()
        self._waiting: list[bytes] = []
        self._pending: Deferred[JsonObject] | None = None
        self._is_serving = False

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        if len(self._server.connections) >= CONNECTION_LIMIT or not _is_own(
            self.transport.getHandle()
        ):
            self.transport.loseConnection()
            return
        self._server.connections.add(self)

    def connectionLost(self, reason: TwistedFailure = protocol.connectionDone) -> None:  # noqa: N802
        self._server.connections.discard(self)
        self._waiting.clear()
        if self._pending is not None:
            self._pending.cancel()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self not in self._server.connections:
            return
        try:
            self._waiting += self._cutter.feed(data)
        except RpcError as fault:
            self._refuse(fault.failure)
            return
        self._serve_next()
        if len(self._waiting) > PIPELINE_LIMIT:
            text = "too many calls at once"
            self._refuse(Failure(None, INVALID_REQUEST, text, ExitCode.USAGE))

    def _refuse(self, failure: Failure) -> None:
        self._write(failure)
        self._waiting.clear()
        self.transport.loseConnection()

    def _serve_next(self) -> None:
        if self._is_serving:
            return
        self._is_serving = True
        while self._waiting and self._pending is None:
            line = self._waiting.pop(0)
            try:
                request = decode_request(line)
            except RpcError as fault:
                self._write(fault.failure)
                continue
            self._serve(request)
        self._is_serving = False

    def _serve(self, request: Request) -> None:
        method = self._server.methods.get(request.method)
        if method is None:
            text = f"The daemon knows no method {request.method[:_NAME_CHARACTERS]!r}."
            self._write(Failure(request.number, METHOD_NOT_FOUND, text, ExitCode.BUG))
            return
        pending = self._pending = _ask(method, request.params)
        pending.addCallbacks(
            lambda value: self._write(Result(request.number, value)),
            lambda reason: self._fail(request, reason),
        )
        pending.addCallback(lambda _: self._finish())

    def _finish(self) -> None:
        self._pending = None
        if self in self._server.connections:
            self._serve_next()

    def _fail(self, request: Request, reason: TwistedFailure) -> None:
        """Answers with what went wrong. Only a bug ends the daemon: a store that could not be
        written must not be written again."""
        cause = reason.value
        if isinstance(cause, UserError):
            self._write(Failure(request.number, USER_ERROR, str(cause), cause.exit_code))
        elif isinstance(cause, msgspec.ValidationError):
            self._write(Failure(request.number, INVALID_PARAMS, str(cause), ExitCode.USAGE))
        elif not isinstance(cause, CancelledError):
            text = "The daemon has a defect and stops; its output says which."
            self._write(Failure(request.number, INTERNAL_ERROR, text, ExitCode.BUG))
            self._server.on_bug(reason)

    def _write(self, answer: Result | Failure) -> None:
        if isinstance(answer, Failure):
            # It may repeat what it was asked: a method's, a field's or a person's name of any size.
            answer = replace(answer, message=answer.message[:MESSAGE_CHARACTERS])
        if self in self._server.connections:
            self.transport.write(encode_message(answer))


class RpcServer(protocol.Factory):
    """Makes connections that answer by `methods`. `on_bug` is told of what should not happen."""

    noisy = False

    def __init__(
        self,
        methods: Mapping[str, Answering],
        on_bug: Callable[[TwistedFailure], None],
    ) -> None:
        self.methods = methods
        self.on_bug = on_bug
        self.connections: set[RpcConnection] = set()

    def buildProtocol(self, addr: interfaces.IAddress | None) -> RpcConnection:  # noqa: N802
        return RpcConnection(self)


def _ask(method: Answering, params: JsonObject) -> Deferred[JsonObject]:
    try:
        answer = method.answer(params)
    except Exception:
        return fail()
    return answer if isinstance(answer, Deferred) else succeed(answer)


def _is_own(peer: socket.socket) -> bool:
    """Whether the other end runs as our user, by the kernel's word (SO_PEERCRED)."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(user == os.getuid())
