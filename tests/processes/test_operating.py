"""docs/operating.md as an operator would follow it, and its tables against the code."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hushmill.drops import Drop
from hushmill.errors import ExitCode
from mixnode import Counters, NodeSettings
from mixnode.commands import mix
from pki import write_genesis
from tests.processes.link_loop import Loop, running_loop
from tests.processes.mix_network import MixNetwork

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


def _run(words: str, folder: Path) -> str:
    """What the commands print; they must all succeed."""
    done = subprocess.run(
        ["bash", "-c", f"set -e\ntrap 'kill $(jobs -p) 2>/dev/null' ERR\n{words}"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_walk_through_works_from_top_to_bottom(tmp_path: Path, loop: Loop) -> None:
    """The test plays the network's authorities between the first block and the second."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "hushmill"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hushmill "$@"\n')
    command.chmod(0o755)
    make, *rest = BLOCK.findall(GUIDE)
    assert len(rest) == 4
    _run(make, tmp_path)
    network = MixNetwork(tmp_path, loop, name="weir")
    (tmp_path / "network.toml").write_bytes(write_genesis(network.genesis))
    said = _run("\n".join(rest), tmp_path)
    assert "\nready\n" in said
    assert "mix: document of epoch" in said
    assert "The node has ended." in said
    assert said.count("Nothing wrong: mix weir") == 2
    assert "fresh ones made" in said


def _rows(first_cell: str) -> dict[str, str]:
    """The table whose head begins with `first_cell`: its second cells by its first ones."""
    table = GUIDE.split(f"| {first_cell} |", 1)[1].split("\n\n", 1)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {row[0]: row[1] for row in cells}


def test_lists_every_exit_code() -> None:
    assert set(_rows("exit")) == {str(int(code)) for code in ExitCode}


def test_lists_every_setting_with_its_default() -> None:
    defaults = msgspec.structs.asdict(NodeSettings(listen="::"))
    rows = {name.strip("`"): value for name, value in _rows("setting").items()}
    assert rows.keys() == defaults.keys()
    for name, default in defaults.items():
        if name != "listen":
            text = f'`"{default}"`' if isinstance(default, str) else str(default)
            assert rows[name] == text, name


def test_names_counters_that_exist() -> None:
    named = set(re.findall(r"`(drop_\w+|loops?_\w+)`", GUIDE))
    assert f"drop_{Drop.SHUTDOWN.value}" in named
    assert named <= set(Counters().rounded())


def test_names_commands_that_exist() -> None:
    named = set(re.findall(r"hushmill mix ([a-z]+)", GUIDE))
    assert named == set(mix.commands)
