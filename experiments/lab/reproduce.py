"""Published values beside ours: what `hushmill lab reproduce` prints.

Each part of a row runs through the run engine as any sweep does, so that whoever doubts a figure
gets it again with `lab run` and the row's settings. Spec: docs/spec/laboratory.md (Reproduction).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from experiments.lab.recipes import KNOWN_APART, RECIPES, UNTRIED, Recipe
from experiments.lab.reference import ReferenceRow, reference_rows
from experiments.lab.runs.engine import Workers, measured
from experiments.lab.runs.summary import Row
from experiments.lab.runs.sweep import Sweep
from hushmill.errors import ExitCode, UserError

FIVE_ERRORS = 5 / 1.96  # half widths of a 95 % interval


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of ours. `interval` is the 95 % one over replicates, or the value twice where no
    chance is in it. `simulated` are a value and its interval where a closed form has its mechanism
    simulated beside it."""

    published: float
    ours: float
    interval: tuple[float, float]
    quality: str
    method: str
    setting: str
    simulated: tuple[float, float, float] | None

    @property
    def is_borne_out(self) -> bool:
        """Whether the simulation beside it, if any, agrees: within five standard errors."""
        if self.simulated is None:
            return True
        value, low, high = self.simulated
        allowed = FIVE_ERRORS * max(value - low, high - value)
        return abs(self.ours - value) <= allowed


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row of the reference and what came of it. `passes` is None where the row gives no tolerance
    or nothing of ours stands beside it; `why` says so in words, and why a row fails."""

    row: ReferenceRow
    figures: tuple[Figure, ...]
    passes: bool | None
    why: str

    def record(self) -> dict[str, object]:
        """The row for machines; of several figures `ours`, `published` and `ci95` are lists."""
        published = [figure.published for figure in self.figures]
        ours = [figure.ours for figure in self.figures]
        intervals = [list(figure.interval) for figure in self.figures]
        return {
            "id": self.row.id,
            "source": self.row.source,
            "parameters": self.row.parameters,
            "unit": self.row.unit,
            "kind": self.row.kind,
            "published": _alone(published) if published else self.row.value,
            "ours": _alone(ours),
            "ci95": _alone(intervals),
            "tolerance": self.row.tolerance.text if self.row.tolerance else None,
            "checked": self.row.is_checked,
            "pass": self.passes,
            "why": self.why,
            "quality": self.figures[0].quality if self.figures else None,
            "method": self.figures[0].method if self.figures else None,
            "simulated": _alone([figure.simulated for figure in self.figures]),
            "run": [figure.setting for figure in self.figures],
        }


def _alone(items: Sequence[object]) -> object:
    """The item of a list of one, None of an empty one."""
    return (items[0] if items else None) if len(items) < 2 else list(items)


def chosen_rows(ids: Sequence[str]) -> list[ReferenceRow]:
    """The rows of these ids, all without any; `A04` means A04.1, A04.2, … too.

    Raises UserError(NOT_FOUND) that names an id that is not there.
    """
    rows = reference_rows()
    for wanted in ids:
        if not any(_is(wanted, row) for row in rows):
            raise UserError(
                f"The reference has no row {wanted}. It has: {', '.join(row.id for row in rows)}.",
                ExitCode.NOT_FOUND,
            )
    return [row for row in rows if not ids or any(_is(wanted, row) for wanted in ids)]


def _is(wanted: str, row: ReferenceRow) -> bool:
    return row.id == wanted or row.id.startswith(f"{wanted}.")


def reproduced(
    rows: Iterable[ReferenceRow], seed: int, workers: Workers | None = None
) -> Iterator[Verdict]:
    """A verdict on each row, from `seed`."""
    for row in rows:
        recipes = RECIPES.get(row.id, ())
        figures = tuple(_figure(row, recipe, seed, workers) for recipe in recipes)
        passes = _passes(row, figures)
        yield Verdict(row, figures, passes, _why(row, figures, passes))


def _figure(row: ReferenceRow, recipe: Recipe, seed: int, workers: Workers | None) -> Figure:
    ours, interval, quality = _measured(recipe, seed, workers)
    simulated = None
    if recipe.beside is not None:
        value, (low, high), _ = _measured(recipe.beside, seed, workers)
        simulated = (value, low, high)
    return Figure(
        published=float(row.value) if recipe.published is None else recipe.published,
        ours=ours,
        interval=interval,
        quality=quality,
        method="closed form" if recipe.experiment == "closed_form" else "simulated",
        setting=setting_of(recipe, seed),
        simulated=simulated,
    )


def _measured(
    recipe: Recipe, seed: int, workers: Workers | None
) -> tuple[float, tuple[float, float], str]:
    """The recipe's measure: mean, 95 % interval over replicates, and quality."""
    sweep = Sweep(
        experiment=recipe.experiment,
        seed=seed,
        replicates=recipe.replicates,
        parameters=dict(recipe.settings),
    )
    found = _named(measured(sweep, workers), recipe.measure)
    mean = float("nan") if found.mean is None else found.mean
    ends = found.interval
    return mean, (mean, mean) if ends is None else (ends.low, ends.high), found.quality.value


def _named(rows: Sequence[Row], measure: str) -> Row:
    return next(row for row in rows if row.measure == measure)


def setting_of(recipe: Recipe, seed: int) -> str:
    """The command that computes this figure alone."""
    keys = {"experiment": recipe.experiment, "seed": seed, "replicates": recipe.replicates}
    words = [f"--set {key}={value}" for key, value in (keys | dict(recipe.settings)).items()]
    return f"hushmill lab run {' '.join(words)}"


def _passes(row: ReferenceRow, figures: Sequence[Figure]) -> bool | None:
    tolerance = row.tolerance
    if tolerance is None or not figures:
        return None
    return all(
        tolerance.holds(figure.published, figure.ours) and figure.is_borne_out for figure in figures
    )


def _why(row: ReferenceRow, figures: Sequence[Figure], passes: bool | None) -> str:
    """Why a row failed, or was not tried or not checked; empty where it passed."""
    if not figures:
        return f"not tried: {UNTRIED[row.id]}"
    refuted = [figure for figure in figures if not figure.is_borne_out]
    if refuted:
        return f"a simulation of the closed form {refuted[0].ours:.6g} gives {refuted[0].simulated}"
    if passes is False:
        worst = max(figures, key=lambda figure: abs(figure.ours - figure.published))
        low, high = worst.interval
        by_chance = low <= worst.published <= high
        chance = "which holds" if by_chance else "which does not hold"
        return (
            f"ours is {worst.ours - worst.published:+.3g} off; its 95 % interval is "
            f"[{low:.6g}, {high:.6g}], {chance} the published value"
        )
    if row.is_checked:
        return ""
    return f"not checked: {KNOWN_APART.get(row.id, row.note)}"
