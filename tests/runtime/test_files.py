"""Files that are whole, private and named in errors."""

import os
from pathlib import Path

import msgspec
import pytest

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import (
    LinkIdentity,
    atomic_write,
    load_configuration,
    make_private_folder,
    read_secret,
)


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    port: int
    name: str = "mix"


def test_writes_a_private_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    atomic_write(path, b"first")
    atomic_write(path, b"second")
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["key"]


def test_keeps_the_old_file_when_the_new_one_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    atomic_write(path, b"first")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(path, b"second")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["key"]


def test_makes_a_folder_that_others_cannot_enter(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private_folder(folder)
    make_private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_refuses_a_secret_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    atomic_write(path, bytes(32), mode=0o640)
    with pytest.raises(UserError, match="chmod 600") as caught:
        read_secret(path, 32)
    assert caught.value.exit_code is ExitCode.PERMISSION


def test_reads_a_secret_at_its_limit_and_not_one_byte_more(tmp_path: Path) -> None:
    path = tmp_path / "key"
    atomic_write(path, bytes(32))
    assert read_secret(path, 32) == bytes(32)
    atomic_write(path, bytes(33))
    with pytest.raises(UserError) as caught:
        read_secret(path, 32)
    assert caught.value.exit_code is ExitCode.SECURITY_STOP


def test_never_replaces_a_link_key_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "key"
    atomic_write(path, bytes(31))
    with pytest.raises(UserError) as caught:
        LinkIdentity.load_or_create(path)
    assert caught.value.exit_code is ExitCode.SECURITY_STOP
    assert path.read_bytes() == bytes(31)


def test_reads_settings(tmp_path: Path) -> None:
    path = tmp_path / "mix.toml"
    path.write_text("port = 7000\n")
    assert load_configuration(path, Settings) == Settings(port=7000)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 7000\nprot = 1\n", "prot"),
        ('port = "many"\n', r"\$\.port"),
        ("name = 'x'\n", "port"),
        ("port = \n", "not TOML"),
        ("\udcff", "not TOML"),
        (f"port = {'9' * 4_301}\n", "not TOML"),
    ],
)
def test_names_the_key_that_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "mix.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=named) as caught:
        load_configuration(path, Settings)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_says_that_settings_are_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_configuration(tmp_path / "none.toml", Settings)
