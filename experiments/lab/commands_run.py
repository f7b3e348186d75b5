"""`hushmill lab run`: an experiment, over a sweep, into a run directory."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from experiments.lab.commands_list import registry_here
from experiments.lab.compiled import require_compiler
from experiments.lab.progress_bar import progress_bar
from experiments.lab.runs.engine import ThisProcess, Workers, run_sweep
from experiments.lab.runs.plan import Plan
from experiments.lab.runs.run_directory import default_folder
from experiments.lab.runs.summary import Row, number_text
from experiments.lab.text_table import aligned
from experiments.standard.sweeps import asked_sweep
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, Output, pass_output

JOBS_LIMIT = 1024
SHOWN_ROWS = 200  # more is for a file, not for a screen


@click.command(cls=HushmillCommand)
@click.argument("sweep", required=False, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key.")
@click.option("--out", type=click.Path(path_type=Path), help="The run directory.")
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_LIMIT),
    default=1,
    show_default=True,
    help="Worker processes; 1 is this process.",
)
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler.")
@pass_output
def run(
    output: Output,
    sweep: Path | None,
    settings: Sequence[str],
    out: Path | None,
    jobs: int,
    dask: str | None,
) -> None:
    """Run the sweep in SWEEP, a TOML file or the name of one that ships, or what the --set options
    say.

    Interrupted, it goes on where it stopped when the same command is given again.
    """
    require_compiler()
    asked = asked_sweep(sweep, settings)
    name = sweep.stem if sweep is not None else asked.experiment
    chosen: list[Path] = []

    def choose(plan: Plan) -> Path:
        chosen.append(out if out is not None else default_folder(plan, name))
        return chosen[0]

    with _interrupt_on_terminate(), progress_bar(Console(stderr=True)) as report:
        try:
            done, rows = run_sweep(asked, choose, _workers(jobs, dask), report, registry_here())
        except KeyboardInterrupt:
            if chosen:
                output.note(
                    f"What is finished is kept in {chosen[0]}; the same command goes on from there."
                )
            raise
    record = {
        "run": str(done.folder),
        "experiment": done.plan.sweep.experiment,
        "rows": [row.record() for row in rows],
    }
    output.result(record, human=f"{table_of(rows)}\n\nThe run is in {done.folder}")


def _workers(jobs: int, dask: str | None) -> Workers:
    if dask is not None:
        if jobs != 1:
            text = "--jobs and --dask exclude each other: the cluster has its own workers."
            raise UserError(text, ExitCode.USAGE)
        from experiments.lab.runs.cluster import Cluster

        return Cluster(dask)
    if jobs > 1:
        from experiments.lab.runs.processes import Processes

        return Processes(jobs)
    return ThisProcess()


def table_of(rows: Sequence[Row]) -> str:
    """The rows for a person: what sets a point apart, and each measure with its interval."""
    if len(rows) > SHOWN_ROWS:
        return f"{len(rows)} rows: see summary.csv."
    table = [("point", "measure", "mean", "95 % interval", "unit", "quality")]
    for row in rows:
        interval = ""
        if row.interval is not None:
            interval = f"{row.interval.low:.5g} … {row.interval.high:.5g}"
        mean = number_text(None if row.mean is None else float(f"{row.mean:.6g}"))
        place = row.point.place.removeprefix("point ")
        table.append((place, row.measure, mean, interval, row.unit, row.quality.value))
    return aligned(table)


@contextlib.contextmanager
def _interrupt_on_terminate() -> Iterator[None]:
    """A SIGTERM ends the block as Ctrl-C does, workers included."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
