"""The engine: the same bytes however many work, and nothing lost when one dies."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from experiments.lab.outcome import Quality
from experiments.lab.runs.code import code_files, code_hash, code_root
from experiments.lab.runs.engine import ThisProcess, Workers, measured, run_sweep
from experiments.lab.runs.processes import ATTEMPTS, Processes
from experiments.lab.runs.summary import Row
from experiments.lab.runs.sweep import sweep_of
from experiments.lab.runs.task import Failure, Order, Result, performed
from hushmill.errors import ExitCode, UserError
from tests.lab.experiments_here import KNOWN


def run_in(folder: Path, workers: Workers, **table: Any) -> list[Row]:
    sweep = sweep_of(table)
    _, rows = run_sweep(sweep, lambda _plan: folder, workers, lambda *_: None, KNOWN)
    return rows


def starts_in(folder: Path) -> list[str]:
    """Each start of a deadly task as POINT-REPLICATE."""
    return sorted(path.name.split(".")[0] for path in folder.iterdir())


def pids_in(folder: Path) -> set[str]:
    return {path.name.split(".")[2] for path in folder.iterdir()}


def test_processes_give_the_bytes_of_one_process_and_a_death_loses_nothing(tmp_path: Path) -> None:
    """Every task dies once, in whichever process it is, and the figures are the same."""
    counts = tmp_path / "starts"
    counts.mkdir()
    deadly: dict[str, Any] = {
        "experiment": "deadly",
        "replicates": 2,
        "grid": {"point": [0, 1]},
        "parameters": {"folder": str(counts), "deaths": 1},
    }
    run_in(tmp_path / "a", Processes(2), **deadly)
    assert starts_in(counts) == sorted(["0-0", "0-1", "1-0", "1-1"] * 2)
    lines = (tmp_path / "a" / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines].count("lost") == 4
    run_in(tmp_path / "b", ThisProcess(), **deadly)  # their deaths are behind them
    for name in ("summary.csv", "targets.csv", "run.toml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_task_that_kills_every_worker_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    counts = tmp_path / "starts"
    counts.mkdir()
    table: dict[str, Any] = {
        "experiment": "deadly",
        "replicates": 1,
        "arms": [
            {"name": "well", "point": 1},
            {"name": "ill", "point": 2, "folder": str(counts), "deaths": 99},
        ],
    }
    with pytest.raises(UserError, match=r"died 3 times at point 1, replicate 0") as caught:
        run_in(tmp_path / "run", Processes(1), **table)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert starts_in(counts) == ["2-0"] * ATTEMPTS
    assert len(pids_in(counts)) == ATTEMPTS
    assert [path.name for path in (tmp_path / "run" / "tasks").iterdir()] == ["000000-000000.json"]


@pytest.mark.parametrize(
    ("throws", "text", "code"),
    [
        (13, "coin at point 1 (throws = 13), replicate 0: throws: thirteen is", ExitCode.USAGE),
        (666, "coin at point 1 (throws = 666), replicate 0: ZeroDivisionError:", ExitCode.BUG),
    ],
)
def test_what_an_experiment_raises_ends_the_run_and_names_the_point(
    tmp_path: Path, throws: int, text: str, code: ExitCode
) -> None:
    grid = {"throws": [5, throws]}
    with pytest.raises(UserError) as caught:
        run_in(tmp_path, ThisProcess(), experiment="coin", replicates=1, grid=grid)
    assert str(caught.value).startswith(text)
    assert caught.value.exit_code is code
    last = json.loads((tmp_path / "progress.jsonl").read_text().splitlines()[-1])
    assert last["what"] == "failed"
    assert "Traceback" in last["traceback"]
    assert len(list((tmp_path / "tasks").iterdir())) == 1


def test_a_share_is_pooled_and_a_mean_is_not() -> None:
    share, wait, entropy, _ = measured(
        sweep_of({"experiment": "coin", "replicates": 8}), known=KNOWN
    )
    assert (share.trials, share.replicates) == (400, 8)
    assert share.interval is not None
    z = 1.959964
    for end in (share.interval.low, share.interval.high):
        assert share.mean is not None
        assert abs(share.mean - end) == pytest.approx(
            z * math.sqrt(end * (1 - end) / 400), rel=1e-5
        )
    assert wait.trials is None
    assert wait.sd is not None
    assert entropy.quality is Quality.EXACT


def test_a_deterministic_figure_is_its_own_interval() -> None:
    (area,) = measured(sweep_of({"experiment": "formula"}), known=KNOWN)
    assert (area.mean, area.sd, area.replicates) == (4.0, None, 1)
    assert area.interval is not None
    assert (area.interval.low, area.interval.high) == (4.0, 4.0)


def test_intervals_of_runs_cover_the_truth_as_often_as_they_say() -> None:
    """400 runs of six replicates each, by the road that every figure of the laboratory takes."""
    covered = {"head_share": 0, "wait_seconds": 0}
    truth = {"head_share": 0.3, "wait_seconds": 0.5}
    for seed in range(400):
        table = {"experiment": "coin", "seed": seed, "replicates": 6, "parameters": {"throws": 40}}
        for row in measured(sweep_of(table), known=KNOWN)[:2]:
            assert row.interval is not None
            covered[row.measure] += row.interval.low <= truth[row.measure] <= row.interval.high
    assert all(0.92 <= count / 400 <= 0.98 for count in covered.values()), covered


def order(module: str, **parameters: Any) -> Order:
    return Order(module, parameters, seed=1, spawn_key=(0,), point=0, replicate=0)


def answered(order: Order) -> Result | Failure:
    return msgspec.json.decode(performed(msgspec.json.encode(order)), type=Result | Failure)


def test_a_worker_of_another_version_refuses() -> None:
    asked = msgspec.structs.replace(order("tests.lab.coin"), code="0" * 64)
    answer = answered(asked)
    assert isinstance(answer, Failure)
    assert "another version of hushmill" in answer.text
    assert answer.exit_code == ExitCode.CONFIGURATION


def test_numbers_that_json_has_not_come_back(tmp_path: Path) -> None:
    """A measure without value (nobody of a stratum was met) is left out of the mean."""
    rows = run_in(tmp_path, ThisProcess(), experiment="gaps", replicates=6)
    by_name = {row.measure: row for row in rows}
    assert (by_name["sometimes"].mean, by_name["sometimes"].replicates) == (1.0, 3)
    assert (by_name["never"].mean, by_name["never"].replicates) == (None, 0)
    assert by_name["endless"].mean == math.inf
    assert by_name["no_trials"].mean is None
    lines = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    assert [line["mean"] for line in lines] == ["1", "", "inf", "", "2"]
    assert by_name["mixed"].quality is Quality.APPROXIMATE


def test_an_outcome_that_cannot_be_is_refused() -> None:
    for text in ("share of 3 trials and cannot be", "targets are of one length", "gave no measure"):
        answer = answered(order("tests.lab.gaps", wrong=text.split()[0]))
        assert isinstance(answer, Failure)
        assert text in answer.text


def test_the_code_of_a_run_is_what_its_experiment_imports() -> None:
    """Neither more (another program's edit must not end a run) nor less."""
    names = {path.relative_to(code_root()).as_posix() for path in code_files("tests.lab.network")}
    assert {
        "tests/lab/network.py",
        "tests/lab/__init__.py",
        "experiments/lab/model.py",
        "experiments/lab/intervals.py",
        "experiments/lab/runs/task.py",
        "hushmill/runtime/files.py",
    } <= names
    assert "tests/lab/coin.py" not in names
    assert not any(name.startswith(("client/", "experiments/demo/")) for name in names)
    drawn = code_files("experiments.lab.formula_line")  # for its import of pki
    assert code_root() / "pki" / "anonymity.py" in drawn
    assert code_hash("tests.lab.network") != code_hash("tests.lab.coin")
