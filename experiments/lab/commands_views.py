"""`hushmill lab compare`, `plot` and `report`: what to make of finished runs."""

from pathlib import Path

import click

from experiments.lab.compare import Comparison, Difference, compare_arms, compare_runs
from experiments.lab.runs.run_directory import MODE, RunDirectory
from experiments.lab.text_table import aligned
from hushmill.runtime import HushmillCommand, Output, atomic_write, pass_output

RUN = click.Path(path_type=Path)


@click.command(cls=HushmillCommand)
@click.argument("first", type=RUN, metavar="RUN")
@click.argument("second", type=RUN, metavar="[RUN]", required=False)
@pass_output
def compare(output: Output, first: Path, second: Path | None) -> None:
    """Show in what the second run differs from the first.

    With one RUN: in what its other arms differ from its first arm. Each difference has a 95 %
    interval, and says whether it is of pairs (one seed: the same random numbers) or Welch's.
    """
    before = RunDirectory.opened(first)
    found = (
        compare_arms(before)
        if second is None
        else compare_runs(before, RunDirectory.opened(second))
    )
    record = {
        "first": str(first),
        "second": None if second is None else str(second),
        "unmatched_points": found.unmatched,
        "rows": [difference.record() for difference in found.differences],
    }
    output.result(record, human=_compared(found))


def _compared(found: Comparison) -> str:
    table: list[tuple[str, ...]] = [
        ("point", "measure", "first", "second", "difference", "95 % interval", "", "how")
    ]
    table += [_line(difference) for difference in found.differences]
    text = aligned(table)
    if found.unmatched:
        text += f"\n\n{found.unmatched} points are in one run only and are left out."
    return text + "\n\n*: the interval leaves out zero."


def _line(one: Difference) -> tuple[str, ...]:
    interval = ""
    if one.interval is not None:
        interval = f"{one.interval.low:+.4g} … {one.interval.high:+.4g} {one.unit}".rstrip()
    quality = "" if one.quality.value == "exact" else f", {one.quality.value}"
    return (
        one.place,
        one.measure,
        f"{one.first:.6g}",
        f"{one.second:.6g}",
        f"{one.difference:+.4g}",
        interval,
        "*" if one.is_clear else "",
        f"{one.method.value}, {one.replicates} replicates{quality}",
    )


@click.command(cls=HushmillCommand)
@click.argument("run", type=RUN)
@pass_output
def plot(output: Output, run: Path) -> None:
    """Draw the figures of RUN as SVG and PDF, each beside its CSV.

    RUN is a run directory, or the CSV of a figure, which is then drawn again.
    """
    from experiments.lab.plot import plot_csv, plot_run

    paths = plot_csv(run) if run.suffix == ".csv" else plot_run(RunDirectory.opened(run))
    files = [str(path) for path in paths]
    output.result({"files": files}, human="\n".join(files))


@click.command(cls=HushmillCommand)
@click.argument("run", type=RUN)
@pass_output
def report(output: Output, run: Path) -> None:
    """Write RUN as one page, report.html in its folder."""
    from experiments.lab.report import report_page

    opened = RunDirectory.opened(run)
    path = opened.folder / "report.html"
    atomic_write(path, report_page(opened), MODE)
    output.result({"report": str(path)}, human=str(path))
