"""Writes a received file where the person asked for it, and never over anything."""

import os
from collections.abc import Iterator
from pathlib import Path

from hushmill.errors import ExitCode, UserError

NAMES_TRIED = 1000  # `name (2)`, `name (3)`, … up to here


def save_file(folder: Path, name: str, data: bytes) -> Path:
    """Where `data` now is. A file that is there already with the same bytes is that file; one with
    other bytes is left alone, and the next name is tried.

    `name` has been made harmless when it came (`file_name`); whatever it is, it stays inside the
    folder. Raises UserError (10) where the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in _names(folder, Path(name).name):
            if _write_new(path, data) or _holds(path, data):
                return path
    except OSError as error:
        raise UserError(
            f"The file cannot be written into {folder}: {error.strerror}.", ExitCode.PERMISSION
        ) from error
    raise UserError(
        f"{folder} is full of files of one name. Choose another folder.", ExitCode.CONFIGURATION
    )


def _names(folder: Path, name: str) -> Iterator[Path]:
    safe = "file" if name in ("", ".", "..") else name
    yield folder / safe
    stem, suffix = Path(safe).stem, Path(safe).suffix
    for number in range(2, NAMES_TRIED):
        yield folder / f"{stem} ({number}){suffix}"


def _write_new(path: Path, data: bytes) -> bool:
    """False if something is there under this name, a link included."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with open(descriptor, "wb") as file:
        file.write(data)
    return True


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes() == data
