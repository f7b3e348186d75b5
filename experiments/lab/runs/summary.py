"""The summary of a run: for each point and measure the mean over replicates with its interval.

Values of one replicate share the network's pools, so they are never taken as independent of each
other: a measure has one value a replicate, and the interval is over replicates (Student's t). A
share of independent trials is pooled over replicates instead and has Wilson's interval. A
deterministic experiment's figure has no chance in it: its interval is the figure itself.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.lab.intervals import Estimate, Interval, estimated, wilson_interval
from experiments.lab.outcome import Quality
from experiments.lab.runs.plan import Point
from experiments.lab.runs.task import KeptMeasure, Number, Result, numbers

DIGITS = 9
COLUMNS = (
    "measure",
    "unit",
    "quality",
    "mean",
    "sd",
    "ci95_low",
    "ci95_high",
    "replicates",
    "trials",
)
_WORST = (Quality.EXACT, Quality.SAMPLED, Quality.APPROXIMATE)


@dataclass(frozen=True, slots=True)
class Row:
    """One measure at one point. `replicates` counts those that had a value; `mean` is None if none
    had. `trials` is set for a pooled share: all of its trials."""

    point: Point
    measure: str
    unit: str
    quality: Quality
    mean: float | None
    sd: float | None
    interval: Interval | None
    replicates: int
    trials: int | None

    def record(self) -> dict[str, object]:
        """The row for machines: numbers as the CSV has them."""
        low, high = (None, None) if self.interval is None else _ends(self.interval)
        return {
            "point": self.point.index,
            "arm": self.point.arm,
            "parameters": dict(self.point.parameters),
            "measure": self.measure,
            "unit": self.unit,
            "quality": self.quality.value,
            "mean": short(self.mean),
            "sd": short(self.sd),
            "ci95_low": low,
            "ci95_high": high,
            "replicates": self.replicates,
            "trials": self.trials,
        }


def summarised(points: Sequence[Point], results: Iterable[Result]) -> list[Row]:
    """The rows of a run, by point and then by measure in the order of first appearance. `results`
    may come in any order."""
    found: dict[int, list[Result]] = {point.index: [] for point in points}
    for result in results:
        found[result.point].append(result)
    rows: list[Row] = []
    for point in points:
        here = sorted(found[point.index], key=lambda result: result.replicate)
        for name in dict.fromkeys(name for result in here for name in result.measures):
            kept = [result.measures[name] for result in here if name in result.measures]
            rows.append(_row(point, name, kept, is_random=here[0].is_random))
    return rows


def _row(point: Point, name: str, kept: Sequence[KeptMeasure], *, is_random: bool) -> Row:
    quality = max((measure.quality for measure in kept), key=_WORST.index)
    # A share of no trials is no value, whatever the experiment wrote there.
    valued = [one for one in kept if not math.isnan(float(one.value)) and one.trials != 0]
    values = numbers(measure.value for measure in valued)
    trials = None
    if not values:
        return Row(point, name, kept[0].unit, quality, None, None, None, 0, None)
    if not is_random:
        mean, sd, interval = values[0], None, _itself(values[0])
    elif all(measure.trials for measure in valued):
        trials = sum(measure.trials or 0 for measure in valued)
        mean, interval = _pooled(valued, trials)
        sd = estimated(values).sd
    else:
        estimate = _of_means(values)
        mean, sd, interval = estimate.mean, estimate.sd, estimate.interval
    return Row(point, name, kept[0].unit, quality, mean, sd, interval, len(values), trials)


def _itself(value: float) -> Interval | None:
    return Interval(value, value) if math.isfinite(value) else None


def _pooled(valued: Sequence[KeptMeasure], trials: int) -> tuple[float, Interval]:
    """All successes of all trials. A value that is k of n up to its kept digits is that k."""
    successes = 0.0
    for measure in valued:
        count = float(measure.value) * (measure.trials or 0)
        successes += round(count) if abs(count - round(count)) < 1e-6 else count
    successes = min(successes, float(trials))
    return successes / trials, wilson_interval(successes, trials)


def _of_means(values: Sequence[float]) -> Estimate:
    """An infinite value has no spread and no interval."""
    if all(math.isfinite(value) for value in values):
        return estimated(values)
    return Estimate(sum(values), None, None, len(values))


def short(value: float | None) -> float | None:
    """A number to nine significant digits; None for what is no number."""
    return float(f"{value:.{DIGITS}g}") if value is not None and math.isfinite(value) else None


def _ends(interval: Interval) -> tuple[float | None, float | None]:
    return short(interval.low), short(interval.high)


def number_text(value: Number | None) -> str:
    """A number as the CSV files have it: nine significant digits, nothing for what is missing."""
    if value is None or math.isnan(number := float(value)):
        return ""
    return f"{number + 0.0:.{DIGITS}g}"  # adding 0.0 turns -0.0 into 0.0


def cell_text(value: object) -> str:
    """A parameter's value in one cell."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return number_text(value)
        case list() | tuple():
            return " ".join(cell_text(one) for one in value)
        case _:
            return str(value)


def column_of(key: str) -> str:
    """The summary's column for a parameter: its key, unless a column of ours is called so."""
    return f"parameter_{key}" if key in (*COLUMNS, "point", "arm") else key


def summary_csv(rows: Sequence[Row]) -> bytes:
    """`summary.csv`: the point, the arm, every parameter, then COLUMNS."""
    keys = list(dict.fromkeys(key for row in rows for key in row.point.parameters))
    table = [["point", "arm", *(column_of(key) for key in keys), *COLUMNS]]
    for row in rows:
        parameters = row.point.parameters
        low, high = (row.interval.low, row.interval.high) if row.interval else (None, None)
        numbers_here = [number_text(number) for number in (row.mean, row.sd, low, high)]
        table.append(
            [
                str(row.point.index),
                row.point.arm,
                *(cell_text(parameters[key]) if key in parameters else "" for key in keys),
                row.measure,
                row.unit,
                row.quality.value,
                *numbers_here,
                str(row.replicates),
                "" if row.trials is None else str(row.trials),
            ]
        )
    return csv_bytes(table)


def targets_csv(results: Sequence[Result]) -> bytes:
    """`targets.csv`: every target of every replicate, by point and replicate."""
    ordered = sorted(results, key=lambda result: (result.point, result.replicate))
    names = list(dict.fromkeys(name for result in ordered for name in result.targets))
    table = [["point", "replicate", *names]]
    for result in ordered:
        if not result.targets:
            continue
        length = len(next(iter(result.targets.values())))
        columns = [
            [number_text(value) for value in result.targets.get(name, [])] or [""] * length
            for name in names
        ]
        start = [str(result.point), str(result.replicate)]
        table.extend([*start, *cells] for cells in zip(*columns, strict=True))
    return csv_bytes(table)


def csv_bytes(table: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue().encode()
