"""A sweep checked against its experiment and multiplied out: the points that a run computes."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from experiments.lab.keys import checked, keys_of, meant, shown
from experiments.lab.outcome import AnyExperiment
from experiments.lab.runs.sweep import Look, Sweep, read_table, sweep_of
from experiments.lab.runs.toml_text import written
from hushmill.errors import ExitCode, UserError

TASKS_LIMIT = 1_000_000
ARM = "arm"  # as an axis or a series: which arm it is


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of all parameters (plain data, every key of the experiment). `arm` is empty
    where a sweep has none. `varying` are the keys in which a run's points may differ."""

    index: int
    arm: str
    parameters: Mapping[str, Any]
    varying: tuple[str, ...]

    @property
    def place(self) -> str:
        """The point in words: what sets it apart from the others."""
        words = [f"{key} = {shown(self.parameters[key])}" for key in self.varying]
        if self.arm:
            words.insert(0, f"arm {self.arm}")
        return f"point {self.index}" + (f" ({', '.join(words)})" if words else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """Every point of a run, and the sweep that says the same in full, defaults and all."""

    sweep: Sweep
    points: tuple[Point, ...]

    @property
    def tasks(self) -> int:
        return len(self.points) * self.sweep.replicates

    @property
    def text(self) -> str:
        """Canonical TOML: a sweep that gives this plan again."""
        return written(_table(self.sweep, with_figure=True))

    @property
    def identity(self) -> str:
        """The same without the figures: what the results depend on."""
        return written(_table(self.sweep, with_figure=False))

    def sweep_table(self) -> dict[str, object]:
        """The sweep in full, as a table that `sweep_of` takes."""
        return _table(self.sweep, with_figure=True)


def seed_of(plan_seed: int, replicate: int) -> np.random.SeedSequence:
    """The seed of a replicate, the same at every point: arms are compared on common numbers."""
    return np.random.SeedSequence(plan_seed, spawn_key=spawn_key_of(replicate))


def spawn_key_of(replicate: int) -> tuple[int, ...]:
    return (replicate,)


def planned(sweep: Sweep, experiment: AnyExperiment) -> Plan:
    """The plan of `sweep`. Raises UserError(USAGE) with a sentence that names the wrong key."""
    fixed = {
        key: checked(experiment, key, value, f"parameters.{key}")
        for key, value in sweep.parameters.items()
    }
    grid = {key: _choices(experiment, key, values) for key, values in sweep.grid.items()}
    for key in grid:
        if key in fixed:
            raise UserError(f"grid.{key}: stands under [parameters] too.", ExitCode.USAGE)
    arms = [_arm(experiment, place, arm, grid) for place, arm in enumerate(sweep.arms)]
    if experiment.pin is not None:
        fixed |= experiment.pin(fixed, {*grid, *(key for arm in arms for key in arm)})
    names = [str(arm["name"]) for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f'arms: two are called "{name}".', ExitCode.USAGE)
    every = {key.name: key.default for key in keys_of(experiment)}
    resolved = msgspec.structs.replace(
        sweep,
        replicates=sweep.replicates if experiment.is_random else 1,
        parameters=_filled(fixed, every, grid),
        grid=grid,
        arms=arms,
        figure=sweep.looks,
    )
    plan = Plan(resolved, multiplied(resolved))
    if plan.tasks > TASKS_LIMIT:
        raise UserError(
            f"The sweep asks for {plan.tasks:,} tasks (points times replicates); "
            f"at most {TASKS_LIMIT:,} are run at once.",
            ExitCode.USAGE,
        )
    for point in plan.points:
        _check_whole(experiment, point)
    for look in plan.sweep.looks:
        _check_look(look, every)
    return plan


def read_plan(run_file: Path) -> Plan:
    """The plan that a run directory's `run.toml` says; it needs no experiment to be there."""
    sweep = sweep_of(read_table(run_file))
    return Plan(sweep, multiplied(sweep))


def multiplied(sweep: Sweep) -> tuple[Point, ...]:
    """Every arm at every point of the grid; the first key of the grid changes slowest."""
    armed = dict.fromkeys(key for arm in sweep.arms for key in arm if key != "name")
    varying = (*sweep.grid, *armed)
    order = (*sweep.parameters, *sweep.grid, *armed)
    points: list[Point] = []
    for arm in sweep.arms or [{}]:
        own = {key: value for key, value in arm.items() if key != "name"}
        for values in itertools.product(*sweep.grid.values()):
            found = {**sweep.parameters, **dict(zip(sweep.grid, values, strict=True)), **own}
            ordered = {key: found[key] for key in dict.fromkeys(order) if key in found}
            points.append(Point(len(points), str(arm.get("name", "")), ordered, varying))
    return tuple(points)


def _filled(
    fixed: Mapping[str, object], every: Mapping[str, object], grid: Mapping[str, object]
) -> dict[str, object]:
    """Each key that the grid leaves, in the experiment's order, given or by default. A default of
    None stays away: TOML has no word for it."""
    found = {key: fixed.get(key, default) for key, default in every.items() if key not in grid}
    return {key: value for key, value in found.items() if value is not None}


def _choices(experiment: AnyExperiment, key: str, values: object) -> list[object]:
    where = f"grid.{key}"
    if not isinstance(values, list) or not values:
        raise UserError(f"{where}: expected a list of values, got {shown(values)}.", ExitCode.USAGE)
    found = [
        checked(experiment, key, value, f"{where}[{place}]") for place, value in enumerate(values)
    ]
    for place, value in enumerate(found):
        if value in found[:place]:
            raise UserError(f"{where}: has {shown(value)} twice.", ExitCode.USAGE)
    return found


def _arm(
    experiment: AnyExperiment, place: int, arm: object, grid: Mapping[str, object]
) -> dict[str, object]:
    where = f"arms[{place}]"
    if not isinstance(arm, dict):
        raise UserError(f"{where}: expected a table, got {shown(arm)}.", ExitCode.USAGE)
    name = arm.get("name")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}.name: every arm has a name (a text).", ExitCode.USAGE)
    found: dict[str, object] = {"name": name}
    for key, value in arm.items():
        if key == "name":
            continue
        if key in grid:
            raise UserError(f"{where}.{key}: the grid sets this key.", ExitCode.USAGE)
        found[key] = checked(experiment, key, value, f"{where}.{key}")
    return found


def _check_whole(experiment: AnyExperiment, point: Point) -> None:
    """What the Struct itself says of all values together."""
    try:
        msgspec.convert(point.parameters, experiment.parameters)
    except msgspec.ValidationError as error:
        raise UserError(f"{point.place}: {error}.", ExitCode.USAGE) from error
    except UserError as error:
        raise UserError(f"{point.place}: {error}", error.exit_code) from error


def _check_look(look: Look, keys: Mapping[str, object]) -> None:
    """Before an hour of work: what can be known of a figure without results."""
    if look.of == "targets" and not (look.x and look.measures):
        raise UserError('figure: of = "targets" needs x and y.', ExitCode.USAGE)
    axes = [("series", key) for key in look.series_keys]
    if look.of == "measures" and look.x:
        axes.append(("x", look.x))
    for where, key in axes:
        if key != ARM and key not in keys:
            near = meant(key, keys) or "."
            raise UserError(
                f'figure.{where}: the experiment has no key {key}{near} It is a key or "{ARM}".',
                ExitCode.USAGE,
            )


def _table(sweep: Sweep, *, with_figure: bool) -> dict[str, object]:
    table: dict[str, object] = {
        "experiment": sweep.experiment,
        "seed": sweep.seed,
        "replicates": sweep.replicates,
        "parameters": sweep.parameters,
    }
    if sweep.grid:
        table["grid"] = sweep.grid
    if sweep.arms:
        table["arms"] = sweep.arms
    if with_figure and sweep.looks:
        table["figure"] = [_look_table(look) for look in sweep.looks]
    return table


def _look_table(look: Look) -> dict[str, object]:
    """Only what differs from the defaults."""
    said, usual = msgspec.to_builtins(look), msgspec.to_builtins(Look())
    return {key: value for key, value in said.items() if value != usual[key]}
