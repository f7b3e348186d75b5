"""docs/commands.md says what the program does: every command, option, exit code and method."""

import re
from pathlib import Path

import click
import pytest

from client import commands
from client.service_methods import PersonMethods
from hushmill.errors import ExitCode

REFERENCE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
COMMON = {"--json", "--profile"}


def rows(first_cell: str) -> set[str]:
    """The first cells of the table whose head begins with `first_cell`."""
    table = REFERENCE.split(f"| {first_cell} |", 1)[1].split("\n\n", 1)[0]
    return {line.split("|")[1].strip().strip("`") for line in table.splitlines()[2:]}


def test_lists_every_exit_code() -> None:
    assert rows("exit") == {str(int(code)) for code in ExitCode}


def test_lists_every_method_of_the_socket() -> None:
    table = PersonMethods.table(object.__new__(PersonMethods))
    assert rows("method") == set(table)


@pytest.mark.parametrize("name", commands.__all__)
def test_describes_every_command_with_its_options(name: str) -> None:
    section = REFERENCE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    command = getattr(commands, name)
    assert isinstance(command, click.Command)
    shown = [option for option in command.params if not getattr(option, "hidden", False)]
    known = {name for option in shown for name in option.opts if "-" in name}
    usages = " ".join(re.findall(r"`([^`]*)`", section))
    mentioned = set(re.findall(r"--[a-z-]+", usages))
    assert mentioned == known - COMMON
