"""Files that survive a power cut and that nobody else can read.

An error of fsync is never retried: the kernel may have dropped the pages, so a second success
would mean nothing. It is left to end the process.
"""

import os
import stat
from contextlib import suppress
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


def write_status_file(path: Path, data: bytes) -> bool:
    """Whether a process's JSON status could be written; all or nothing for whoever reads it.

    It is not synced, and never worth the process: where the disk has no room for a second file it
    goes over the first, whose block is ours, and if that fails too the last one stays as it is.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        return _write_over(path, data)
    return True


def _write_over(path: Path, data: bytes) -> bool:
    """In one write of less than a block; spaces, which JSON ignores, cover a longer old one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        padded = data.ljust(os.fstat(descriptor).st_size)
        return os.pwrite(descriptor, padded, 0) == len(padded)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Makes names in the folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_credential(path: Path) -> bool:
    """Whether the file lies where systemd puts credentials (systemd.exec(5))."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.resolve().parent == Path(folder or "").resolve()


def read_secret(path: Path, limit: int) -> bytes:
    """The bytes of a secret's file of at most `limit` bytes.

    Raises UserError: PERMISSION if others than its owner can touch it, SECURITY_STOP if it is too
    long to be what it should be. FileNotFoundError passes through. In systemd's folder of
    credentials a file belongs to root and is opened to the service by an access list, which shows
    as a group that may read (0440); nobody else can enter that folder.
    """
    forbidden = 0o037 if _is_credential(path) else 0o077
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & forbidden:
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
