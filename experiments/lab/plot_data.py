"""From a run to the drawings that it asks for: which measures stand over what, series by series.

Keys that vary and stand neither on the x axis nor in `series` still set series apart: points that
differ are never joined by one line without a word. Spec: docs/laboratory.md (Figures).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from experiments.lab.drawing import Drawing, Kind, Labels, Mark
from experiments.lab.formula_line import formula_line, formula_quality
from experiments.lab.intervals import estimated
from experiments.lab.keys import UNITS, meant, shown, unit_of
from experiments.lab.outcome import Quality
from experiments.lab.runs.plan import ARM, Point
from experiments.lab.runs.run_directory import RunDirectory
from experiments.lab.runs.summary import cell_text
from experiments.lab.runs.sweep import Look
from experiments.lab.runs.task import Result
from hushmill.errors import ExitCode, UserError

_WORST = (Quality.EXACT, Quality.SAMPLED, Quality.APPROXIMATE)


@dataclass(frozen=True, slots=True)
class _Value:
    """One value with its interval, before it has a place in a figure."""

    point: Point
    measure: str
    unit: str
    quality: Quality
    x: str
    y: float
    low: float | None
    high: float | None


def drawings_of(run: RunDirectory) -> dict[str, Drawing]:
    """A drawing by name for each figure that the sweep asks for, or, where it asks for none, one
    for each measure. Raises UserError(USAGE) that names the figure's wrong key."""
    looks = run.plan.sweep.looks or tuple(
        Look(name=name) for name in dict.fromkeys(row.measure for row in run.rows())
    )
    found: dict[str, Drawing] = {}
    for look in looks:
        if look.name in found:
            raise UserError(f"figure.name: two figures are called {look.name}.", ExitCode.USAGE)
        is_default = not run.plan.sweep.looks
        found[look.name] = _drawing(run, look, (look.name,) if is_default else look.measures)
    return found


def words_of(name: str) -> str:
    """A key or measure as an axis shows it: `mean_delay_seconds` is `mean delay (s)`."""
    unit = unit_of(name)
    ending = next((end for end, of in UNITS.items() if of == unit and name.endswith(end)), "")
    if not unit or unit in ("share", "probability"):
        return name.replace("_", " ")
    return f"{name.removesuffix(ending).replace('_', ' ')} ({unit})"


def _without_unit(name: str) -> str:
    """The same without its unit, where the axis has it already."""
    return words_of(name).removesuffix(f" ({unit_of(name)})")


def _drawing(run: RunDirectory, look: Look, measures: Sequence[str]) -> Drawing:
    x = _x_of(run, look) if look.of == "measures" else look.x
    values = list(
        _measured(run, look, measures, x) if look.of == "measures" else _targets(run, look)
    )
    if not values:
        text = f"figure.y: none of {', '.join(measures)} has a value in this run."
        raise UserError(text, ExitCode.USAGE)
    units = list(dict.fromkeys(value.unit for value in values))
    is_named = not all(_is_number(value.x) for value in values)
    marks: list[Mark] = []
    groups = _by_series(values, _keys_apart(run, look, x), x)
    for (unit, series), members in groups.items():
        worst = max((member.quality for member in members), key=_WORST.index)
        ordered = members if is_named else sorted(members, key=lambda member: float(member.x))
        for one in ordered:
            place = units.index(unit), series, Kind.MEASURED, worst, one.x
            marks.append(Mark(*place, one.y, one.low, one.high))
    if look.closed_form:
        marks += _formula_marks(look, x, groups, is_named=is_named)
    labels = Labels(
        title=look.title,
        x_label=look.x_label or words_of(x),
        y_labels=_y_labels(look, values, units),
        x_is="names" if is_named else "numbers",
        log_x=look.log_x,
        log_y=look.log_y,
    )
    return Drawing(labels, tuple(marks))


def _x_of(run: RunDirectory, look: Look) -> str:
    """The key on the x axis: as asked for, or the first of the grid, or the arms."""
    sweep = run.plan.sweep
    if look.x:
        return look.x
    varied = [key for key, values in sweep.grid.items() if len(values) > 1]
    return next(iter(varied), ARM if sweep.arms else "")


def _require(name: str, where: str, known: Mapping[str, object], what: str) -> None:
    if name not in known:
        near = meant(name, known) or "."
        text = f"{where}: this run has no {what} {name}{near} It has: {', '.join(known)}."
        raise UserError(text, ExitCode.USAGE)


def _measured(run: RunDirectory, look: Look, measures: Sequence[str], x: str) -> Iterator[_Value]:
    rows = run.rows()
    known = dict.fromkeys(row.measure for row in rows)
    for name in measures:
        _require(name, "figure.y", known, "measure")
    for row in rows:
        if row.measure not in (measures or known) or row.mean is None:
            continue
        if not math.isfinite(row.mean):
            continue
        low, high = (row.interval.low, row.interval.high) if row.interval else (None, None)
        place = _x_text(row.point, x, run.plan.sweep.experiment)
        yield _Value(row.point, row.measure, row.unit, row.quality, place, row.mean, low, high)


def _x_text(point: Point, x: str, experiment: str) -> str:
    if x == ARM:
        return point.arm
    return cell_text(point.parameters[x]) if x else experiment


def _targets(run: RunDirectory, look: Look) -> Iterator[_Value]:
    """Columns of the targets: at each x of each point the mean over replicates of each one's mean,
    so that targets of one replicate are never taken as independent."""
    found: dict[tuple[int, str, float], dict[int, list[float]]] = {}
    for result in run.results():
        for name in (look.x, *look.measures):
            if not result.targets:
                continue
            _require(name, "figure.x or figure.y", result.targets, "column of targets")
        for name in look.measures:
            for x, y in _pairs(result, look.x, name):
                by_replicate = found.setdefault((result.point, name, x), {})
                by_replicate.setdefault(result.replicate, []).append(y)
    for (point, name, x), by_replicate in found.items():
        means = [math.fsum(ys) / len(ys) for ys in by_replicate.values()]
        estimate = estimated(means)
        low, high = (
            (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
        )
        yield _Value(
            run.plan.points[point],
            name,
            unit_of(name),
            Quality.SAMPLED,
            cell_text(x),
            estimate.mean,
            low,
            high,
        )


def _pairs(result: Result, x: str, y: str) -> Iterator[tuple[float, float]]:
    columns = result.targets
    for one, other in zip(columns.get(x, []), columns.get(y, []), strict=True):
        if math.isfinite(float(one)) and math.isfinite(float(other)):
            yield float(one), float(other)


def _by_series(
    values: Sequence[_Value], keys: Sequence[str], x: str
) -> dict[tuple[str, str], list[_Value]]:
    """Values by their unit and by the words that set them apart: the measure where a panel has
    more than one, the arm, and `keys`."""
    by_unit: dict[str, set[str]] = {}
    for value in values:
        by_unit.setdefault(value.unit, set()).add(value.measure)
    found: dict[tuple[str, str], list[_Value]] = {}
    for value in values:
        words = [_without_unit(value.measure)] if len(by_unit[value.unit]) > 1 else []
        if value.point.arm and x != ARM:
            words.append(value.point.arm)
        for key in keys:
            words.append(f"{key.replace('_', ' ')} {shown(value.point.parameters[key])}")
        found.setdefault((value.unit, ", ".join(words)), []).append(value)
    return found


def _keys_apart(run: RunDirectory, look: Look, x: str) -> list[str]:
    """The keys that a series names: those asked for, and whatever else the grid varies."""
    varied = [key for key, values in run.plan.sweep.grid.items() if len(values) > 1]
    return [key for key in dict.fromkeys((*look.series_keys, *varied)) if key not in (x, ARM)]


def _y_labels(look: Look, values: Sequence[_Value], units: Sequence[str]) -> tuple[str, ...]:
    labels = []
    for unit in units:
        names = list(dict.fromkeys(value.measure for value in values if value.unit == unit))
        if len(names) == 1:
            own = words_of(names[0])
            labels.append(own if not unit or f"({unit})" in own else f"{own} ({unit})")
        else:
            labels.append(unit)
    return (look.y_label, *labels[1:]) if look.y_label else tuple(labels)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _formula_marks(
    look: Look, x: str, groups: Mapping[tuple[str, str], Sequence[_Value]], *, is_named: bool
) -> Iterator[Mark]:
    """The formula over the x axis of the first panel: a line for each series whose parameters give
    another one."""
    first = next(iter(groups))[0]
    lines: dict[tuple[tuple[str, float], ...], str] = {}
    for (unit, series), members in groups.items():
        if unit != first:
            continue
        if x == ARM:
            line = [mark for member in members for mark in _formula_at(look.closed_form, member)]
        else:
            line = formula_line(
                look.closed_form,
                x,
                members[0].point.parameters,
                [member.point.parameters.get(x, member.x) for member in members],
                is_dense=not is_named,
                is_log=look.log_x,
            )
        lines.setdefault(tuple(line), series)
    quality = formula_quality(look.closed_form)
    for marks, series in lines.items():
        name = f"{series}: {look.closed_form}" if series and len(lines) > 1 else look.closed_form
        for place, y in marks:
            yield Mark(0, name, Kind.CLOSED_FORM, quality, place, y, None, None)


def _formula_at(name: str, value: _Value) -> list[tuple[str, float]]:
    """The formula at one arm, whose parameters are its own."""
    parameters = value.point.parameters
    return formula_line(name, ARM, parameters, [value.x], is_dense=False, is_log=False)
