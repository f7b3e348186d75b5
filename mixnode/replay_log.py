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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from hushmill.identifiers import REPLAY_TAG_BYTES, ReplayTag
from mixnode.durable_file import create_file, sync_directory, write_all

BINDING_BYTES = 16  # the first bytes of the public key whose tags these are
_MAGIC = b"HMTAGS01"
_MARK = b"\xb5TAG"
_CHECKSUM = struct.Struct(">I")
_HEAD = struct.Struct(">4sQI")  # mark, offset of this batch in the file, number of tags
_FILE_HEAD_BYTES = len(_MAGIC) + BINDING_BYTES + _CHECKSUM.size
_BATCH_HEAD_BYTES = _HEAD.size + _CHECKSUM.size
_BATCH_LIMIT = 2**16  # 1 MiB: reading a log takes no more memory than this
_BATCH_LIMIT_BYTES = _BATCH_HEAD_BYTES + _BATCH_LIMIT * REPLAY_TAG_BYTES + _CHECKSUM.size
_READ_AHEAD_BYTES = 2**18


class InvalidLogError(Exception):
    """The file is missing, damaged or another key's: the key it stands for must be destroyed."""


class ReplayLog:
    """An open log, at its end. Every method blocks; an OSError is the end of the process."""

    def __init__(self, descriptor: int, length: int) -> None:
        self._descriptor = descriptor
        self._length = length

    @property
    def is_empty(self) -> bool:
        return self._length == _FILE_HEAD_BYTES

    def append(self, tags: Sequence[ReplayTag]) -> None:
        """Returns when `tags` are on disk."""
        for start in range(0, len(tags), _BATCH_LIMIT):
            batch = _batch(self._length, tags[start : start + _BATCH_LIMIT])
            write_all(self._descriptor, batch)
            os.fdatasync(self._descriptor)
            self._length += len(batch)

    def close(self) -> None:
        os.close(self._descriptor)


def create_log(path: Path, binding: bytes) -> ReplayLog:
    """An empty log, on disk with its directory entry. A file that was there is overwritten."""
    head = _file_head(binding)
    descriptor = create_file(path, head)
    sync_directory(path.parent)
    return ReplayLog(descriptor, len(head))


def open_log(path: Path, binding: bytes) -> ReplayLog:
    """The log at `path`, read through and found valid, ready to append; all of it is on disk.

    Raises InvalidLogError; a torn tail is cut off and is no error.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise InvalidLogError from error
    try:
        with open(descriptor, "rb", buffering=_READ_AHEAD_BYTES, closefd=False) as file:
            length = _valid_length(file, binding)
        os.ftruncate(descriptor, length)
        os.fsync(descriptor)
        os.lseek(descriptor, length, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return ReplayLog(descriptor, length)


def logged_tags(path: Path, binding: bytes) -> Iterator[ReplayTag]:
    """What the log at `path` holds, a batch at a time, so that no log is too long for the memory.

    To be read after `open_log` and before anything is appended. Raises InvalidLogError when the
    file is not what `open_log` found any more.
    """
    with path.open("rb", buffering=_READ_AHEAD_BYTES) as file:
        if file.read(_FILE_HEAD_BYTES) != _file_head(binding):
            raise InvalidLogError
        while (body := _read_batch(file)) is not None:
            for place in range(0, len(body), REPLAY_TAG_BYTES):
                yield ReplayTag(body[place : place + REPLAY_TAG_BYTES])
        if file.read(1):
            raise InvalidLogError


def log_bytes(tags: int, batches: int) -> int:
    """How long a log of `tags` in `batches` is."""
    heads = _FILE_HEAD_BYTES + batches * (_BATCH_HEAD_BYTES + _CHECKSUM.size)
    return heads + tags * REPLAY_TAG_BYTES


def _file_head(binding: bytes) -> bytes:
    head = _MAGIC + binding
    return head + _CHECKSUM.pack(zlib.crc32(head))


def _batch(offset: int, tags: Sequence[ReplayTag]) -> bytes:
    head = _HEAD.pack(_MARK, offset, len(tags))
    head += _CHECKSUM.pack(zlib.crc32(head))
    body = b"".join(tags)
    return head + body + _CHECKSUM.pack(zlib.crc32(body))


def _valid_length(file: BinaryIO, binding: bytes) -> int:
    """How long the log is without its torn tail."""
    if file.read(_FILE_HEAD_BYTES) != _file_head(binding):
        raise InvalidLogError
    length = _FILE_HEAD_BYTES
    while (body := _read_batch(file)) is not None:
        length += _BATCH_HEAD_BYTES + len(body) + _CHECKSUM.size
    _require_torn(file, length)
    return length


def _read_batch(file: BinaryIO) -> bytes | None:
    """The tags of the batch at the file's place, which moves on to the next one; None, and the
    place stays, when the batch is damaged or cut short or the file ends."""
    offset = file.tell()
    count = _head_count(file.read(_BATCH_HEAD_BYTES), offset)
    if count is not None:
        body = file.read(count * REPLAY_TAG_BYTES)
        if file.read(_CHECKSUM.size) == _CHECKSUM.pack(zlib.crc32(body)):
            return body
    file.seek(offset)
    return None


def _head_count(head: bytes, offset: int) -> int | None:
    """The number of tags by the `head` of the batch at `offset`; None when it is not valid."""
    if len(head) != _BATCH_HEAD_BYTES:
        return None
    if head[_HEAD.size :] != _CHECKSUM.pack(zlib.crc32(head[: _HEAD.size])):
        return None
    mark, place, count = _HEAD.unpack_from(head)
    if mark != _MARK or place != offset or not 0 < count <= _BATCH_LIMIT:
        return None
    return int(count)


def _require_torn(file: BinaryIO, damaged: int) -> None:
    """Raises InvalidLogError when a batch was begun after the damaged one at `damaged`."""
    rest = file.read(_BATCH_LIMIT_BYTES + 1)
    if len(rest) > _BATCH_LIMIT_BYTES:
        raise InvalidLogError
    place = rest.find(_MARK, 1)
    while place >= 0:
        if _head_count(rest[place : place + _BATCH_HEAD_BYTES], damaged + place) is not None:
            raise InvalidLogError
        place = rest.find(_MARK, place + 1)
