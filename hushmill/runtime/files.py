"""Files that survive a power cut and that nobody else can read.

An error of fsync is never retried: the kernel may have dropped the pages, so a second success
would mean nothing. It is left to end the process.
"""

import os
import stat
from pathlib import Path

from hushmill.errors import ExitCode, UserError


def private_umask() -> None:
    """New files and sockets of this process are its user's alone."""
    os.umask(0o077)


def make_private_folder(path: Path) -> None:
    """Makes the folder and its parents; the folder itself is 0700."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def atomic_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Writes all of `data` or nothing: a new file, synced, renamed over the old, folder synced."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes names in the folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_secret(path: Path, limit: int) -> bytes:
    """The bytes of a secret's file of at most `limit` bytes.

    Raises UserError: PERMISSION if others than its owner can touch it, SECURITY_STOP if it is too
    long to be what it should be. FileNotFoundError passes through.
    """
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise UserError(
                f"{path} can be read or written by others. Run: chmod 600 {path}",
                ExitCode.PERMISSION,
            )
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UserError(
            f"{path} is not a file that hushmill wrote. Restore it from a backup.",
            ExitCode.SECURITY_STOP,
        )
    return data
