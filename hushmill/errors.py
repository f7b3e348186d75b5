"""Whose fault it is, as a type: a peer's, our caller's, or something a person can mend."""

from collections.abc import Mapping
from enum import IntEnum

from hushmill.drops import Drop


class ExitCode(IntEnum):
    """What a command's exit tells a script. `docs/commands.md` has the same list."""

    OK = 0
    BUG = 1
    USAGE = 2
    CONFIGURATION = 3
    DAEMON_DOWN = 4
    NO_CONSENSUS = 5
    SECURITY_STOP = 6
    NOT_FOUND = 7
    LOCKED = 8
    TIMEOUT = 9
    PERMISSION = 10
    INTERRUPTED = 130


class PeerError(Exception):
    """Bytes from a peer are wrong. Caught once at the link, counted, never explained outside."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason.value)
        self.reason = reason


class UsageError(Exception):
    """Our own caller broke a function's contract: a bug, never a peer's doing."""


class UserError(Exception):
    """Its text is shown to the person and says what to do; `exit_code` is the command's. `record`
    is what a script must know all the same (a message that was kept, say)."""

    def __init__(
        self, message: str, exit_code: ExitCode, record: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.record = dict(record or {})
