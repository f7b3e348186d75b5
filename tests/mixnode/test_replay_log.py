"""The tags on disk: what a crash may cut off, and what no crash explains."""

import os
from pathlib import Path

import pytest

from hushmill.identifiers import ReplayTag
from mixnode.replay_log import InvalidLogError, create_log, logged_tags, open_log

BINDING = bytes(range(16))
BATCH_LIMIT = 2**16


def _tags(first: int, count: int) -> list[ReplayTag]:
    return [ReplayTag(n.to_bytes(16, "big")) for n in range(first, first + count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of three batches: 0–9, 10–14, 15."""
    log = create_log(tmp_path / "1.tags", BINDING)
    log.append(_tags(0, 10))
    log.append(_tags(10, 5))
    log.append(_tags(15, 1))
    log.close()
    return tmp_path / "1.tags"


def _read(path: Path) -> list[ReplayTag]:
    """What a start finds."""
    open_log(path, BINDING).close()
    return list(logged_tags(path, BINDING))


def test_gives_back_every_batch_and_goes_on(path: Path) -> None:
    log = open_log(path, BINDING)
    assert list(logged_tags(path, BINDING)) == _tags(0, 16)
    log.append(_tags(16, 3))
    log.close()
    assert _read(path) == _tags(0, 19)
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_cut_leaves_whole_batches_and_a_log_that_goes_on(path: Path) -> None:
    whole = path.read_bytes()
    ends = [28, 28 + 24 + 160, 28 + 48 + 240, len(whole)]
    for cut in range(28, len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected = [0, 10, 15, 16][max(n for n, end in enumerate(ends) if end <= cut)]
        log = open_log(path, BINDING)
        assert list(logged_tags(path, BINDING)) == _tags(0, expected)
        assert log.is_empty == (expected == 0)
        log.append(_tags(50, 2))
        log.close()
        assert _read(path) == _tags(0, expected) + _tags(50, 2)


def test_a_cut_in_the_files_head_is_invalid(path: Path) -> None:
    whole = path.read_bytes()
    for cut in range(28):
        path.write_bytes(whole[:cut])
        with pytest.raises(InvalidLogError):
            open_log(path, BINDING)


def test_a_flipped_bit_before_the_last_batch_is_invalid(path: Path) -> None:
    whole = path.read_bytes()
    last = len(whole) - 24 - 16
    for place in range(last):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InvalidLogError):
            open_log(path, BINDING)


def test_a_hole_in_the_last_batch_is_a_torn_tail(path: Path) -> None:
    """Pages of one write reach the disk in any order; nothing of that batch had left."""
    whole = path.read_bytes()
    start = len(whole)
    log = open_log(path, BINDING)
    log.append(_tags(100, 1000))
    log.close()
    torn = bytearray(path.read_bytes())
    torn[start : start + 512] = bytes(512)
    path.write_bytes(torn)
    assert _read(path) == _tags(0, 16)
    assert path.read_bytes() == whole


def test_another_keys_log_and_a_missing_one_are_invalid(path: Path) -> None:
    with pytest.raises(InvalidLogError):
        open_log(path, bytes(16))
    path.unlink()
    with pytest.raises(InvalidLogError):
        open_log(path, BINDING)


def test_append_returns_after_the_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are in the file when fdatasync is called, and append does not outrun it."""
    seen: list[int] = []
    real = os.fdatasync

    def recording(descriptor: int) -> None:
        seen.append(os.fstat(descriptor).st_size)
        real(descriptor)

    log = open_log(path, BINDING)
    before = path.stat().st_size
    monkeypatch.setattr(os, "fdatasync", recording)
    log.append(_tags(0, 4))
    assert seen == [before + 24 + 64]
    log.close()


def test_a_failed_sync_is_not_swallowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    log = open_log(path, BINDING)
    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(OSError, match="Input/output"):
        log.append(_tags(0, 1))
    log.close()


def test_one_call_of_more_tags_than_a_batch_may_have_is_several_batches(path: Path) -> None:
    """Each of them is synced before the next is begun, and reads back."""
    log = open_log(path, BINDING)
    log.append(_tags(1000, BATCH_LIMIT + 1))
    log.close()
    assert path.stat().st_size == 28 + 3 * 24 + 256 + 2 * 24 + 16 * (BATCH_LIMIT + 1)
    assert _read(path) == _tags(0, 16) + _tags(1000, BATCH_LIMIT + 1)


def test_damage_longer_than_a_batch_is_no_torn_tail(path: Path) -> None:
    whole = path.read_bytes()
    longest = 24 + 16 * BATCH_LIMIT
    path.write_bytes(whole + bytes(longest))
    assert _read(path) == _tags(0, 16)
    path.write_bytes(whole + bytes(longest + 1))
    with pytest.raises(InvalidLogError):
        open_log(path, BINDING)


def test_a_log_that_changes_under_its_reader_is_invalid(path: Path) -> None:
    open_log(path, BINDING).close()
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidLogError):
        list(logged_tags(path, BINDING))
