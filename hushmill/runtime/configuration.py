"""An operator's or a person's settings: one TOML file read into one struct, every key checked."""

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from hushmill.errors import ExitCode, UserError

Settings = TypeVar("Settings", bound=msgspec.Struct)
CONFIGURATION_LIMIT_BYTES = 1 << 20


def load_configuration(path: Path, kind: type[Settings]) -> Settings:
    """The settings in `path`. Declare `kind` with forbid_unknown_fields=True.

    Raises UserError(CONFIGURATION) that names the file and the key that is wrong.
    """
    try:
        with path.open("rb") as file:
            text = file.read(CONFIGURATION_LIMIT_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error
    if len(text) > CONFIGURATION_LIMIT_BYTES:
        raise _refused(path, "is longer than a megabyte")
    return parse_configuration(text, kind, str(path))


def parse_configuration(text: bytes, kind: type[Settings], name: str) -> Settings:
    """The settings in TOML `text`; `name` stands for the file in errors."""
    try:
        table = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # tomllib's own, UTF-8's, and endless integers'
        raise _refused(name, f"is not TOML: {error}") from error
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise _refused(name, f"has a wrong setting: {error}") from error


def _refused(name: Path | str, what: str) -> UserError:
    return UserError(f"The configuration {name} {what}.", ExitCode.CONFIGURATION)
