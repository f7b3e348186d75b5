"""Keys and their logs on disk. Spec: docs/spec/mixing.md (Keys, Replay log)."""

import os
from pathlib import Path

import pytest

from hushmill.crypto import X25519_KEM
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from mixnode.node_keys import NodeKeys

NODE = NodeNumber(7)
FIRST, SECOND, THIRD = Epoch(255), Epoch(256), Epoch(257)
TAGS = tuple(ReplayTag(bytes([n] * 16)) for n in range(5))


def _load(directory: Path) -> NodeKeys:
    return NodeKeys(directory, X25519_KEM, NODE)


def _restored(keys: NodeKeys) -> dict[Epoch, list[ReplayTag]]:
    return {epoch: list(tags) for epoch, tags in keys.take_restored().items()}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Keys of three epochs; the first has seen two batches of tags."""
    keys = _load(tmp_path / "keys")
    keys.make([FIRST, SECOND, THIRD])
    keys.log(FIRST, TAGS[:3])
    keys.log(FIRST, TAGS[3:])
    keys.close()
    return tmp_path / "keys"


def test_a_restart_keeps_every_key_and_every_tag(directory: Path) -> None:
    before = _load(directory)
    publics = before.public_keys([FIRST, SECOND, THIRD])
    before.close()
    after = _load(directory)
    after.make([FIRST, SECOND, THIRD])
    assert after.public_keys([FIRST, SECOND, THIRD]) == publics
    assert _restored(after) == {FIRST: list(TAGS)}
    assert after.destroyed == []
    after.close()


def test_tags_are_handed_over_once_and_without_those_of_keys_that_are_gone(
    directory: Path,
) -> None:
    keys = _load(directory)
    keys.log(SECOND, TAGS[:1])
    keys.close()
    keys = _load(directory)
    keys.erase_before(SECOND)
    assert _restored(keys) == {SECOND: [TAGS[0]]}
    assert _restored(keys) == {}
    keys.close()


def test_keys_stand_under_the_low_byte_of_their_epoch(directory: Path) -> None:
    keys = _load(directory)
    found = keys.by_low_byte([FIRST, SECOND, Epoch(999)])
    assert {low: key.epoch for low, key in found.items()} == {255: FIRST, 0: SECOND}
    assert all(key.node == NODE for key in found.values())
    keys.close()


def test_only_the_owner_may_read(directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", ["missing", "flipped", "another"])
def test_a_key_without_its_valid_log_is_destroyed(directory: Path, damage: str) -> None:
    log = directory / f"{FIRST:010d}.tags"
    key = directory / f"{FIRST:010d}.key"
    secret = key.read_bytes()
    if damage == "missing":
        log.unlink()
    elif damage == "flipped":
        data = bytearray(log.read_bytes())
        data[60] ^= 0x10
        log.write_bytes(data)
    else:
        log.write_bytes((directory / f"{SECOND:010d}.tags").read_bytes())
    keys = _load(directory)
    assert keys.destroyed == [FIRST]
    assert keys.epochs == [SECOND, THIRD]
    assert not key.exists()
    assert not log.exists()
    keys.make([FIRST])  # a fresh one: nothing of the old can be read, so nothing replayed
    assert key.read_bytes() != secret
    keys.close()


def test_a_damaged_key_is_destroyed_too(directory: Path) -> None:
    key = directory / f"{SECOND:010d}.key"
    key.write_bytes(key.read_bytes()[:-1])
    keys = _load(directory)
    assert keys.destroyed == [SECOND]
    keys.close()


def test_a_torn_tail_costs_no_key(directory: Path) -> None:
    log = directory / f"{FIRST:010d}.tags"
    log.write_bytes(log.read_bytes()[:-7])
    keys = _load(directory)
    assert keys.destroyed == []
    assert _restored(keys)[FIRST] == list(TAGS[:3])
    keys.close()


def test_erasing_overwrites_then_unlinks_then_syncs_the_directory(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second name for the key's file shows what was left in it."""
    witness = directory.parent / "witness"
    os.link(directory / f"{FIRST:010d}.key", witness)
    synced: list[str] = []
    real = os.fsync

    def recording(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    keys = _load(directory)
    monkeypatch.setattr(os, "fsync", recording)
    keys.erase_before(SECOND)
    assert witness.read_bytes() == bytes(32)
    assert synced == [str(directory / f"{FIRST:010d}.key"), str(directory), str(directory)]
    assert (
        sorted(path.stem for path in directory.iterdir()) == ["0000000256"] * 2 + ["0000000257"] * 2
    )
    assert keys.epochs == [SECOND, THIRD]
    assert keys.by_low_byte([FIRST]) == {}
    keys.log(FIRST, TAGS)  # late tags of a key that is gone need no log
    keys.close()


def test_a_crash_between_log_and_key_leaves_neither(directory: Path) -> None:
    (directory / f"{THIRD:010d}.key").unlink()
    (directory / f"{THIRD:010d}.new").write_bytes(bytes(32))
    keys = _load(directory)
    assert keys.epochs == [FIRST, SECOND]
    assert sorted({path.stem for path in directory.iterdir()}) == ["0000000255", "0000000256"]
    keys.close()


def test_files_that_it_did_not_name_are_left_alone(directory: Path) -> None:
    strange = [directory / name for name in ("1.key", "0000000255 (copy).key", "12345678901.tags")]
    for path in strange:
        path.write_bytes(b"mine")
    keys = _load(directory)
    assert keys.epochs == [FIRST, SECOND, THIRD]
    assert {path.read_bytes() for path in strange} == {b"mine"}
    keys.close()
