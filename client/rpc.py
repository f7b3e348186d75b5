"""The local protocol between a person's commands and their daemon: JSON-RPC 2.0, one object a line.

Over a Unix stream socket (0600, in a folder 0700, other users refused by SO_PEERCRED). The daemon
never speaks unasked: who wants to hear of a change makes a call that is answered when there is one.
Every object carries `"v": 1`. A line is at most `LINE_LIMIT` bytes with its newline; a longer one
ends the connection. Only the standard library, because every command imports it. Spec:
docs/commands.md.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hushmill.errors import ExitCode, UserError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]

PROTOCOL_VERSION = 1
LINE_LIMIT = 4 * 1024 * 1024  # bytes; a file of 1 MiB in base64 is a third of it
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's sockaddr_un has 108 with its end

# Error codes of JSON-RPC 2.0, section 5.1, and ours below them.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
WRONG_VERSION = -32001
USER_ERROR = -32000  # `data.exit` is the command's exit code


@dataclass(frozen=True, slots=True)
class Request:
    """A call. `number` ties the answer to it."""

    number: int
    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a call that went well."""

    number: int
    value: JsonObject


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer to a call that did not. `number` is None where the call could not be read."""

    number: int | None
    code: int
    message: str
    exit_code: ExitCode


class RpcError(Exception):
    """A line is not a well-formed object of this protocol. `failure` is what to answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def encode_message(message: Request | Result | Failure) -> bytes:
    """One line with its newline. Raises UserError (2) above `LINE_LIMIT`."""
    record: JsonObject = {"jsonrpc": "2.0", "v": PROTOCOL_VERSION}
    match message:
        case Request(number, method, params):
            record |= {"id": number, "method": method, "params": params}
        case Result(number, value):
            record |= {"id": number, "result": value}
        case Failure(maybe_number, code, text, exit_code):
            data: JsonObject = {"exit": int(exit_code)}
            record |= {"id": maybe_number, "error": {"code": code, "message": text, "data": data}}
    line = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_LIMIT:
        raise UserError("That is too large for one message.", ExitCode.USAGE)
    return line


def decode_request(line: bytes) -> Request:
    """The call that a line holds. Raises RpcError for everything else."""
    record = _decode_object(line)
    number = record.get("id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise _fault(None, INVALID_REQUEST, "the id is not a number")
    method, params = record.get("method"), record.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise _fault(number, INVALID_REQUEST, "method or params are missing")
    if set(record) - {"jsonrpc", "v", "id", "method", "params"}:
        raise _fault(number, INVALID_REQUEST, "unknown fields")
    return Request(number, method, params)


def decode_answer(line: bytes) -> Result | Failure:
    """What the daemon said. Raises RpcError for everything else."""
    record = _decode_object(line)
    number = record.get("id")
    match record:
        case {"result": dict(value)} if isinstance(number, int):
            return Result(number, value)
        case {"error": {"code": int(code), "message": str(text), "data": {"exit": int(exit_code)}}}:
            known = number if isinstance(number, int) else None
            return Failure(known, code, text, _exit_code(exit_code))
    raise _fault(None, INVALID_REQUEST, "not an answer")


def _exit_code(value: int) -> ExitCode:
    return ExitCode(value) if value in ExitCode._value2member_map_ else ExitCode.BUG


def _decode_object(line: bytes) -> JsonObject:
    try:
        text = line.decode()
        record = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(record, ensure_ascii=False).encode()  # half a character is no text
    except UnicodeEncodeError as error:
        raise _fault(None, INVALID_PARAMS, "That is not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:
        raise _fault(None, PARSE_ERROR, "not JSON") from error
    if not isinstance(record, dict) or record.get("jsonrpc") != "2.0":
        raise _fault(None, INVALID_REQUEST, "not JSON-RPC 2.0")
    if record.get("v") != PROTOCOL_VERSION:
        number = record.get("id")
        raise _fault(
            number if isinstance(number, int) else None,
            WRONG_VERSION,
            "The command and the daemon are of different versions. "
            "Stop the daemon and start it again: hushmill daemon",
        )
    return record


def _fault(number: int | None, code: int, text: str) -> RpcError:
    exits = {WRONG_VERSION: ExitCode.CONFIGURATION, INVALID_PARAMS: ExitCode.USAGE}
    return RpcError(Failure(number, code, text, exits.get(code, ExitCode.BUG)))


class LineCutter:
    """Cuts a stream into lines, holding at most `LINE_LIMIT` bytes of an unfinished one."""

    __slots__ = ("_limit", "_pending")

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._pending = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines. Raises RpcError once a line is
        longer than the limit; the connection is to be closed then."""
        searched = len(self._pending)
        self._pending += data
        lines = []
        while (end := self._pending.find(b"\n", searched)) >= 0:
            if end >= self._limit:
                raise _fault(None, INVALID_REQUEST, "the line is too long")
            lines.append(bytes(self._pending[:end]))
            del self._pending[: end + 1]
            searched = 0
        if len(self._pending) >= self._limit:
            raise _fault(None, INVALID_REQUEST, "the line is too long")
        return lines


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address by which `path` can be reached while the block runs, however long it is.

    A Unix address holds 107 bytes; beyond that it goes by way of an open descriptor of its folder.
    Raises OSError where the folder does not exist.
    """
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
