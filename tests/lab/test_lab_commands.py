"""`hushmill lab`: exit codes, streams, and what a machine reads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from experiments.lab.commands import COMMANDS, lab
from hushmill.errors import ExitCode
from tests.lab.experiments_here import KNOWN

SMALL = ["--set", "experiment=coin", "--set", "replicates=2"]


def lab_run(*words: str | Path) -> Result:
    return CliRunner().invoke(lab, [str(word) for word in words], obj=KNOWN)


def asked(*words: str | Path) -> dict[str, Any]:
    """The one JSON object of a command that went well."""
    done = lab_run(*words, "--json")
    assert done.exit_code == 0, done.output
    record: dict[str, Any] = json.loads(done.stdout)
    assert record["v"] == 1
    return record


def refused(code: ExitCode, *words: str | Path) -> str:
    """What a person is told; a machine is told the same."""
    done = lab_run(*words, "--json")
    assert done.exit_code == code, done.output
    record = json.loads(done.stdout)
    assert (record["ok"], record["exit"]) == (False, code)
    return str(record["error"])


def test_help_loads_no_compiler_no_plotter_and_no_cluster() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from experiments.lab.commands import lab;"
        "done = CliRunner().invoke(lab, ['--help']); assert done.exit_code == 0, done.output;"
        "assert 'report' in done.output;"
        "heavy = {'numba', 'numpy', 'matplotlib', 'distributed', 'twisted'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_that_is_offered_is_there() -> None:
    listed = lab.list_commands(click.Context(lab))
    assert {"list", "run", "compare", "plot", "report"} <= set(listed) <= set(COMMANDS)
    for name in listed:
        assert lab_run(name, "--help").exit_code == 0, name


def test_list_shows_experiments_and_the_keys_of_one() -> None:
    names = [one["name"] for one in asked("list")["experiments"]]
    assert names == list(KNOWN)
    record = asked("list", "coin")
    (key,) = [key for key in record["keys"] if key["key"] == "mean_delay_seconds"]
    assert key == {
        "key": "mean_delay_seconds",
        "meaning": "Mean of the waiting time.",
        "unit": "s",
        "kind": "a number",
        "default": 0.5,
        "limits": "> 0",
    }
    shown = lab_run("list", "coin").stdout
    assert "Mean of the waiting time." in shown
    assert "There are: coin" in refused(ExitCode.NOT_FOUND, "list", "dice")


def test_run_needs_no_file_and_says_where_its_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = asked("run", *SMALL, "--set", "throws=7")
    folder = Path(record["run"])
    assert folder.parts[0] == "runs"
    assert (folder / "summary.csv").exists()
    rows = record["rows"]
    assert record["experiment"] == "coin"
    assert [row["measure"] for row in rows][:2] == ["head_share", "wait_seconds"]
    assert rows[0]["trials"] == 14
    assert rows[0]["parameters"]["throws"] == 7
    assert asked("run", *SMALL, "--set", "throws=7") == record
    human = lab_run("run", *SMALL, "--set", "throws=7")
    assert str(folder) in human.stdout
    assert "head_share" in human.stdout
    assert human.stderr.count("\n") == 1
    assert "2 of 2 tasks are done" in human.stderr


def test_a_file_and_sets_and_a_folder(tmp_path: Path) -> None:
    sweep = tmp_path / "waiting.toml"
    sweep.write_text('experiment = "coin"\nreplicates = 2\n[grid]\nthrows = [5, 6]\n')
    record = asked("run", sweep, "--set", "mean_delay_seconds=2", "--out", tmp_path / "x")
    assert record["run"] == str(tmp_path / "x")
    assert {row["parameters"]["mean_delay_seconds"] for row in record["rows"]} == {2.0}
    said = refused(ExitCode.USAGE, "run", sweep, "--out", tmp_path / "x")
    assert "another configuration" in said


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--set", "throws=-1"], ExitCode.USAGE, "parameters.throws: expected a whole number >= 1"),
        (["--set", "throw=1"], ExitCode.USAGE, "did you mean throws?"),
        (["--set", "throws=13"], ExitCode.USAGE, "coin at point 0, replicate 0: throws: thirteen"),
        (["--set", "throws=666"], ExitCode.BUG, "ZeroDivisionError"),
        (["--set", "throws"], ExitCode.USAGE, "write KEY=VALUE"),
        (["--set", "experiment=dice"], ExitCode.NOT_FOUND, "There is no experiment 'dice'"),
        (["--jobs", "0"], ExitCode.USAGE, "--jobs"),
        (["--jobs", "2", "--dask", "tcp://x:1"], ExitCode.USAGE, "exclude each other"),
        (["--dask", "foo"], ExitCode.USAGE, "no scheduler's address"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(
    tmp_path: Path, words: list[str], code: ExitCode, text: str
) -> None:
    assert text in refused(code, "run", *SMALL, *words, "--out", tmp_path / "run")


def test_compare_plot_and_report_read_the_run(tmp_path: Path) -> None:
    for seed in (1, 2):
        look = ["--set", "figure.y=wait_seconds"]
        asked("run", *SMALL, *look, "--set", f"seed={seed}", "--out", tmp_path / str(seed))
    first, second = tmp_path / "1", tmp_path / "2"
    rows = asked("compare", first, second)["rows"]
    assert [row["method"] for row in rows if row["measure"] == "wait_seconds"] == ["welch"]
    assert {row["method"] for row in asked("compare", first, first)["rows"]} == {"paired"}
    assert "no arms to compare" in refused(ExitCode.USAGE, "compare", first)
    assert "welch, 2 replicates" in lab_run("compare", first, second).stdout
    files = asked("plot", first)["files"]
    assert len(files) == 3
    assert all(Path(file).exists() for file in files)
    assert len(asked("plot", files[0])["files"]) == 2
    page = Path(asked("report", first)["report"])
    assert page.read_text().startswith("<!DOCTYPE html>")
    for command in ("compare", "plot", "report"):
        assert "holds no run" in refused(ExitCode.NOT_FOUND, command, tmp_path)
