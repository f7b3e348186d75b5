"""A passphrase from a file, a descriptor or a terminal: never an argument nor a variable."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hushmill.errors import ExitCode, UserError

PASSPHRASE_LIMIT = 4096  # bytes
Command = TypeVar("Command", bound=Callable[..., Any])


def passphrase_options(command: Command) -> Command:
    """--passphrase-file and --passphrase-fd; a passphrase is never an argument or a variable."""
    from_file = click.option(
        "--passphrase-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read the passphrase from the first line of FILE.",
    )
    from_descriptor = click.option(
        "--passphrase-fd",
        metavar="N",
        type=click.IntRange(min=0),
        help="Read the passphrase from open file descriptor N.",
    )
    return from_file(from_descriptor(command))


def read_passphrase(file: Path | None, descriptor: int | None, *, is_new: bool) -> str:
    """The passphrase from a file, a descriptor or, on a terminal, a prompt (twice where it is new).

    Raises UserError(3) where there is none to be had.
    """
    if file is not None and descriptor is not None:
        raise click.UsageError("Give --passphrase-file or --passphrase-fd, not both.")
    if file is not None or descriptor is not None:
        passphrase = _first_line(file if file is not None else descriptor)
    elif sys.stdin.isatty():
        asked = click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True)
        passphrase = str(asked)
    else:
        raise UserError(
            "A passphrase is needed and there is no terminal to ask for it. "
            "Give it with --passphrase-file FILE or --passphrase-fd N.",
            ExitCode.CONFIGURATION,
        )
    if not passphrase:
        raise UserError(
            "The passphrase is empty, and would keep nothing secret. Choose a long one.",
            ExitCode.CONFIGURATION,
        )
    return passphrase


def _first_line(source: Path | int | None) -> str:
    """The first line, without its end, of a file or of a descriptor, which is closed."""
    if source is None:
        return ""
    try:
        with open(source, "rb") as file:
            line = file.readline(PASSPHRASE_LIMIT + 1)
    except OSError as error:
        raise UserError(
            f"The passphrase cannot be read from {source}: {error.strerror}.",
            ExitCode.CONFIGURATION,
        ) from error
    if len(line) > PASSPHRASE_LIMIT:
        raise UserError(
            f"The passphrase is longer than {PASSPHRASE_LIMIT} bytes.", ExitCode.CONFIGURATION
        )
    try:
        return line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise UserError("The passphrase is not UTF-8 text.", ExitCode.CONFIGURATION) from error
