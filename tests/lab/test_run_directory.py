"""Run directories: what lies in them, what resumes, what is refused."""

import csv
import fcntl
import json
import re
from pathlib import Path
from typing import Any

import pytest

from experiments.lab.registry import experiment_named
from experiments.lab.runs.engine import ThisProcess, run_sweep
from experiments.lab.runs.plan import planned
from experiments.lab.runs.run_directory import RunDirectory, default_folder
from experiments.lab.runs.summary import Row, number_text
from experiments.lab.runs.sweep import sweep_of
from experiments.lab.runs.task import kept
from hushmill.errors import ExitCode, UserError
from tests.lab.experiments_here import KNOWN

SWEEP = {
    "experiment": "coin",
    "seed": 5,
    "replicates": 4,
    "grid": {"head_probability": [0.2, 0.5]},
}


def run_in(folder: Path, **changes: Any) -> tuple[RunDirectory, list[Row], list[int]]:
    """The run, its rows, and how many tasks were finished at each report."""
    counts: list[int] = []
    sweep = sweep_of({**SWEEP, **changes})
    run, rows = run_sweep(
        sweep,
        lambda _plan: folder,
        ThisProcess(),
        lambda _what, done, _of: counts.append(done),
        KNOWN,
    )
    return run, rows, counts


def figures(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "summary.csv").read_bytes(), (folder / "targets.csv").read_bytes()


def table_in(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def refusal(folder: Path, code: ExitCode, **changes: Any) -> str:
    with pytest.raises(UserError) as caught:
        run_in(folder, **changes)
    assert caught.value.exit_code is code
    return str(caught.value)


def test_a_run_leaves_everything_that_is_needed_to_do_it_again(tmp_path: Path) -> None:
    first, _, _ = run_in(tmp_path / "a")
    again = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert again["seed"] == 5
    assert again["spawn_keys"] == [[0], [1], [2], [3]]
    assert re.fullmatch("[0-9a-f]{64}", again["code_sha256"])
    assert again["libraries"]["numpy"]
    copy = sweep_of(first.plan.sweep_table())
    run_sweep(copy, lambda _plan: tmp_path / "b", ThisProcess(), lambda *_: None, KNOWN)
    assert figures(tmp_path / "a") == figures(tmp_path / "b")
    assert (tmp_path / "a" / "run.toml").read_text() == (tmp_path / "b" / "run.toml").read_text()


def test_the_summary_has_a_row_a_point_and_measure(tmp_path: Path) -> None:
    run_in(tmp_path)
    rows = table_in(tmp_path / "summary.csv")
    assert [(row["point"], row["measure"]) for row in rows] == [
        (str(point), measure)
        for point in (0, 1)
        for measure in ("head_share", "wait_seconds", "entropy_bits", "guess_bits")
    ]
    share = rows[0]
    assert (share["head_probability"], share["throws"], share["quality"]) == (
        "0.2",
        "50",
        "sampled",
    )
    assert (share["replicates"], share["trials"], share["unit"]) == ("4", "200", "probability")
    assert float(share["ci95_low"]) < float(share["mean"]) < float(share["ci95_high"])
    assert (float(share["mean"]) * 200) % 1 == 0
    fair = rows[6]
    assert (fair["mean"], fair["sd"], fair["ci95_low"]) == ("1", "0", "1")
    targets = table_in(tmp_path / "targets.csv")
    assert len(targets) == 2 * 4 * 3
    assert [row["throw"] for row in targets[:3]] == ["0", "1", "2"]


def test_another_seed_gives_other_figures(tmp_path: Path) -> None:
    run_in(tmp_path / "a")
    run_in(tmp_path / "b", seed=6)
    assert figures(tmp_path / "a") != figures(tmp_path / "b")


def test_finished_tasks_are_not_done_again_and_torn_ones_are(tmp_path: Path) -> None:
    run_in(tmp_path)
    before = figures(tmp_path)
    tasks = sorted((tmp_path / "tasks").iterdir())
    assert len(tasks) == 8
    tasks[0].unlink()
    whole = tasks[1].read_bytes()
    tasks[1].write_bytes(whole[: len(whole) // 2])
    tasks[2].write_bytes(b"")
    tasks[3].write_bytes(tasks[3].read_bytes().replace(b'"trials":50', b'"trials":51'))
    stamps = {path.name: path.stat().st_mtime_ns for path in tasks[4:]}
    (tmp_path / "summary.csv").unlink()
    _, _, counts = run_in(tmp_path)
    assert counts == [4, 5, 6, 7, 8]
    assert {path.name: path.stat().st_mtime_ns for path in tasks[4:]} == stamps
    assert figures(tmp_path) == before
    _, _, counts = run_in(tmp_path)
    assert counts == [8]


def test_a_task_file_in_another_tasks_place_does_not_count(tmp_path: Path) -> None:
    run, _, _ = run_in(tmp_path)
    tasks = sorted((tmp_path / "tasks").iterdir())
    tasks[0].write_bytes(tasks[5].read_bytes())
    assert len(list(run.results())) == 7
    _, _, counts = run_in(tmp_path)
    assert counts == [7, 8]


def test_another_configuration_is_refused_and_another_figure_is_not(tmp_path: Path) -> None:
    run_in(tmp_path)
    said = refusal(tmp_path, ExitCode.USAGE, seed=6)
    assert "another configuration (there 'seed = 5', here 'seed = 6')" in said
    assert "another configuration" in refusal(tmp_path, ExitCode.USAGE, replicates=5)
    _, _, counts = run_in(tmp_path, figure={"x": "head_probability", "y": "head_share"})
    assert counts == [8]
    assert "[[figure]]" in (tmp_path / "run.toml").read_text()


def test_figures_of_other_code_are_never_mixed_in(tmp_path: Path) -> None:
    run_in(tmp_path)
    path = tmp_path / "provenance.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"code_sha256": "0" * 64}))
    assert "made by other code" in refusal(tmp_path, ExitCode.USAGE)
    path.write_text(json.dumps(record | {"libraries": record["libraries"] | {"numba": "0.1"}}))
    assert "other code or libraries" in refusal(tmp_path, ExitCode.USAGE)
    path.write_text("{")
    assert "missing or damaged" in refusal(tmp_path, ExitCode.USAGE)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert "holds other files" in refusal(tmp_path, ExitCode.USAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_second_run_in_one_folder_is_refused(tmp_path: Path) -> None:
    run_in(tmp_path)
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another run is at work" in refusal(tmp_path, ExitCode.LOCKED)
    run_in(tmp_path)


def test_only_a_finished_run_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run") as caught:
        RunDirectory.opened(tmp_path)
    assert caught.value.exit_code is ExitCode.NOT_FOUND
    run_in(tmp_path)
    assert len(RunDirectory.opened(tmp_path).rows()) == 8
    next((tmp_path / "tasks").iterdir()).unlink()
    with pytest.raises(UserError, match="1 of 8 tasks are missing"):
        RunDirectory.opened(tmp_path)


def test_the_default_folder_is_the_configurations_own() -> None:
    coin = experiment_named("coin", KNOWN)
    here = planned(sweep_of(SWEEP), coin)
    other = planned(sweep_of({**SWEEP, "seed": 6}), coin)
    drawn = planned(sweep_of({**SWEEP, "figure": {"title": "x"}}), coin)
    assert default_folder(here, "coin") == default_folder(drawn, "coin")
    assert default_folder(here, "coin") != default_folder(other, "coin")
    assert re.fullmatch(r"runs/coin-[0-9a-f]{8}", str(default_folder(here, "coin")))


def test_no_time_stands_in_what_must_be_equal(tmp_path: Path) -> None:
    run_in(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["begun", *["done"] * 8, "finished"]
    assert all("time" in line for line in lines)
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert not {"time", "date", "host", "user"} & set(record)


def test_the_last_bit_of_a_sum_does_not_show() -> None:
    """A sum in another order differs in its last bits; neither figure nor spread may tell."""
    one, other = 0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1
    assert one != other
    assert kept(one) == kept(other)
    assert number_text(one) == number_text(other) == "0.6"
    assert [number_text(value) for value in (-0.0, 1 / 3, 3.0, float("nan"), None)] == [
        "0",
        "0.333333333",
        "3",
        "",
        "",
    ]
