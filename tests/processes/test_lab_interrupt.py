"""A run that is interrupted or killed: its exit, its workers, and that it goes on from there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60.0
TASKS = 6


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """A zombie whose parent is gone is dead too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Run:
    """`hushmill lab run` as a process of its own; each of its tasks takes a while."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "run"
        self.starts = folder / "starts"
        self.starts.mkdir()
        self._sets = [
            *("--set", "experiment=deadly", "--set", f"replicates={TASKS}"),
            *("--set", f"folder={self.starts}", "--set", "work_seconds=0.25"),
        ]

    def start(self, jobs: int) -> "subprocess.Popen[str]":
        words = ["run", *self._sets, "--out", str(self.out), "--jobs", str(jobs), "--json"]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.lab", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, jobs: int = 1) -> str:
        """Runs it to the end, and gives its stderr."""
        process = self.start(jobs)
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, err
        assert len(json.loads(out)["rows"]) == 1
        return err

    @property
    def finished(self) -> set[str]:
        return {path.name for path in (self.out / "tasks").glob("0*.json")}

    def starts_of(self, task: str) -> int:
        replicate = int(task.removesuffix(".json").split("-")[1])
        return len(list(self.starts.glob(f"0-{replicate}.*")))

    def workers(self) -> set[int]:
        return {int(path.name.split(".")[2]) for path in self.starts.iterdir()}


@pytest.mark.parametrize(("jobs", "number"), [(1, signal.SIGINT), (2, signal.SIGTERM)])
def test_an_interrupted_run_exits_with_130_and_goes_on(
    tmp_path: Path, jobs: int, number: signal.Signals
) -> None:
    run = Run(tmp_path)
    process = run.start(jobs)
    wait_until(lambda: len(run.finished) >= 2)
    os.killpg(process.pid, number)  # as a terminal does: the whole group
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert json.loads(out)["exit"] == 130
    assert f"kept in {run.out}" in err
    assert "Traceback" not in err
    before = run.finished
    assert 2 <= len(before) < TASKS
    assert not any(is_alive(pid) for pid in run.workers())
    told = run.finish(jobs)
    assert f"{len(before)} of {TASKS} tasks are done" in told
    assert all(run.starts_of(task) == 1 for task in before)


def test_a_killed_run_leaves_no_worker_and_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path)
    process = run.start(2)
    wait_until(lambda: len(run.finished) >= 2)
    process.kill()
    process.communicate(timeout=SECONDS)
    wait_until(lambda: not any(is_alive(pid) for pid in run.workers()))
    before = run.finished
    assert 2 <= len(before) < TASKS
    run.finish()
    assert all(run.starts_of(task) == 1 for task in before)
    whole = (run.out / "summary.csv").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    again = Run(other)
    again.finish(2)
    mean = whole.split(b"sampled,")[1]
    assert mean == (again.out / "summary.csv").read_bytes().split(b"sampled,")[1]
