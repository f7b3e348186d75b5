"""Disk space kept back, so that a full disk still lets people delete.

Deposits are refused while little is free: the rest of the disk is for what a running node must
write (replay logs, deletions). Should other programs use that up as well, the reserve file is
removed and its space serves deletions: they need room for the write-ahead log, which grows to about
4 MiB before it is reused, and as much in the database. Spec: docs/spec/mailbox.md (No room).
"""

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 8 << 20
WATERMARK_BYTES = 64 << 20
SMALL_DISK_SHARE = 16  # of a small disk the reserve is a 16th and the watermark an 8th
RESERVE_FILE = "reserve"


class DiskReserve:
    """The reserve in `directory`, taken at once if there is room."""

    def __init__(
        self,
        directory: Path,
        reserve_bytes: int = RESERVE_BYTES,
        watermark_bytes: int = WATERMARK_BYTES,
    ) -> None:
        disk = os.statvfs(directory)
        share = disk.f_blocks * disk.f_frsize // SMALL_DISK_SHARE
        self._path = directory / RESERVE_FILE
        self._bytes = min(reserve_bytes, share)
        self._watermark = min(watermark_bytes, 2 * share)
        self.is_held()

    def release(self) -> None:
        """Gives the space to the store. Nothing if it is not held."""
        self._path.unlink(missing_ok=True)

    def is_held(self) -> bool:
        """Whether the reserve is held, or could be taken just now, and the watermark is free
        beside it."""
        disk = os.statvfs(self._path.parent)
        free = disk.f_bavail * disk.f_frsize
        with suppress(FileNotFoundError):
            if self._path.stat().st_size == self._bytes:
                return free >= self._watermark
        if free < self._watermark + self._bytes:
            return False
        try:
            self._allocate()
        except OSError:  # no room after all, or a file system that cannot promise any
            self.release()
            return False
        return True

    def _allocate(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._bytes)
        finally:
            os.close(descriptor)
