"""The commands' end of the local protocol: one blocking socket, one call at a time."""

import socket
from types import TracebackType

from client.profile import Profile
from client.rpc import (
    Failure,
    JsonObject,
    LineCutter,
    Request,
    RpcError,
    decode_answer,
    encode_message,
    socket_address,
)
from hushmill.errors import ExitCode, UserError

CHUNK_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0


class DaemonConnection:
    """A connection to the daemon of one profile; use it as a context manager."""

    __slots__ = ("_cutter", "_next_number", "_profile", "_socket")

    def __init__(self, profile: Profile) -> None:
        """Connects. Raises UserError: 3 without a profile, 4 without a daemon, 10 if refused or if
        others can look into the profile."""
        profile.require()
        profile.check_private()
        self._profile = profile
        self._cutter = LineCutter()
        self._next_number = 1
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(CONNECT_SECONDS)
        try:
            with socket_address(profile.socket) as address:
                self._socket.connect(address)
        except PermissionError as error:
            self._socket.close()
            raise UserError(
                f"You may not use the daemon at {profile.socket}: it is another user's.",
                ExitCode.PERMISSION,
            ) from error
        except OSError as error:
            self._socket.close()
            raise _daemon_down(profile) from error

    def __enter__(self) -> "DaemonConnection":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call(
        self, method: str, params: JsonObject | None = None, seconds: float = 0.0
    ) -> JsonObject:
        """The method's result. `seconds` is how long the daemon itself may take on purpose.

        Raises the UserError that the daemon names, or 4 if the daemon is gone.
        """
        number = self._next_number
        self._next_number += 1
        self._socket.settimeout(ANSWER_SECONDS + seconds)
        try:
            self._socket.sendall(encode_message(Request(number, method, params or {})))
            answer = decode_answer(self._line())
        except RpcError as error:
            raise UserError(str(error), error.failure.exit_code) from error
        except TimeoutError as error:
            raise UserError(
                "The daemon does not answer. See what it says, or start it again: "
                f"hushmill daemon{self._profile.option}",
                ExitCode.DAEMON_DOWN,
            ) from error
        except OSError as error:
            raise _daemon_down(self._profile) from error
        if isinstance(answer, Failure):
            raise UserError(answer.message, answer.exit_code)
        if answer.number != number:
            raise UserError("The daemon answered another call.", ExitCode.BUG)
        return answer.value

    def _line(self) -> bytes:
        """The next line. Nothing follows it, because the daemon only ever answers."""
        while True:
            data = self._socket.recv(CHUNK_BYTES)
            if not data:
                raise ConnectionResetError
            if lines := self._cutter.feed(data):
                return lines[0]


def _daemon_down(profile: Profile) -> UserError:
    return UserError(
        "Your daemon is not running. Start it, and leave it running: "
        f"hushmill daemon{profile.option}",
        ExitCode.DAEMON_DOWN,
    )
