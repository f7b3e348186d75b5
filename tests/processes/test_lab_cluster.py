"""The same sweep on a real Dask cluster of two worker processes on loopback."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from experiments.lab.registry import EXPERIMENTS
from experiments.lab.runs.cluster import Cluster
from experiments.lab.runs.engine import ThisProcess, Workers, run_sweep
from experiments.lab.runs.sweep import sweep_of
from hushmill.errors import ExitCode, UserError
from tests.lab.experiments_here import KNOWN

SWEEP: dict[str, Any] = {
    "experiment": "coin",
    "seed": 11,
    "replicates": 5,
    "grid": {"head_probability": [0.2, 0.5], "throws": [10, 100]},
}
TRACING: dict[str, Any] = {
    "experiment": "tracing",
    "seed": 12,
    "replicates": 2,
    "grid": {"layers": [1, 3]},
    "parameters": {"targets": 20, "mean_delay_seconds": 0.1},
}
SECONDS = 60.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    cluster = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # any free port: None is 8787
        worker_dashboard_address=None,
    )
    with cluster:
        yield cluster.scheduler_address


def run_in(folder: Path, workers: Workers, sweep: dict[str, Any]) -> dict[str, bytes]:
    known = KNOWN | EXPERIMENTS
    run_sweep(sweep_of(sweep), lambda _plan: folder, workers, lambda *_: None, known)
    names = ("summary.csv", "targets.csv", "run.toml")
    return {name: (folder / name).read_bytes() for name in names}


def test_two_workers_give_the_bytes_of_this_process(tmp_path: Path, address: str) -> None:
    here = run_in(tmp_path / "here", ThisProcess(), SWEEP)
    there = run_in(tmp_path / "there", Cluster(address), SWEEP)
    assert there == here
    assert here["targets.csv"].count(b"\n") == 1 + 4 * 5 * 3


def test_a_simulated_network_is_the_same_to_the_byte_on_two_workers(
    tmp_path: Path, address: str
) -> None:
    here = run_in(tmp_path / "here", ThisProcess(), TRACING)
    assert run_in(tmp_path / "there", Cluster(address), TRACING) == here
    assert here["targets.csv"].count(b"\n") == 1 + 2 * 2 * 20


def test_a_killed_worker_loses_nothing(tmp_path: Path, address: str) -> None:
    """kill -9 of the worker that has begun a task, while it works; its tasks are done again."""
    starts = tmp_path / "starts"
    starts.mkdir()
    slow = {
        "experiment": "deadly",
        "replicates": 12,
        "parameters": {"folder": str(starts), "work_seconds": 0.15},
    }
    killed: list[int] = []

    def kill_a_worker() -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            # Some tasks are done, and one of a worker's is under way.
            if len(names := sorted(starts.iterdir(), key=lambda path: path.stat().st_mtime)) >= 5:
                killed.append(int(names[-1].name.split(".")[2]))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    there = run_in(tmp_path / "there", Cluster(address), slow)
    killer.join()
    assert len(killed) == 1
    assert len({path.name.split(".")[2] for path in starts.iterdir()}) >= 2
    begun = [path.name.split(".")[0] for path in starts.iterdir()]
    assert set(begun) == {f"0-{replicate}" for replicate in range(12)}
    assert len(begun) > 12  # what was lost was done again
    here = run_in(tmp_path / "here", ThisProcess(), slow | {"parameters": {"folder": str(starts)}})
    assert there["summary.csv"].split(b"sampled,")[1] == here["summary.csv"].split(b"sampled,")[1]


def test_a_task_that_kills_its_workers_is_named(tmp_path: Path, address: str) -> None:
    """The scheduler gives up on it as it is set to; here at the first death, to be quick."""
    with Client(  # type: ignore[no-untyped-call]
        address, set_as_default=False
    ) as client:
        client.run_on_scheduler(_allow_no_failure)
    starts = tmp_path / "starts"
    starts.mkdir()
    deadly = {
        "experiment": "deadly",
        "replicates": 1,
        "parameters": {"folder": str(starts), "deaths": 99},
    }
    with pytest.raises(UserError, match="point 0, replicate 0 died") as caught:
        run_in(tmp_path / "run", Cluster(address), deadly)
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def _allow_no_failure(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def test_an_address_where_nobody_answers_is_named(tmp_path: Path) -> None:
    for address, code in (
        ("tcp://127.0.0.1:1", ExitCode.CONFIGURATION),
        ("nonsense://x:1", ExitCode.CONFIGURATION),
        ("tcp://127.0.0.1", ExitCode.USAGE),
    ):
        with pytest.raises(UserError, match=address) as caught:
            run_in(tmp_path / "run", Cluster(address, 1.0), SWEEP)
        assert caught.value.exit_code is code
