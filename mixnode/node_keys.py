"""A node's packet keys of several epochs on disk, each with its replay log.

Spec: docs/spec/mixing.md (Keys). Files `<epoch>.key` and `<epoch>.tags`, mode 0600, in one
directory. The log is created before its key and destroyed after it, so a key whose log is missing
or damaged is itself destroyed at the next start: what it has seen is unknown. Every method that
touches files blocks, and an OSError from them is the end of the process.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock

from hushmill.crypto import Kem, KemSecret
from hushmill.errors import UsageError
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.packet import NodeKey
from mixnode.durable_file import create_file, erase_file, sync_directory
from mixnode.replay_log import (
    BINDING_BYTES,
    InvalidLogError,
    ReplayLog,
    create_log,
    logged_tags,
    open_log,
)

_EPOCH_DIGITS = 10


class NodeKeys:
    """Two threads may use it: keys in memory are replaced as a whole mapping, so that a reader
    always sees a consistent one, and whoever touches files holds the lock."""

    def __init__(self, directory: Path, kem: Kem, node: NodeNumber) -> None:
        """Loads what is on disk. `destroyed` names the epochs whose keys had no valid log."""
        self._lock = Lock()
        self._directory = directory
        self._kem = kem
        self._node = node
        self._keys: Mapping[Epoch, NodeKey] = {}
        self._logs: dict[Epoch, ReplayLog] = {}
        if not directory.exists():
            directory.mkdir(mode=0o700)
            sync_directory(directory.parent)
        self._restored: list[Epoch] = []
        self.destroyed: list[Epoch] = []
        self._load()

    @property
    def epochs(self) -> list[Epoch]:
        return sorted(self._keys)

    def take_restored(self) -> dict[Epoch, Iterator[ReplayTag]]:
        """The tags of the keys that are there and were there before, by epoch, where there are any.
        Handed over once, to be read through before anything is logged: they come from the files,
        batch by batch."""
        with self._lock:
            taken, self._restored = self._restored, []
            return {
                epoch: logged_tags(self._log_path(epoch), _binding(self._keys[epoch].secret))
                for epoch in taken
                if epoch in self._keys
            }

    def by_low_byte(self, epochs: Iterable[Epoch]) -> dict[int, NodeKey]:
        """The keys of `epochs` that exist, by the byte that packets name them with."""
        keys = self._keys
        return {epoch & 0xFF: keys[epoch] for epoch in epochs if epoch in keys}

    def public_keys(self, epochs: Iterable[Epoch]) -> tuple[tuple[Epoch, bytes], ...]:
        """(epoch, public key) of those of `epochs` that exist."""
        keys = self._keys
        return tuple((epoch, keys[epoch].secret.public.raw) for epoch in epochs if epoch in keys)

    def make(self, epochs: Iterable[Epoch]) -> None:
        """Returns when every one of `epochs` has a key and a log on disk."""
        with self._lock:
            for epoch in epochs:
                if epoch not in self._keys:
                    self._make_one(epoch)

    def log(self, epoch: Epoch, tags: Sequence[ReplayTag]) -> None:
        """Returns when `tags` are on disk, or at once when the key is gone: nothing can be
        replayed to it."""
        with self._lock:
            if epoch in self._logs:
                self._logs[epoch].append(tags)

    def erase_before(self, first_kept: Epoch) -> None:
        """Returns when keys and logs of every epoch below `first_kept` are gone from the disk."""
        with self._lock:
            old = [epoch for epoch in self._keys if epoch < first_kept]
            self._keys = {epoch: key for epoch, key in self._keys.items() if epoch >= first_kept}
            for epoch in old:
                self._destroy(epoch)

    def close(self) -> None:
        with self._lock:
            for log in self._logs.values():
                log.close()
            self._logs.clear()

    def _load(self) -> None:
        for path in self._directory.glob("*.new"):
            erase_file(path)
        keys: dict[Epoch, NodeKey] = {}
        for epoch in self._epochs_of_files(".key"):
            try:
                secret = self._kem.load_secret(self._key_path(epoch).read_bytes())
                log = open_log(self._log_path(epoch), _binding(secret))
            except (InvalidLogError, UsageError):
                self._destroy(epoch)
                self.destroyed.append(epoch)
                continue
            keys[epoch] = NodeKey(self._node, epoch, secret)
            self._logs[epoch] = log
            if not log.is_empty:
                self._restored.append(epoch)
        for epoch in self._epochs_of_files(".tags"):
            if epoch not in keys:  # its key was never written, or is destroyed
                os.unlink(self._log_path(epoch))
        # A name that has come back after a power loss may not be on disk itself yet.
        sync_directory(self._directory)
        self._keys = keys

    def _epochs_of_files(self, suffix: str) -> list[Epoch]:
        """By the names that this class gives; whatever else lies there is left alone."""
        return sorted(
            Epoch(int(path.stem))
            for path in self._directory.glob(f"{'[0-9]' * _EPOCH_DIGITS}{suffix}")
        )

    def _make_one(self, epoch: Epoch) -> None:
        """The log first: a key without one would be destroyed at the next start."""
        secret = self._kem.generate()
        self._logs[epoch] = create_log(self._log_path(epoch), _binding(secret))
        self._write_key(epoch, secret)
        self._keys = {**self._keys, epoch: NodeKey(self._node, epoch, secret)}

    def _destroy(self, epoch: Epoch) -> None:
        """The key first: a log without its key does no harm."""
        log = self._logs.pop(epoch, None)
        if log is not None:
            log.close()
        erase_file(self._key_path(epoch))
        sync_directory(self._directory)
        self._log_path(epoch).unlink(missing_ok=True)
        sync_directory(self._directory)

    def _write_key(self, epoch: Epoch, secret: KemSecret) -> None:
        """All or nothing: written beside its place, synced, and then renamed."""
        path = self._key_path(epoch)
        beside = path.with_suffix(".new")
        os.close(create_file(beside, secret.raw))
        os.rename(beside, path)
        sync_directory(self._directory)

    def _key_path(self, epoch: Epoch) -> Path:
        return self._directory / f"{epoch:0{_EPOCH_DIGITS}d}.key"

    def _log_path(self, epoch: Epoch) -> Path:
        return self._directory / f"{epoch:0{_EPOCH_DIGITS}d}.tags"


def _binding(secret: KemSecret) -> bytes:
    return secret.public.raw[:BINDING_BYTES]
