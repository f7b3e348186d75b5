"""`node.lock`: held by the one process that may touch a node's keys and logs.

It is a record lock of the kernel's (fcntl(2), F_SETLK), which goes with its process and which a
child does not inherit; so there is no number in a file that could be stale: the kernel itself says
who holds it. Whoever closes any descriptor of the file gives the lock up, so a process opens it
once.
"""

import errno
import fcntl
import os
import select
import signal
import struct
from pathlib import Path

from hushmill.errors import ExitCode, UserError

LOCK_FILE = "node.lock"
_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, process


def lock_node_directory(path: Path) -> int:
    """The lock's descriptor, held until it is closed. Raises UserError(LOCKED) while another
    process has it: two would write one replay log."""
    descriptor = os.open(
        path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise UserError(
            f"This node is running already. End it first: hushmill mix drain {path}",
            ExitCode.LOCKED,
        ) from error
    return descriptor


class RunningNode:
    """The process that holds a directory's lock, so that it and no other is told to end."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: Path) -> None:
        """Raises UserError(DAEMON_DOWN) when no process of this machine holds the lock."""
        holder = _holder(path)
        if holder is not None:
            try:
                self._descriptor = os.pidfd_open(holder)
            except ProcessLookupError:
                holder = None
        # Its number may have been given to another process before we held on to it.
        if holder is None or _holder(path) != holder:
            raise UserError("The node is not running.", ExitCode.DAEMON_DOWN)

    def terminate(self) -> None:
        """SIGTERM. Raises UserError(PERMISSION) for a process of somebody else's."""
        try:
            signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)
        except ProcessLookupError:
            pass  # it has ended, as it should
        except PermissionError as error:
            raise UserError(
                "The node runs as another user. Drain it as that user, or as root.",
                ExitCode.PERMISSION,
            ) from error

    def has_ended(self, seconds: float) -> bool:
        """Whether it has, within `seconds`."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def close(self) -> None:
        os.close(self._descriptor)


def _holder(path: Path) -> int | None:
    """The process that holds the lock, as this process would call it."""
    try:
        descriptor = os.open(path / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    kind, _, _, _, process = answer
    return process if kind != fcntl.F_UNLCK and process > 0 else None
