"""Disk space kept back in a file, so that a full disk still lets people delete.

Deleting needs room too: the write-ahead log grows to about 4 MiB before it is reused, and then the
database may grow by as much. When the disk is full the file is removed and its 8 MiB serve for
that. Spec: docs/spec/mailbox.md (No room).
"""

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 8 << 20
RESERVE_FILE = "reserve"


class DiskReserve:
    """The reserve in `directory`, taken at once if there is room."""

    def __init__(self, directory: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._path = directory / RESERVE_FILE
        self._bytes = reserve_bytes
        self.is_held()

    def release(self) -> None:
        """Gives the space to the store. Nothing if it is not held."""
        self._path.unlink(missing_ok=True)

    def is_held(self) -> bool:
        """Takes the space if as much again stays free; whether it is held."""
        with suppress(FileNotFoundError):
            if self._path.stat().st_size == self._bytes:
                return True
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < 2 * self._bytes:
            return False
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._bytes)
        except OSError:  # no room after all, or a file system that cannot promise any
            self.release()
            return False
        finally:
            os.close(descriptor)
        return True
