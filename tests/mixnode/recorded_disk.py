"""A folder whose every change is recorded, so that a power loss at any point can be played.

What was synced is on disk. Of what was not, each write is there, absent or torn at sectors of 512
bytes, in any order, and the file may be longer than what was written of it; each change of a name
(made, taken off, renamed) is there or not. A sync of a file says nothing about its name.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, current_thread, main_thread

import pytest

from hushmill.randomness import Randomness, below, shuffled, unit

SECTOR_BYTES = 512


class PowerLossError(BaseException):
    """The machine is off: no code of ours may catch it and go on."""


@dataclass(eq=False, slots=True)
class _File:
    synced: bytes = b""
    writes: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut at the offset


_Names = dict[str, _File]


class RecordedDisk:
    """Files of one flat `folder`, while `os` is patched by `patch`.

    `changes_left` is how many changes are still carried out before the power fails. A change that
    another thread than the main one makes waits until `step` lets it: so the two threads run in an
    order that the test draws.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.changes_left = 0
        self.is_off = False
        self.syncs_are_lies = False  # fdatasync then returns with nothing done
        self.facts: Counter[str] = Counter()
        self._synced: _Names = {}
        self._current: _Names = {}
        self._renames: list[tuple[tuple[str, _File | None], ...]] = []
        self._open: dict[int, _File | None] = {}  # None: the folder itself
        self._gate = Condition()
        self._is_waiting = False
        self._may_go = False
        self._patch(patch)

    # -- the order of two threads

    def step(self, is_done: Callable[[], bool]) -> None:
        """Lets the other thread make one change; returns when it waits at the next, or is done."""
        with self._gate:
            self._await(is_done)
            if self._is_waiting:
                self._may_go = True
                self._is_waiting = False
                self._gate.notify_all()
                self._await(is_done)

    def wake(self) -> None:
        """The other thread is done with its work."""
        with self._gate:
            self._gate.notify_all()

    def switch_off(self) -> None:
        with self._gate:
            self.is_off = True
            self._gate.notify_all()

    def _await(self, is_done: Callable[[], bool]) -> None:
        came = self._gate.wait_for(lambda: self._is_waiting or is_done(), timeout=20)
        assert came, "the disk's thread neither works nor ends"

    def _change(self) -> None:
        """Called before each change. Raises PowerLossError when the machine is off."""
        with self._gate:
            if current_thread() is not main_thread() and not self.is_off:
                self._is_waiting = True
                self._gate.notify_all()
                self._gate.wait_for(lambda: self._may_go or self.is_off)
                self._is_waiting = self._may_go = False
            if self.changes_left <= 0:
                self.is_off = True
            if self.is_off:
                raise PowerLossError
            self.changes_left -= 1

    # -- what the machine finds when it is on again

    def restart(self) -> None:
        """The process was killed and the system lives: nothing is lost, and nothing more synced."""
        self._check()
        self._open.clear()
        self.is_off = self._is_waiting = self._may_go = False

    def lose_power(self, rng: Randomness) -> None:
        """The folder now holds what the power loss left, and all of that is on disk."""
        self.restart()
        self.facts["images with writes not synced"] += any(
            file.writes for file in self._current.values()
        )
        self.facts["images with names not synced"] += bool(self._renames)
        names = dict(self._synced)
        kept_names = (0.0, 0.5, 0.9, 1.0)[below(rng, 4)]
        for rename in self._renames:
            if unit(rng) >= kept_names:
                self.facts["renames lost" if len(rename) > 1 else "names lost"] += 1
                continue
            for name, file in rename:
                if file is None:
                    names.pop(name, None)
                else:
                    names[name] = file
        self._synced = {name: _File(self._left_of(file, rng)) for name, file in names.items()}
        self._current = dict(self._synced)
        self._renames.clear()
        for path in self.folder.iterdir():
            _real_unlink(path)
        for name, file in self._synced.items():
            (self.folder / name).write_bytes(file.synced)
        self.facts["images"] += 1

    def _left_of(self, file: _File, rng: Randomness) -> bytes:
        data = bytearray(file.synced)
        kept_sectors = (0.0, 0.5, 0.9, 1.0)[below(rng, 4)]
        writes = shuffled(rng, file.writes) if below(rng, 2) else file.writes
        for offset, written in writes:
            if written is None:
                if unit(rng) < kept_sectors:
                    del data[offset:]
                continue
            if below(rng, 2):  # the length came to the disk, whatever came of the bytes
                _lengthen(data, offset + len(written))
            kept = 0
            sectors = _sectors(offset, written)
            for start, piece in sectors:
                if unit(rng) < kept_sectors:
                    _lengthen(data, start)
                    data[start : start + len(piece)] = piece
                    kept += 1
            self.facts["writes lost"] += kept == 0
            self.facts["writes torn"] += 0 < kept < len(sectors)
        return bytes(data)

    def _check(self) -> None:
        """The record is whole: all changes together make what really lies in the folder."""
        found = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        assert found == {name: _all_of(file) for name, file in self._current.items()}

    # -- the functions of `os` that change something

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        for name, function in (
            ("open", self._os_open),
            ("write", self._os_write),
            ("ftruncate", self._os_ftruncate),
            ("fsync", self._os_fsync),
            ("fdatasync", self._os_fdatasync),
            ("unlink", self._os_unlink),
            ("rename", self._os_rename),
        ):
            patch.setattr(os, name, function)

    def _os_open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path) == self.folder:
            descriptor = _real_open(path, flags, mode)
            self._open[descriptor] = None
            return descriptor
        if Path(path).parent != self.folder:
            return _real_open(path, flags, mode)
        name = Path(path).name
        if name not in self._current and flags & os.O_CREAT:
            self._change()
            self._rename(((name, _File()),))
        descriptor = _real_open(path, flags, mode)
        file = self._open[descriptor] = self._current[name]
        if flags & os.O_TRUNC and _all_of(file):
            file.writes.append((0, None))
        return descriptor

    def _os_write(self, descriptor: int, data: bytes) -> int:
        file = self._open.get(descriptor)
        if file is None:
            return _real_write(descriptor, data)
        self._change()
        file.writes.append((os.lseek(descriptor, 0, os.SEEK_CUR), bytes(data)))
        assert _real_write(descriptor, data) == len(data)
        return len(data)

    def _os_ftruncate(self, descriptor: int, length: int) -> None:
        file = self._open[descriptor]
        assert file is not None
        self._change()
        if length < len(_all_of(file)):
            file.writes.append((length, None))
            self.facts["tails cut"] += 1
        os.truncate(descriptor, length)

    def _os_fsync(self, descriptor: int) -> None:
        if descriptor not in self._open:
            return
        self._change()
        file = self._open[descriptor]
        if file is None:
            self._synced = dict(self._current)
            self._renames.clear()
        else:
            file.synced = _all_of(file)
            file.writes.clear()

    def _os_fdatasync(self, descriptor: int) -> None:
        if self.syncs_are_lies:
            self._change()
        else:
            self._os_fsync(descriptor)

    def _os_unlink(self, path: Path) -> None:
        if Path(path).parent == self.folder:
            self._change()
            _real_unlink(path)
            self._rename(((Path(path).name, None),))
        else:
            _real_unlink(path)

    def _os_rename(self, old: Path, new: Path) -> None:
        assert Path(old).parent == Path(new).parent == self.folder
        self._change()
        _real_rename(old, new)
        self._rename(((Path(old).name, None), (Path(new).name, self._current[Path(old).name])))

    def _rename(self, names: tuple[tuple[str, _File | None], ...]) -> None:
        self._renames.append(names)
        for name, file in names:
            if file is None:
                del self._current[name]
            else:
                self._current[name] = file


_real_open, _real_write, _real_unlink, _real_rename = os.open, os.write, os.unlink, os.rename


def _all_of(file: _File) -> bytes:
    data = bytearray(file.synced)
    for offset, written in file.writes:
        if written is None:
            del data[offset:]
        else:
            _lengthen(data, offset)
            data[offset : offset + len(written)] = written
    return bytes(data)


def _lengthen(data: bytearray, length: int) -> None:
    data.extend(bytes(max(0, length - len(data))))


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    """The write, cut where the disk's sectors end."""
    pieces = []
    start = offset
    while start < offset + len(data):
        end = (start // SECTOR_BYTES + 1) * SECTOR_BYTES
        pieces.append((start, data[start - offset : end - offset]))
        start = end
    return pieces
