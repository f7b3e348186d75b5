"""`hushmill bench node --sweep`: what a node does as the load rises, up to twice what breaks it.

    node_SUITE_CORES_load.csv      how much of what is offered comes through in time, and is lost
    node_SUITE_CORES_latency.csv   added latency, p50 and p99

Each is a figure's CSV (`lab/drawing.py`), with its SVG and PDF drawn from it and from nothing else:
`hushmill lab plot FILE.csv` draws them again.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from experiments.bench_node_search import Bench
from experiments.bench_node_trial import LATE_SECONDS, Outcome
from experiments.lab.drawing import Drawing, Kind, Labels, Mark, drawing_csv
from experiments.lab.outcome import Quality
from experiments.lab.plot import plot_csv
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import atomic_write

STEPS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)  # of the breaking load
MODE = 0o644


def require_plots() -> None:
    """Raises UserError(CONFIGURATION) without matplotlib, before anything is measured."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError(
            "--sweep draws, which needs the extra `lab` (matplotlib). In a checkout: make lab. "
            "Elsewhere: pip install 'hushmill[lab]'.",
            ExitCode.CONFIGURATION,
        )


def sweep(bench: Bench, breaking_per_second: float) -> list[Outcome]:
    """The outcome at each step, in their order."""
    return [bench.trial(step * breaking_per_second) for step in STEPS]


def write_sweep(folder: Path, name: str, title: str, outcomes: Sequence[Outcome]) -> None:
    """Writes and draws both figures in `folder`, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    write_figure(folder / f"{name}_load.csv", load_drawing(title, outcomes))
    write_figure(folder / f"{name}_latency.csv", latency_drawing(title, outcomes))


def write_figure(path: Path, drawing: Drawing) -> list[Path]:
    """Writes the CSV at `path`, draws it beside it, and gives the paths of SVG and PDF."""
    atomic_write(path, drawing_csv(drawing), MODE)
    return plot_csv(path)


def load_drawing(title: str, outcomes: Sequence[Outcome]) -> Drawing:
    """Packets a second that came in time, and the shares that were late and lost."""
    labels = Labels(
        title=title,
        x_label="offered (packets/s)",
        y_labels=("relayed in time (packets/s)", "share of packets"),
        x_is="numbers",
        log_x=False,
        log_y=False,
    )
    late = f"later than {LATE_SECONDS * 1000:g} ms"
    marks = [
        mark
        for outcome in outcomes
        for mark in (
            _mark(0, "", outcome, outcome.offered_per_second * (1 - outcome.failed)),
            _mark(1, "lost", outcome, outcome.loss),
            _mark(1, late, outcome, outcome.late / outcome.sent),
        )
    ]
    return Drawing(labels, tuple(marks))


def latency_drawing(title: str, outcomes: Sequence[Outcome]) -> Drawing:
    """How much later than its delay a packet left."""
    labels = Labels(
        title=title,
        x_label="offered (packets/s)",
        y_labels=("added latency (ms)",),
        x_is="numbers",
        log_x=False,
        log_y=True,
    )
    marks = [
        _mark(0, f"p{percent}", outcome, outcome.added(percent))
        for outcome in outcomes
        if outcome.received
        for percent in (50, 99)
    ]
    return Drawing(labels, tuple(marks))


def _mark(panel: int, series: str, outcome: Outcome, value: float) -> Mark:
    """Measured once, by counting all packets of a trial."""
    offered = f"{outcome.offered_per_second:.9g}"
    return Mark(panel, series, Kind.MEASURED, Quality.EXACT, offered, value, None, None)
