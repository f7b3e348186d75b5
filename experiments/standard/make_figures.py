"""`python -m experiments.standard.make_figures`: makes every committed figure again from its sweep.

For each figure a CSV and its SVG, and `profiles.csv`. The same code and libraries give the same
bytes, with any number of jobs. Without names it makes all and removes none.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from experiments.lab.compiled import require_compiler
from experiments.lab.drawing import drawing_csv, read_drawing
from experiments.lab.plot import draw
from experiments.lab.plot_data import drawings_of
from experiments.lab.progress_bar import progress_bar
from experiments.lab.runs.engine import Report, ThisProcess, Workers, run_sweep
from experiments.lab.runs.processes import Processes
from experiments.lab.runs.run_directory import MODE
from experiments.lab.runs.sweep import Sweep
from experiments.standard.profiles import profiles_csv
from experiments.standard.sweeps import standard_names, standard_sweep
from hushmill.runtime import HushmillCommand, Output, atomic_write, pass_output

FIGURES = Path(__file__).resolve().parents[1] / "figures"
PROFILES = "profiles"


def figure_csvs(sweep: Sweep, workers: Workers, report: Report) -> dict[str, bytes]:
    """The CSV of each figure that `sweep` asks for, by the figure's name, from a run that is not
    kept."""
    with tempfile.TemporaryDirectory() as folder:
        run, _rows = run_sweep(sweep, lambda _plan: Path(folder) / "run", workers, report)
        return {name: drawing_csv(drawing) for name, drawing in drawings_of(run).items()}


def make(names: Sequence[str], folder: Path, workers: Workers, report: Report) -> list[Path]:
    """Writes `FIGURE.csv` and `FIGURE.svg` for the sweeps `names`, or `profiles.csv`, and gives the
    paths. Raises UserError(NOT_FOUND) for a name that there is not."""
    sweeps = {name: standard_sweep(name) for name in names if name != PROFILES}
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for sweep in sweeps.values():
        for figure, csv in figure_csvs(sweep, workers, report).items():
            path = folder / f"{figure}.csv"
            atomic_write(path, csv, MODE)
            atomic_write(path.with_suffix(".svg"), draw(read_drawing(csv, path.name)).svg, MODE)
            paths += [path, path.with_suffix(".svg")]
    if PROFILES in names:
        paths.append(folder / f"{PROFILES}.csv")
        atomic_write(paths[-1], profiles_csv(), MODE)
    return paths


@click.command(cls=HushmillCommand)
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), default=FIGURES, help="Where to write.")
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, show_default=True)
@pass_output
def make_figures(output: Output, names: tuple[str, ...], out: Path, jobs: int) -> None:
    """Make the figures of the standard sweeps NAMES again, or of all."""
    require_compiler()
    workers = Processes(jobs) if jobs > 1 else ThisProcess()
    with progress_bar(Console(stderr=True)) as report:
        paths = make(names or (*standard_names(), PROFILES), out, workers, report)
    files = [str(path) for path in paths]
    output.result({"files": files}, human="\n".join(files))


if __name__ == "__main__":
    make_figures()
