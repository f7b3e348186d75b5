"""The notebooks: they run from the first cell to the last on a run's folder, and read nothing
else."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.lab.runs.engine import ThisProcess, run_sweep
from experiments.lab.runs.sweep import sweep_of
from tests.lab.experiments_here import KNOWN

NOTEBOOKS = Path(__file__).parents[2] / "experiments" / "notebooks"
NAMES = ("reading_a_run", "targets")
# What may be imported: readers of run folders, numbers and drawing.
READERS = {"experiments.lab.runs.run_directory", "experiments.lab.intervals"}
OTHERS = {"csv", "os", "pathlib", "numpy", "matplotlib.figure"}
ARMS = [
    {"name": "quiet", "rate_per_second": 20.0},
    {"name": "busy", "rate_per_second": 200.0},
]


def cells_of(name: str) -> list[str]:
    """The text of each cell of code. A notebook that holds outputs is refused."""
    book: dict[str, Any] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    return ["".join(cell["source"]) for cell in code]


def imports_of(name: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse("\n".join(cells_of(name)))):
        match node:
            case ast.Import():
                found |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                found.add(node.module or "")
            case ast.Call(func=ast.Name(id="__import__" | "exec" | "eval" as called)):
                found.add(called)
    return found


def ran(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **words: str) -> dict[str, Any]:
    """The names that the notebook's cells leave, run in order."""
    monkeypatch.setenv("RUN", str(folder))
    for key, word in words.items():
        monkeypatch.setenv(key, word)
    left: dict[str, Any] = {}
    for place, cell in enumerate(cells_of(name)):
        exec(compile(cell, f"{name}[{place}]", "exec"), left)  # noqa: S102 (our own notebook)
    return left


@pytest.fixture(scope="module")
def tracing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracing") / "run"
    table = {
        "experiment": "tracing",
        "replicates": 6,
        "parameters": {"targets": 60, "width": 2},
        "arms": ARMS,
    }
    run_sweep(sweep_of(table), lambda _plan: folder, ThisProcess(), lambda *_: None)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_it_imports_readers_alone(name: str) -> None:
    assert imports_of(name) <= READERS | OTHERS


def test_the_readers_load_no_simulator_and_no_adversary() -> None:
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {sorted(READERS)!r}];"
        "parts = ('sources', 'adversaries', 'studies', 'metrics');"
        "found = [m for m in sys.modules for p in parts if m.startswith('experiments.lab.' + p)];"
        "assert not found and 'numba' not in sys.modules, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_is_read_drawn_and_its_arms_are_compared(
    tracing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ran("reading_a_run", tracing, monkeypatch)
    assert [line[0] for line in left["table"]] == ["quiet", "busy"]
    quiet, busy = (line[1] for line in left["table"])
    # Ten times the traffic is log2(10) = 3.3 bits, where pools are large.
    assert 2.5 < busy - quiet < 4.5
    assert left["difference"].mean == pytest.approx(busy - quiet)
    assert left["difference"].interval.low > 0
    assert len(left["axes"].containers) == 1


def test_any_measure_of_any_experiment_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = [{"name": "fair", "head_probability": 0.5}, {"name": "biased"}]
    table = {"experiment": "coin", "replicates": 4, "arms": arms}
    run_sweep(sweep_of(table), lambda _plan: tmp_path, ThisProcess(), lambda *_: None, KNOWN)
    left = ran("reading_a_run", tmp_path, monkeypatch, MEASURE="head_share")
    assert [line[0] for line in left["table"]] == ["fair", "biased"]
    assert all(line[2] < line[1] < line[3] for line in left["table"])


def test_targets_show_their_spread_and_whether_beliefs_are_right(
    tracing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ran("targets", tracing, monkeypatch)
    assert len(left["lines"]) == 2 * 6 * 60
    for doubt, found in left["calibration"]:
        assert found.interval.low - 0.3 < doubt < found.interval.high + 0.3
    assert left["calibration"][1][0] > left["calibration"][0][0] + 2.5
    assert np.all(left["column"]["truth_probability"] > 0)
