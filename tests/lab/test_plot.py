"""Figures: each with its CSV, the same bytes from it, and nothing joined that differs."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.lab.drawing import Kind, drawing_csv, read_drawing
from experiments.lab.formula_line import APPROXIMATE, formula_quality, formulas
from experiments.lab.outcome import Quality
from experiments.lab.plot import legend_text, plot_csv, plot_run
from experiments.lab.plot_data import drawings_of, words_of
from experiments.lab.runs.engine import ThisProcess, run_sweep
from experiments.lab.runs.run_directory import RunDirectory
from experiments.lab.runs.sweep import sweep_of
from hushmill.errors import UserError
from pki import single_mix_entropy_limit_bits
from tests.lab.experiments_here import KNOWN

LOOK = {"x": "mean_delay_seconds", "y": ["wait_seconds", "guess_bits"], "title": "Waiting <$5>"}


def run_in(folder: Path, **table: Any) -> RunDirectory:
    asked = {
        "experiment": "coin",
        "replicates": 3,
        "grid": {"mean_delay_seconds": [0.5, 0.1], "throws": [5, 50]},
        "figure": LOOK,
    } | table
    run_sweep(sweep_of(asked), lambda _plan: folder, ThisProcess(), lambda *_: None, KNOWN)
    return RunDirectory.opened(folder)


def test_a_figure_is_drawn_again_from_its_csv_alone_to_the_byte(tmp_path: Path) -> None:
    paths = plot_run(run_in(tmp_path / "run"))
    assert [path.name for path in paths] == ["figure.csv", "figure.svg", "figure.pdf"]
    copy = tmp_path / "elsewhere" / "figure.csv"
    copy.parent.mkdir()
    shutil.copy(paths[0], copy)
    shutil.rmtree(tmp_path / "run" / "tasks")
    for path in plot_csv(copy):
        assert path.read_bytes() == paths[0].with_suffix(path.suffix).read_bytes()
    svg, pdf = paths[1].read_bytes(), paths[2].read_bytes()
    assert b"<dc:date>" not in svg
    assert b"CreationDate" not in pdf
    moved = copy.read_text().replace("0.5,", "0.6,", 1)
    copy.write_text(moved)
    assert plot_csv(copy)[0].read_bytes() != svg


def test_the_csv_has_the_summarys_figures_and_says_what_is_not_exact(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    (drawing,) = drawings_of(run).values()
    rows = {
        (row.point.parameters["mean_delay_seconds"], row.point.parameters["throws"]): row
        for row in run.rows()
        if row.measure == "wait_seconds"
    }
    first = [mark for mark in drawing.marks if mark.panel == 0]
    assert [(mark.series, mark.x) for mark in first] == [
        (f"throws {throws}", x) for throws in (5, 50) for x in ("0.1", "0.5")
    ]
    for mark in first:
        row = rows[float(mark.x), int(mark.series.removeprefix("throws "))]
        assert row.interval is not None
        assert (mark.y, mark.low, mark.high) == (row.mean, row.interval.low, row.interval.high)
        assert mark.quality is Quality.SAMPLED
    assert {mark.quality for mark in drawing.marks if mark.panel == 1} == {Quality.APPROXIMATE}
    assert drawing.labels.x_label == "mean delay (s)"
    assert drawing.labels.y_labels == ("wait (s)", "guess (bits)")
    assert legend_text("throws 5", Quality.APPROXIMATE) == "throws 5 (approximate)"
    assert legend_text("throws 5", Quality.EXACT) == "throws 5"
    read = read_drawing(drawing_csv(drawing), "figure.csv")
    assert read.labels == drawing.labels
    assert [mark.series for mark in read.marks] == [mark.series for mark in drawing.marks]


def test_points_that_differ_are_never_one_series(tmp_path: Path) -> None:
    run = run_in(
        tmp_path,
        arms=[{"name": "fair", "head_probability": 0.5}, {"name": "biased"}],
        figure={"x": "mean_delay_seconds", "y": ["entropy_bits", "guess_bits"]},
    )
    (drawing,) = drawings_of(run).values()
    assert dict.fromkeys(mark.series for mark in drawing.marks) == dict.fromkeys(
        f"{measure}, {arm}, throws {throws}"
        for arm in ("fair", "biased")
        for throws in (5, 50)
        for measure in ("entropy", "guess")
    )
    assert drawing.labels.y_labels == ("bits",)


def test_names_on_the_axis_keep_their_order(tmp_path: Path) -> None:
    run = run_in(
        tmp_path,
        grid={},
        arms=[{"name": "_slow$", "mean_delay_seconds": 2}, {"name": "as given ☂"}],
        figure={"x": "arm", "y": "wait_seconds", "log_y": True},
    )
    (drawing,) = drawings_of(run).values()
    assert [mark.x for mark in drawing.marks] == ["_slow$", "as given ☂"]
    assert drawing.labels.x_is == "names"
    assert len(plot_run(run)) == 3


def test_without_a_figure_each_measure_has_one(tmp_path: Path) -> None:
    run = run_in(tmp_path, figure=[], grid={})
    drawings = drawings_of(run)
    assert list(drawings) == ["head_share", "wait_seconds", "entropy_bits", "guess_bits"]
    assert [mark.x for mark in drawings["wait_seconds"].marks] == ["coin"]


def test_columns_of_targets_are_means_over_replicates(tmp_path: Path) -> None:
    run = run_in(tmp_path, grid={}, figure={"of": "targets", "x": "throw", "y": "wait_seconds"})
    (drawing,) = drawings_of(run).values()
    columns = [result.targets["wait_seconds"] for result in run.results()]
    for place, mark in enumerate(drawing.marks):
        values = [float(column[place]) for column in columns]
        assert mark.y == pytest.approx(sum(values) / 3)
        assert mark.low is not None
        assert mark.low < mark.y
    assert [mark.x for mark in drawing.marks] == ["0", "1", "2"]
    assert drawing.labels.y_labels == ("wait (s)",)


def test_a_closed_form_is_drawn_over_the_points(tmp_path: Path) -> None:
    run = run_in(
        tmp_path,
        experiment="network",
        grid={"mean_delay_seconds": [0.5, 1.0], "width": [1, 4], "layers": [1]},
        figure={
            "x": "mean_delay_seconds",
            "y": "held",
            "closed_form": "single_mix_entropy_limit_bits",
        },
    )
    (drawing,) = drawings_of(run).values()
    lines = [mark for mark in drawing.marks if mark.kind is Kind.CLOSED_FORM]
    assert {mark.series for mark in lines} == {
        "width 1: single_mix_entropy_limit_bits",
        "width 4: single_mix_entropy_limit_bits",
    }
    assert len(lines) > 100
    assert {mark.quality for mark in lines} == {Quality.APPROXIMATE}
    for mark in lines:
        width = int(mark.series[6])
        expected = single_mix_entropy_limit_bits(100 * float(mark.x) / width)
        assert mark.y == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("look", "text"),
    [
        ({"y": "wait_second"}, "figure.y: this run has no measure wait_second; did you mean wait"),
        ({"x": "delay", "y": "wait_seconds"}, "figure.x: the experiment has no key delay"),
        ({"series": "side", "y": "wait_seconds"}, "figure.series: the experiment has no key side"),
        (
            {"y": "wait_seconds", "closed_form": "open_signed"},
            "figure.closed_form: there is no open_signed",
        ),
        (
            {"y": "wait_seconds", "closed_form": "layered_entropy_bits"},
            "figure.closed_form: layered_entropy_bits needs rate_per_second",
        ),
        ({"of": "targets", "x": "throw"}, "needs x and y"),
        ({"of": "targets", "x": "throw", "y": "waits"}, "no column of targets waits"),
    ],
)
def test_a_wrong_figure_is_named(tmp_path: Path, look: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=re.escape(text)):
        drawings_of(run_in(tmp_path, figure=look, replicates=1))


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("# {", "{{", "is no figure's CSV"),
        ("measured", "guessed", "line 3: 'guessed'"),
        ("0,throws", "7,throws", "line 3: there is no panel 7"),
        (",0.1,", ",slow,", "line 3: could not convert"),
    ],
)
def test_a_damaged_csv_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, text: str
) -> None:
    (drawing,) = drawings_of(run_in(tmp_path, replicates=1)).values()
    csv = drawing_csv(drawing).decode()
    with pytest.raises(UserError, match=text):
        read_drawing(csv.replace(before, after, 1).encode(), "figure.csv")


def test_keys_are_shown_as_words_with_their_unit() -> None:
    assert words_of("mean_delay_seconds") == "mean delay (s)"
    assert words_of("rate_per_second") == "rate (/s)"
    assert words_of("head_share") == "head share"
    assert words_of("layers") == "layers"


def test_every_formula_that_is_called_approximate_is_there() -> None:
    assert set(formulas()) >= APPROXIMATE
    assert formula_quality("path_compromise_probability") is Quality.EXACT
