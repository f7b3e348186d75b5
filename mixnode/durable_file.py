"""Files that have to survive a power loss: the few operations that keys and replay logs are made
of. Each blocks, and an OSError from any of them is the end of the process.

All of them, and the log's own writes, go through functions of `os`, one call a change: the
power-loss test records them there.
"""

import os
from pathlib import Path


def write_all(descriptor: int, data: bytes) -> None:
    """Returns when all of `data` is handed to the system, which may not have it on disk."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def create_file(path: Path, data: bytes) -> int:
    """An open file, for its owner alone, that holds `data` on disk. Its name may not be on disk:
    see `sync_directory`. A file that was there is overwritten."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def erase_file(path: Path) -> None:
    """Overwritten, synced, unlinked. On a file system or disk that copies on write the old bytes
    may outlive this: docs/threat-model.md says so."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        write_all(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.unlink(path)


def sync_directory(directory: Path) -> None:
    """Returns when the directory's entries are on disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
