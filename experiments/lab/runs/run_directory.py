"""The folder that a run leaves, and that a run which was cut off goes on from.

    run.toml          the configuration in full; a sweep that gives the same run again
    provenance.json   code, libraries, machine and seeds
    tasks/            a file for each finished task, written all or nothing and synced
    targets.csv       every target of every replicate         } written when all
    summary.csv       every measure of every point            } tasks are done
    progress.jsonl    what happened when; nothing else here holds a time

Spec: docs/laboratory.md (Run directory). A task's file carries a checksum: one that a full disk or
a power cut tore is as good as none.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from experiments.lab.runs.plan import Plan, read_plan
from experiments.lab.runs.provenance import Provenance, provenance_of
from experiments.lab.runs.summary import Row, summarised, summary_csv, targets_csv
from experiments.lab.runs.task import Result
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import atomic_write

MODE = 0o644  # figures are for everyone; nothing in them is secret
LOCK = ".lock"
Kind = TypeVar("Kind")


class _TaskFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    result: msgspec.Raw


class RunDirectory:
    """A run's folder, opened for reading. `begun` opens it for a run."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan

    @classmethod
    def opened(cls, folder: Path) -> "RunDirectory":
        """A finished run. Raises UserError: NOT_FOUND if `folder` holds none, USAGE if it is not
        finished."""
        if not (folder / "run.toml").is_file():
            raise UserError(f"{folder} holds no run (no run.toml).", ExitCode.NOT_FOUND)
        run = cls(folder, read_plan(folder / "run.toml"))
        missing = run.plan.tasks - len(run.finished())
        if missing:
            raise UserError(
                f"The run in {folder} is not finished: {missing} of {run.plan.tasks} tasks are "
                f"missing. Go on with: hushmill lab run {folder / 'run.toml'} --out {folder}",
                ExitCode.USAGE,
            )
        return run

    @property
    def provenance(self) -> Provenance:
        """Raises UserError(NOT_FOUND) if the file is missing or not ours."""
        path = self.folder / "provenance.json"
        found = _decoded(path, Provenance)
        if found is None:
            raise UserError(f"{path} is missing or damaged.", ExitCode.NOT_FOUND)
        return found

    def finished(self) -> set[tuple[int, int]]:
        """The (point, replicate) of every task whose file is whole. Others are as if not there."""
        return {(result.point, result.replicate) for result in self.results()}

    def results(self) -> Iterator[Result]:
        """Every finished task of the plan, by point and replicate."""
        for point in self.plan.points:
            for replicate in range(self.plan.sweep.replicates):
                result = _task_in(self._task_path(point.index, replicate))
                if result and (result.point, result.replicate) == (point.index, replicate):
                    yield result

    def rows(self) -> list[Row]:
        """The summary, from the tasks."""
        return summarised(self.plan.points, self.results())

    def keep(self, result: Result) -> None:
        """Writes a finished task to disk; when this returns no power cut takes it back."""
        content = msgspec.json.encode(result)
        file = _TaskFile(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
        path = self._task_path(result.point, result.replicate)
        atomic_write(path, msgspec.json.encode(file), MODE)

    def note(self, what: str, **details: object) -> None:
        """A line of progress.jsonl, with the time."""
        record = {"time": round(time.time(), 3), "what": what, **details}
        with (self.folder / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def finish(self) -> list[Row]:
        """Writes targets.csv and summary.csv from the tasks, and gives the summary."""
        results = list(self.results())
        rows = summarised(self.plan.points, results)
        atomic_write(self.folder / "targets.csv", targets_csv(results), MODE)
        atomic_write(self.folder / "summary.csv", summary_csv(rows), MODE)
        return rows

    def _task_path(self, point: int, replicate: int) -> Path:
        return self.folder / "tasks" / f"{point:06d}-{replicate:06d}.json"


def default_folder(plan: Plan, name: str) -> Path:
    """`runs/NAME-HASH` under the current folder: the same configuration has the same place."""
    return Path("runs") / f"{name}-{hashlib.sha256(plan.identity.encode()).hexdigest()[:8]}"


@contextmanager
def begun(folder: Path, plan: Plan, module: str) -> Iterator[RunDirectory]:
    """The folder for a run of `plan` by the experiment in `module`, made new or as it was
    left. Nobody else runs in it meanwhile.

    Raises UserError: USAGE if it holds other files, another configuration or figures of other code;
    LOCKED if another run is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    strangers = [path.name for path in folder.iterdir() if path.name != LOCK]
    if strangers and not (folder / "run.toml").exists() and not _is_ours(strangers):
        raise UserError(
            f"{folder} holds other files and no run. Choose a folder with --out.", ExitCode.USAGE
        )
    with _locked(folder):
        here = provenance_of(plan, module)
        if (folder / "run.toml").exists():
            _require_same(folder, plan, here)
        (folder / "tasks").mkdir(exist_ok=True)
        if not (folder / "provenance.json").exists():
            encoded = msgspec.json.format(msgspec.json.encode(here), indent=2)
            atomic_write(folder / "provenance.json", encoded + b"\n", MODE)
        atomic_write(folder / "run.toml", plan.text.encode(), MODE)
        yield RunDirectory(folder, plan)


def _is_ours(names: list[str]) -> bool:
    """What a run leaves that was cut off before it wrote run.toml."""
    return all(name in ("tasks", "provenance.json") or name.endswith(".new") for name in names)


def _require_same(folder: Path, plan: Plan, here: Provenance) -> None:
    other = read_plan(folder / "run.toml")
    if other.identity != plan.identity:
        raise UserError(
            f"{folder} holds a run of another configuration ({_first_difference(other, plan)}). "
            "Choose another folder with --out.",
            ExitCode.USAGE,
        )
    before = _decoded(folder / "provenance.json", Provenance)
    if before is None:
        raise UserError(
            f"{folder}/provenance.json is missing or damaged, so nobody knows which code made its "
            "figures. Choose another folder with --out.",
            ExitCode.USAGE,
        )
    if _calculates_with(before) != _calculates_with(here):
        raise UserError(
            f"The run in {folder} was made by other code or libraries (commit "
            f"{before.commit or 'unknown'}): its figures would be mixed with this one's. Choose "
            "another folder with --out, or remove that one.",
            ExitCode.USAGE,
        )


def _calculates_with(made: Provenance) -> tuple[str | None, ...]:
    """What figures depend on besides the configuration; who draws or sends them is not of it."""
    return made.code_sha256, made.libraries.get("numpy"), made.libraries.get("numba")


def _first_difference(other: Plan, plan: Plan) -> str:
    """The first line in which two configurations part, told for each."""
    theirs, ours = other.identity.splitlines(), plan.identity.splitlines()
    for there, here in zip(theirs, ours, strict=False):
        if there != here:
            return f"there {there!r}, here {here!r}"
    return "one is longer"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The kernel lets go of the lock however its process ends."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = f"Another run is at work in {folder}. Wait for it, or choose --out."
            raise UserError(text, ExitCode.LOCKED) from error
        yield
    finally:
        os.close(descriptor)


def _task_in(path: Path) -> Result | None:
    file = _decoded(path, _TaskFile)
    if file is None or hashlib.sha256(file.result).hexdigest() != file.sha256:
        return None
    return msgspec.json.decode(file.result, type=Result)


def _decoded(path: Path, kind: type[Kind]) -> Kind | None:
    """The JSON in a file, or None if it is missing or torn."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
