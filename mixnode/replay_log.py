"""The replay tags of one key on disk. Spec: docs/spec/mixing.md (Replay log).

One file a key, written before the key is, so that a key without a valid log has lost it. Batches
are appended one at a time, each synced before the next begins; every batch starts with a head that
names its own place. A damaged batch with another head after it had therefore been synced: that log
is invalid. Damage with no head after it is a write that a crash cut short: none of its packets had
left, and the tail is cut off.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from hushmill.identifiers import REPLAY_TAG_BYTES, ReplayTag

BINDING_BYTES = 16  # the first bytes of the public key whose tags these are
_MAGIC = b"HMTAGS01"
_MARK = b"\xb5TAG"
_CHECKSUM = struct.Struct(">I")
_HEAD = struct.Struct(">4sQI")  # mark, offset of this batch in the file, number of tags
_FILE_HEAD_BYTES = len(_MAGIC) + BINDING_BYTES + _CHECKSUM.size
_BATCH_HEAD_BYTES = _HEAD.size + _CHECKSUM.size
_BATCH_LIMIT = 2**20


class InvalidLogError(Exception):
    """The file is missing, damaged or another key's: the key it stands for must be destroyed."""


class ReplayLog:
    """An open log, at its end. Every method blocks; an OSError is the end of the process."""

    def __init__(self, descriptor: int, length: int) -> None:
        self._descriptor = descriptor
        self._length = length

    def append(self, tags: Sequence[ReplayTag]) -> None:
        """Returns when `tags` are on disk."""
        for start in range(0, len(tags), _BATCH_LIMIT):
            batch = _batch(self._length, tags[start : start + _BATCH_LIMIT])
            _write_all(self._descriptor, batch)
            os.fdatasync(self._descriptor)
            self._length += len(batch)

    def close(self) -> None:
        os.close(self._descriptor)


def create_log(path: Path, binding: bytes) -> ReplayLog:
    """An empty log, on disk with its directory entry. A file that was there is overwritten."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    head = _file_head(binding)
    _write_all(descriptor, head)
    os.fsync(descriptor)
    sync_directory(path.parent)
    return ReplayLog(descriptor, len(head))


def open_log(path: Path, binding: bytes) -> tuple[ReplayLog, list[ReplayTag]]:
    """The log at `path` ready to append, and the tags in it.

    Raises InvalidLogError; a torn tail is cut off and is no error.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise InvalidLogError from error
    try:
        tags, length = _read(path.read_bytes(), binding)
        os.ftruncate(descriptor, length)
        os.fsync(descriptor)
        os.lseek(descriptor, length, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return ReplayLog(descriptor, length), tags


def log_bytes(tags: int, batches: int) -> int:
    """How long a log of `tags` in `batches` is."""
    heads = _FILE_HEAD_BYTES + batches * (_BATCH_HEAD_BYTES + _CHECKSUM.size)
    return heads + tags * REPLAY_TAG_BYTES


def sync_directory(directory: Path) -> None:
    """Returns when the directory's entries are on disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file_head(binding: bytes) -> bytes:
    head = _MAGIC + binding
    return head + _CHECKSUM.pack(zlib.crc32(head))


def _batch(offset: int, tags: Sequence[ReplayTag]) -> bytes:
    head = _HEAD.pack(_MARK, offset, len(tags))
    head += _CHECKSUM.pack(zlib.crc32(head))
    body = b"".join(tags)
    return head + body + _CHECKSUM.pack(zlib.crc32(body))


def _read(data: bytes, binding: bytes) -> tuple[list[ReplayTag], int]:
    """The tags, and the length of the valid part."""
    if data[:_FILE_HEAD_BYTES] != _file_head(binding):
        raise InvalidLogError
    tags: list[ReplayTag] = []
    offset = _FILE_HEAD_BYTES
    while offset < len(data):
        batch = _read_batch(data, offset)
        if batch is None:
            _require_torn(data, offset)
            break
        tags += batch
        offset += _BATCH_HEAD_BYTES + len(batch) * REPLAY_TAG_BYTES + _CHECKSUM.size
    return tags, offset


def _read_batch(data: bytes, offset: int) -> list[ReplayTag] | None:
    """The batch at `offset`; None when it is damaged or cut short."""
    count = _head_count(data, offset)
    if count is None:
        return None
    start = offset + _BATCH_HEAD_BYTES
    end = start + count * REPLAY_TAG_BYTES
    if data[end : end + _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(data[start:end])):
        return None
    return [
        ReplayTag(data[place : place + REPLAY_TAG_BYTES])
        for place in range(start, end, REPLAY_TAG_BYTES)
    ]


def _head_count(data: bytes, offset: int) -> int | None:
    """The number of tags by the head at `offset`; None when no valid head stands there."""
    head = data[offset : offset + _HEAD.size]
    checksum = data[offset + _HEAD.size : offset + _BATCH_HEAD_BYTES]
    if len(head) != _HEAD.size or checksum != _CHECKSUM.pack(zlib.crc32(head)):
        return None
    mark, place, count = _HEAD.unpack(head)
    if mark != _MARK or place != offset or not 0 < count <= _BATCH_LIMIT:
        return None
    return int(count)


def _require_torn(data: bytes, damaged: int) -> None:
    """Raises InvalidLogError when a batch was begun after the damaged one."""
    place = data.find(_MARK, damaged + 1)
    while place >= 0:
        if _head_count(data, place) is not None:
            raise InvalidLogError
        place = data.find(_MARK, place + 1)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
