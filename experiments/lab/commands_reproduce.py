"""`hushmill lab reproduce`: the published values, ours beside them, and whether they agree."""

import click
from rich.console import Console

from experiments.lab.compiled import require_compiler
from experiments.lab.progress_bar import progress_bar
from experiments.lab.reproduce import Figure, Verdict, chosen_rows, reproduced
from experiments.lab.runs.engine import ThisProcess
from experiments.lab.runs.processes import Processes
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, Output, pass_output

HEAD = (
    f"{'row':7}{'published':>12}{'ours':>13}  {'95 % interval, or simulated beside':36}"
    f"{'tolerance':16}{'method':13}"
)


@click.command(cls=HushmillCommand)
@click.argument("rows", nargs=-1)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="So many seeds, counted up from --seed; a row must hold in nine of ten.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, help="Processes that work.")
@pass_output
def reproduce(output: Output, rows: tuple[str, ...], seed: int, seeds: int, jobs: int) -> None:
    """Print published values, ours, their tolerance and whether they agree.

    ROWS are ids of the reference, all if none is named. Exit 1 if a checked row does not hold.
    """
    require_compiler()
    chosen = chosen_rows(rows)
    workers = ThisProcess() if jobs == 1 else Processes(jobs)
    held: dict[str, list[bool]] = {}
    if not output.is_json:
        click.echo(HEAD)
    with progress_bar(Console(stderr=True)) as report:
        for each in range(seed, seed + seeds):
            for done, verdict in enumerate(reproduced(chosen, each, workers)):
                report(f"Reproducing with seed {each}", done + 1, len(chosen))
                output.row({**verdict.record(), "seed": each}, human=as_line(verdict))
                if verdict.row.is_checked and verdict.passes is not None:
                    held.setdefault(verdict.row.id, []).append(verdict.passes)
    tried = sum(len(passes) for passes in held.values())
    output.note(f"{sum(map(sum, held.values()))} of {tried} checked rows hold.")
    failed = [name for name, passes in held.items() if sum(passes) < 0.9 * len(passes)]
    if seeds > 1:
        for name, passes in held.items():
            output.note(f"{name}: within its tolerance with {sum(passes)} of {len(passes)} seeds")
    if failed:
        raise UserError(f"Not reproduced: {', '.join(failed)}.", ExitCode.BUG)


def as_line(verdict: Verdict) -> str:
    """A row of the table, a line a figure."""
    words = {True: "holds", False: "DOES NOT HOLD", None: "—"}[verdict.passes]
    tolerance = verdict.row.tolerance.text if verdict.row.tolerance else "—"
    if not verdict.figures:
        return f"{verdict.row.id:7}{verdict.row.value[:40]}  ({verdict.why})"
    lines = []
    for place, figure in enumerate(verdict.figures):
        name = verdict.row.id if place == 0 else ""
        line = f"{name:7}{figure.published:>12.6g}{figure.ours:>13.6g}  {_interval(figure):36}"
        end = f"{tolerance:16}{figure.method:13}"
        lines.append(line + end + (words if place == 0 else ""))
    if verdict.why:
        lines.append(f"{'':7}{verdict.why}")
    return "\n".join(lines)


def _interval(figure: Figure) -> str:
    """The interval of ours; of a closed form what its simulation gives, or nothing."""
    if figure.method == "simulated":
        low, high = figure.interval
        return f"[{low:.6g}, {high:.6g}]"
    if figure.simulated is None:
        return "—"
    value, low, high = figure.simulated
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"
