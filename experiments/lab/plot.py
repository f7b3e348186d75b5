"""Figures: a drawing as SVG and PDF, the same bytes from the same CSV.

matplotlib is imported when a figure is drawn. Its state, a person's own settings and the clock stay
out: fixed salt for SVG's ids, no dates, its own fonts as outlines, no window system.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.lab.drawing import Drawing, Kind, Mark, drawing_csv, read_drawing
from experiments.lab.outcome import Quality
from experiments.lab.plot_data import drawings_of
from experiments.lab.runs.run_directory import MODE, RunDirectory
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by people who see fewer; then shapes and dashes repeat them.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
SHAPES = ("o", "s", "^", "D", "v", "P", "X")
SETTINGS = {
    "svg.hashsalt": "hushmill",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "figure.dpi": 72,  # what both formats are laid out at
    "axes.formatter.useoffset": False,
}
WIDTH_INCHES, PANEL_INCHES, LEGEND_INCHES = 6.4, 3.4, 2.4
CROWDED = 40  # values of one series beyond which bars become a band
FEW_PLACES = 8  # on a log axis, each with its own tick
INSIDE_ENTRIES = 5  # a longer legend stands beside the axes
DODGE = 0.12  # between series at one name, in the distance between names


@dataclass(frozen=True, slots=True)
class Drawn:
    svg: bytes
    pdf: bytes


def plot_run(run: RunDirectory) -> list[Path]:
    """Writes `figures/NAME.csv`, `.svg` and `.pdf` for each figure of a run and gives their paths.

    Raises UserError: USAGE as `drawings_of` does, CONFIGURATION without matplotlib.
    """
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    paths: list[Path] = []
    for name, drawing in drawings_of(run).items():
        path = folder / f"{name}.csv"
        atomic_write(path, drawing_csv(drawing), MODE)
        paths += [path, *plot_csv(path)]
    return paths


def plot_csv(path: Path) -> list[Path]:
    """Draws the figure of a CSV file beside it, and gives the paths of its SVG and PDF."""
    drawn = draw(read_drawing(path.read_bytes(), str(path)))
    svg, pdf = path.with_suffix(".svg"), path.with_suffix(".pdf")
    atomic_write(svg, drawn.svg, MODE)
    atomic_write(pdf, drawn.pdf, MODE)
    return [svg, pdf]


def draw(drawing: Drawing) -> Drawn:
    """The drawing as SVG and PDF. Raises UserError(CONFIGURATION) without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise UserError(
            "Figures need the extra `lab` (matplotlib). In a checkout: make lab. Elsewhere: "
            "pip install 'hushmill[lab]'.",
            ExitCode.CONFIGURATION,
        ) from error
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A name in a script that the font has not is drawn as boxes, and its CSV has it whole.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        figure = _figure(drawing)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, for both formats
        svg, pdf = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "hushmill lab"})
        nothing = {"CreationDate": None, "Creator": "hushmill lab", "Producer": "matplotlib"}
        figure.savefig(pdf, format="pdf", metadata=nothing)
    return Drawn(svg.getvalue(), pdf.getvalue())


def _figure(drawing: Drawing) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels = drawing.labels
    series = list(dict.fromkeys(mark.series for mark in drawing.marks))
    is_beside = len(series) > INSIDE_ENTRIES
    panels = len(labels.y_labels)
    figure = Figure(
        figsize=(WIDTH_INCHES + (LEGEND_INCHES if is_beside else 0), PANEL_INCHES * panels),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    for place, axes in enumerate(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]):
        _draw_panel(axes, drawing, place)
        axes.set_ylabel(_plain(labels.y_labels[place]))
        _place_legend(axes, is_beside=is_beside)
    axes.set_xlabel(_plain(labels.x_label))
    if labels.title:
        figure.suptitle(_plain(labels.title), fontsize=10.5)
    return figure


def _draw_panel(axes: "Axes", drawing: Drawing, panel: int) -> None:
    labels = drawing.labels
    names = list(dict.fromkeys(mark.x for mark in drawing.marks))
    marks = [mark for mark in drawing.marks if mark.panel == panel]
    measured = _by_series([mark for mark in marks if mark.kind is Kind.MEASURED])
    formulas = _by_series([mark for mark in marks if mark.kind is Kind.CLOSED_FORM])
    for place, (series, members) in enumerate(measured.items()):
        shift = (place - (len(measured) - 1) / 2) * DODGE if labels.x_is == "names" else 0.0
        places = [_place(mark, names, labels.x_is) + shift for mark in members]
        _draw_series(axes, series, members, places, place, is_joined=labels.x_is == "numbers")
    for place, (series, members) in enumerate(formulas.items()):
        places = [_place(mark, names, labels.x_is) for mark in members]
        dash = (4.0, 1.5 + place)
        color = "#444444" if len(formulas) == 1 else COLORS[place % len(COLORS)]
        ys, quality = [mark.y for mark in members], members[0].quality
        text = legend_text(f"{series}, closed form", quality)
        axes.plot(places, ys, color=color, lw=1, dashes=dash, label=_plain(text))
    if labels.x_is == "names":
        axes.set_xticks(range(len(names)), [_plain(name) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.grid(visible=False, axis="x")
    else:
        apart = {float(mark.x) for members in measured.values() for mark in members}
        _scale_numbers(axes, sorted(apart), is_log=labels.log_x)
    if labels.log_y:
        axes.set_yscale("log")


def _scale_numbers(axes: "Axes", places: Sequence[float], *, is_log: bool) -> None:
    """A log axis of few values shows these instead of powers of ten, and one of whole numbers no
    fractions."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    if is_log:
        axes.set_xscale("log")
        if 1 < len(places) <= FEW_PLACES:
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticks(places, [f"{place:g}" for place in places])
    elif all(place.is_integer() for place in places):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_series(
    axes: "Axes",
    series: str,
    marks: Sequence[Mark],
    places: Sequence[float],
    order: int,
    *,
    is_joined: bool,
) -> None:
    color, ys = COLORS[order % len(COLORS)], [mark.y for mark in marks]
    label = _plain(legend_text(series, marks[0].quality))
    lows = [mark.y if mark.low is None else mark.low for mark in marks]
    highs = [mark.y if mark.high is None else mark.high for mark in marks]
    if len(marks) > CROWDED:
        axes.fill_between(places, lows, highs, color=color, alpha=0.25, lw=0)
        axes.plot(places, ys, color=color, lw=1.2, label=label)
        return
    below = [max(0.0, y - low) for y, low in zip(ys, lows, strict=True)]
    above = [max(0.0, high - y) for y, high in zip(ys, highs, strict=True)]
    axes.errorbar(
        places,
        ys,
        yerr=[below, above],
        color=color,
        marker=SHAPES[order % len(SHAPES)],
        markersize=4.5,
        # Joined marks are measured too, but between them nothing is: a thin line.
        linestyle="-" if is_joined else "none",
        linewidth=0.8,
        elinewidth=1.1,
        capsize=2.5,
        # What is not exact looks open as well as being called so.
        markerfacecolor=color if marks[0].quality is Quality.EXACT else "white",
        label=label,
    )


def legend_text(series: str, quality: Quality) -> str:
    """The series, and how its figures were come by unless they are exact."""
    if quality is Quality.EXACT:
        return series
    return f"{series} ({quality.value})" if series else quality.value


def _place_legend(axes: "Axes", *, is_beside: bool) -> None:
    handles, labels = axes.get_legend_handles_labels()
    shown = [(one, text) for one, text in zip(handles, labels, strict=True) if text]
    if not shown:
        return
    handles, texts = [one for one, _ in shown], [text for _, text in shown]
    if is_beside:
        axes.legend(handles, texts, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
    else:
        axes.legend(handles, texts, loc="best", fontsize=8)


def _by_series(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    for mark in marks:
        found.setdefault(mark.series, []).append(mark)
    return found


def _place(mark: Mark, names: Sequence[str], x_is: str) -> float:
    return float(names.index(mark.x)) if x_is == "names" else float(mark.x)


def _plain(text: str) -> str:
    """Text that matplotlib shows as it stands: dollars would begin a formula, and a label that
    begins with an underscore would be left out."""
    return (" " + text if text.startswith("_") else text).replace("$", r"\$")
