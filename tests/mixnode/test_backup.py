"""A node's backup against its vectors and against damage. Spec: docs/spec/mixing.md (Backup)."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hushmill.errors import ExitCode, UserError
from mixnode.backup import (
    NodeBackup,
    open_backup,
    read_backup,
    restore_backup,
    seal_backup,
    write_backup,
)
from tests.mixnode.make_backup_vectors import vectors

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "node_backup.json").read_text(encoding="utf-8")
)
FILE = bytes.fromhex(VECTORS["file"])
PASSPHRASE: str = VECTORS["passphrase"]


class _Salt:
    """Randomness that gives the vectors' salt."""

    def take(self, count: int) -> bytes:
        assert count == 16
        return bytes.fromhex(VECTORS["salt"])


@pytest.fixture(scope="module")
def backup() -> NodeBackup:
    return open_backup(FILE, PASSPHRASE)


def test_reads_and_writes_the_vector(backup: NodeBackup) -> None:
    role, *contents = VECTORS["fields"]
    assert msgspec.structs.astuple(backup) == (role, *map(bytes.fromhex, contents))
    assert seal_backup(backup, PASSPHRASE, _Salt()) == FILE


def test_the_vectors_are_what_their_maker_makes() -> None:
    assert vectors() == VECTORS


@pytest.mark.parametrize("name", VECTORS["damaged"])
def test_damage_is_a_security_stop(name: str) -> None:
    with pytest.raises(UserError) as refused:
        open_backup(bytes.fromhex(VECTORS["damaged"][name]), PASSPHRASE)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


@pytest.mark.parametrize("name", VECTORS["locked"])
def test_a_wrong_passphrase_is_told_from_damage(name: str) -> None:
    case = VECTORS["locked"][name]
    with pytest.raises(UserError) as refused:
        open_backup(bytes.fromhex(case["file"]), case["passphrase"])
    assert refused.value.exit_code is ExitCode.LOCKED


def test_a_passphrase_is_the_same_from_every_keyboard(backup: NodeBackup) -> None:
    decomposed = unicodedata.normalize("NFD", PASSPHRASE)
    assert decomposed != PASSPHRASE
    assert open_backup(FILE, decomposed) == backup


def test_a_file_is_its_owners_and_never_overwritten(tmp_path: Path) -> None:
    there = tmp_path / "node.backup"
    write_backup(there, FILE)
    assert there.stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for taken in (there, link):
        with pytest.raises(UserError) as refused:
            write_backup(taken, b"")
        assert refused.value.exit_code is ExitCode.CONFIGURATION
    assert read_backup(there) == FILE


def test_what_cannot_be_run_is_not_left_half_restored(backup: NodeBackup, tmp_path: Path) -> None:
    """The vector's network file is none: nothing of the backup stays on the disk."""
    with pytest.raises(UserError):
        restore_backup(backup, tmp_path / "node")
    assert list(tmp_path.iterdir()) == []
