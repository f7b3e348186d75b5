"""What two runs, or the arms of one, differ in: measure by measure, with a 95 % interval.

Replicates of one seed share their random numbers, so two runs of one seed are compared replicate
by replicate: right whether that makes them alike or not. Runs of different seeds are independent,
and Welch's interval is used. Spec: docs/laboratory.md (Compare).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from experiments.lab.intervals import Estimate, Interval, paired_difference, welch_difference
from experiments.lab.outcome import Quality
from experiments.lab.runs.plan import Point
from experiments.lab.runs.run_directory import RunDirectory
from experiments.lab.runs.summary import Row, short
from experiments.lab.runs.task import Result
from hushmill.errors import ExitCode, UserError

QUALITIES = (Quality.EXACT, Quality.SAMPLED, Quality.APPROXIMATE)  # the worse one last


class Method(StrEnum):
    """How an interval was come by."""

    PAIRED = "paired"  # Student's, over differences of replicates that share their numbers
    WELCH = "welch"  # of independent replicates
    FIXED = "fixed"  # no chance on either side: the difference itself
    NONE = "none"  # too few replicates to say


@dataclass(frozen=True, slots=True)
class Difference:
    """`difference` is the second's mean less the first's; `interval` is None where `method` is
    NONE. `replicates` are the pairs, or the smaller side's."""

    place: str
    measure: str
    unit: str
    quality: Quality
    first: float
    second: float
    difference: float
    interval: Interval | None
    method: Method
    replicates: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    def record(self) -> dict[str, object]:
        interval = self.interval
        return {
            "point": self.place,
            "measure": self.measure,
            "unit": self.unit,
            "quality": self.quality.value,
            "first": short(self.first),
            "second": short(self.second),
            "difference": short(self.difference),
            "ci95_low": None if interval is None else short(interval.low),
            "ci95_high": None if interval is None else short(interval.high),
            "method": self.method.value,
            "replicates": self.replicates,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences at points that both sides have; `unmatched` counts points that one lacks."""

    differences: tuple[Difference, ...]
    unmatched: int


@dataclass(frozen=True, slots=True)
class _Side:
    """One side at one point: every measure's value by replicate, and its unit and quality."""

    seed: int
    is_random: bool
    values: Mapping[str, Mapping[int, float]]
    rows: Mapping[str, Row]


def compare_runs(first: RunDirectory, second: RunDirectory) -> Comparison:
    """Every point of `first` against that of `second` with the same arm and grid values; parameters
    that are fixed within each run may differ.

    Raises UserError(USAGE) if the grids have different keys, or no point is in both.
    """
    keys = [set(run.plan.sweep.grid) for run in (first, second)]
    if keys[0] != keys[1]:
        only = ", ".join(sorted(keys[0] ^ keys[1]))
        raise UserError(
            f"The two runs have different grids (only one varies: {only}), so their points cannot "
            "be matched.",
            ExitCode.USAGE,
        )
    shared = sorted(keys[0])
    theirs = {_key(point, shared): point for point in second.plan.points}
    ours = {_key(point, shared): point for point in first.plan.points}
    pairs = [(point, theirs[key]) for key, point in ours.items() if key in theirs]
    if not pairs:
        raise UserError("The two runs have no point in common.", ExitCode.USAGE)
    first_sides, second_sides = _sides(first), _sides(second)
    found: list[Difference] = []
    for point, other in pairs:
        place = _place(point, first.plan.sweep.grid)
        found += _differences(place, first_sides[point.index], second_sides[other.index])
    return Comparison(tuple(found), len(ours) + len(theirs) - 2 * len(pairs))


def compare_arms(run: RunDirectory) -> Comparison:
    """Every other arm of a run against its first, at the same grid values.

    Raises UserError(USAGE) if it has fewer than two arms.
    """
    arms = [str(arm["name"]) for arm in run.plan.sweep.arms]
    if len(arms) < 2:
        raise UserError(
            "This run has no arms to compare. Give a second run: hushmill lab compare RUN RUN",
            ExitCode.USAGE,
        )
    keys, sides = list(run.plan.sweep.grid), _sides(run)
    base = {_values(p, keys): p for p in run.plan.points if p.arm == arms[0]}
    found: list[Difference] = []
    for point in run.plan.points:
        if point.arm == arms[0]:
            continue
        grid = _place(point, run.plan.sweep.grid, with_arm=False)
        place = f"{point.arm} less {arms[0]}" + (f", {grid}" if grid else "")
        found += _differences(place, sides[base[_values(point, keys)].index], sides[point.index])
    return Comparison(tuple(found), 0)


def _key(point: Point, keys: Sequence[str]) -> tuple[str, str]:
    return point.arm, _values(point, keys)


def _values(point: Point, keys: Sequence[str]) -> str:
    return repr([point.parameters[key] for key in keys])


def _place(point: Point, grid: Mapping[str, object], *, with_arm: bool = True) -> str:
    words = [point.arm] if point.arm and with_arm else []
    return ", ".join(words + [f"{key} = {point.parameters[key]}" for key in grid])


def _sides(run: RunDirectory) -> dict[int, _Side]:
    results: dict[int, list[Result]] = {}
    for result in run.results():
        results.setdefault(result.point, []).append(result)
    rows: dict[int, dict[str, Row]] = {}
    for row in run.rows():
        rows.setdefault(row.point.index, {})[row.measure] = row
    return {
        point: _Side(
            run.plan.sweep.seed, here[0].is_random, _values_by_measure(here), rows.get(point, {})
        )
        for point, here in results.items()
    }


def _values_by_measure(results: Sequence[Result]) -> dict[str, dict[int, float]]:
    """Only finite values: a replicate without one has nothing to be compared."""
    found: dict[str, dict[int, float]] = {}
    for result in results:
        for name, measure in result.measures.items():
            value = float(measure.value)
            if math.isfinite(value) and measure.trials != 0:
                found.setdefault(name, {})[result.replicate] = value
    return found


def _differences(place: str, first: _Side, second: _Side) -> Iterator[Difference]:
    for name, ours in first.values.items():
        theirs = second.values.get(name)
        if not theirs or first.rows[name].unit != second.rows[name].unit:
            continue
        method, estimate, means = _estimate(first, second, ours, theirs)
        worse = max((first.rows[name].quality, second.rows[name].quality), key=QUALITIES.index)
        yield Difference(
            place=place,
            measure=name,
            unit=first.rows[name].unit,
            quality=worse,
            first=means[0],
            second=means[1],
            difference=estimate.mean,
            interval=estimate.interval,
            method=method if estimate.interval is not None else Method.NONE,
            replicates=estimate.count,
        )


def _estimate(
    first: _Side, second: _Side, ours: Mapping[int, float], theirs: Mapping[int, float]
) -> tuple[Method, Estimate, tuple[float, float]]:
    if not first.is_random and not second.is_random:
        a, b = next(iter(ours.values())), next(iter(theirs.values()))
        return Method.FIXED, Estimate(b - a, None, Interval(b - a, b - a), 1), (a, b)
    common = sorted(ours.keys() & theirs.keys())
    if not first.is_random or not second.is_random:
        # One side is a constant: the other's replicates are compared with it.
        common = sorted(ours if first.is_random else theirs)
        ours = ours if first.is_random else dict.fromkeys(common, next(iter(ours.values())))
        theirs = theirs if second.is_random else dict.fromkeys(common, next(iter(theirs.values())))
        return Method.PAIRED, *_paired(ours, theirs, common)
    if first.seed == second.seed and common:
        return Method.PAIRED, *_paired(ours, theirs, common)
    a_values, b_values = list(ours.values()), list(theirs.values())
    return Method.WELCH, welch_difference(a_values, b_values), (_mean(a_values), _mean(b_values))


def _paired(
    ours: Mapping[int, float], theirs: Mapping[int, float], common: Sequence[int]
) -> tuple[Estimate, tuple[float, float]]:
    a, b = [ours[place] for place in common], [theirs[place] for place in common]
    return paired_difference(a, b), (_mean(a), _mean(b))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
