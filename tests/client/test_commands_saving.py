"""A received file lands in the chosen folder, whole, and over nothing."""

import stat
from pathlib import Path

import pytest

from client import safe_file_name
from client.saving import NAMES_TRIED, save_file
from hushmill.errors import ExitCode, UserError


def test_writes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = save_file(tmp_path / "new" / "folder", "picture.jpg", b"bytes")
    assert path == tmp_path / "new" / "folder" / "picture.jpg"
    assert path.read_bytes() == b"bytes"
    assert stat.S_IMODE(path.stat().st_mode) & 0o177 == 0


def test_replaces_nothing_and_writes_the_same_bytes_once(tmp_path: Path) -> None:
    first = save_file(tmp_path, "a.txt", b"one")
    second = save_file(tmp_path, "a.txt", b"two")
    assert (first.name, second.name) == ("a.txt", "a (2).txt")
    assert save_file(tmp_path, "a.txt", b"two") == second
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")


def test_does_not_write_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").symlink_to(target)
    assert save_file(tmp_path / "out", "a.txt", b"one").name == "a (2).txt"
    assert not target.exists()


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", "..", ".", "", "a/../.."])
def test_stays_inside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    for tried in (name, safe_file_name(name)):
        assert save_file(folder, tried, b"x").parent == folder


def test_says_what_to_do_when_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        save_file(tmp_path / "file", "a", b"x")
    assert caught.value.exit_code is ExitCode.PERMISSION
    (tmp_path / "a").touch()
    for number in range(2, NAMES_TRIED):
        (tmp_path / f"a ({number})").touch()
    with pytest.raises(UserError, match="another folder"):
        save_file(tmp_path, "a", b"x")
