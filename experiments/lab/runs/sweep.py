"""A sweep: which experiment, with which parameters, how often. Written as TOML or as `--set`s.

Spec: docs/laboratory.md (Sweeps). Nothing here knows the experiments' keys: `plan.py` checks them.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from experiments.lab.keys import meant, sentence
from hushmill.errors import ExitCode, UserError

SWEEP_LIMIT_BYTES = 1 << 20
DEFAULT_SEED = 1
TOP_KEYS = ("experiment", "seed", "replicates")
TABLES = ("parameters", "grid", "figure")


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A figure: what stands on its axes. `y` are measures, each unit in a panel of its own; with
    `of = "targets"`, `x` and `y` are columns of the targets instead."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "figure"
    of: Literal["measures", "targets"] = "measures"
    x: str = ""
    y: str | tuple[str, ...] = ()
    series: str | tuple[str, ...] = ()
    log_x: bool = False
    log_y: bool = False
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    closed_form: str = ""

    @property
    def measures(self) -> tuple[str, ...]:
        return (self.y,) if isinstance(self.y, str) else self.y

    @property
    def series_keys(self) -> tuple[str, ...]:
        return (self.series,) if isinstance(self.series, str) else self.series


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a sweep's file says. The tables hold any key: they are checked against the experiment's
    own when it is known."""

    experiment: Annotated[str, msgspec.Meta(min_length=1)]
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = DEFAULT_SEED
    replicates: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10
    parameters: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    arms: list[Any] = []
    figure: Look | tuple[Look, ...] = ()

    @property
    def looks(self) -> tuple[Look, ...]:
        return (self.figure,) if isinstance(self.figure, Look) else self.figure


def read_sweep(path: Path | None, settings: Sequence[str] = ()) -> Sweep:
    """The sweep in `path`, or none, with each `key=value` of `settings` put over it.

    Raises UserError: NOT_FOUND without the file, USAGE with a sentence that names what is wrong.
    """
    table: dict[str, Any] = {} if path is None else read_table(path)
    for setting in settings:
        _put(table, setting)
    if "experiment" not in table:
        raise UserError(
            'experiment: missing. Write experiment = "NAME" in the sweep, or add --set '
            "experiment=NAME; `hushmill lab list` shows the names.",
            ExitCode.USAGE,
        )
    return sweep_of(table)


def read_table(path: Path) -> dict[str, Any]:
    """The TOML in `path` as it stands."""
    try:
        with path.open("rb") as file:
            text = file.read(SWEEP_LIMIT_BYTES + 1)
    except FileNotFoundError as error:
        raise UserError(f"There is no sweep {path}.", ExitCode.NOT_FOUND) from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, not a sweep.", ExitCode.USAGE) from error
    if len(text) > SWEEP_LIMIT_BYTES:
        raise UserError(f"The sweep {path} is longer than a megabyte.", ExitCode.USAGE)
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"The sweep {path} is not TOML: {error}.", ExitCode.USAGE) from error


def sweep_of(table: Mapping[str, object]) -> Sweep:
    """The sweep that a table says. Raises UserError(USAGE) that names the wrong key."""
    unknown = [key for key in table if key not in Sweep.__struct_fields__]
    if unknown:
        near = meant(unknown[0], Sweep.__struct_fields__)
        known = ", ".join(Sweep.__struct_fields__)
        text = f"{unknown[0]}: a sweep has no such key{near or '.'} It has: {known}. Keys of the"
        raise UserError(f"{text} experiment stand under [parameters] or [grid].", ExitCode.USAGE)
    try:
        return msgspec.convert(table, Sweep)
    except msgspec.ValidationError as error:
        raise UserError(_wrong(str(error), table), ExitCode.USAGE) from error


def _wrong(error: str, table: Mapping[str, object]) -> str:
    """The sentence for an error of the whole table: its path begins with a key of the sweep."""
    _text, found, rest = error.rpartition(" - at `$.")
    path = rest.rstrip("`") if found else ""
    value: Any = table
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, list) and step.isdecimal():
            value = value[int(step)]
        elif isinstance(value, Mapping):
            value = value.get(step, value)
    return sentence(error.split(" - at `")[0], path or "The sweep", value)


def _put(table: dict[str, Any], setting: str) -> None:
    """`--set KEY=VALUE`: a key of the sweep, `grid.KEY`, `figure.KEY`, or a key of the experiment,
    which then has this one value wherever the sweep's file had others."""
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UserError(f"--set {setting}: write KEY=VALUE.", ExitCode.USAGE)
    value = _read_value(text.strip())
    first, dot, rest = key.partition(".")
    if key in TOP_KEYS:
        table[key] = value
        return
    place, name = (first, rest) if dot and first in TABLES else ("parameters", key)
    if place == "parameters":
        grid = table.get("grid")
        if isinstance(grid, dict):
            grid.pop(name, None)
        _refuse_armed(table, name, setting)
    elif place == "grid":
        _subtable(table, "parameters", setting).pop(name, None)
    _subtable(table, place, setting)[name] = value


def _subtable(table: dict[str, Any], place: str, setting: str) -> dict[str, Any]:
    found = table.setdefault(place, {})
    if not isinstance(found, dict):
        raise UserError(f"--set {setting}: {place} of the sweep is no table.", ExitCode.USAGE)
    return found


def _refuse_armed(table: Mapping[str, object], name: str, setting: str) -> None:
    arms = table.get("arms")
    for arm in arms if isinstance(arms, list) else ():
        if isinstance(arm, dict) and name in arm and name != "name":
            raise UserError(
                f"--set {setting}: the arms of the sweep set {name} themselves.", ExitCode.USAGE
            )


def _read_value(text: str) -> object:
    """A TOML value, or else the words themselves."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return found["value"] if set(found) == {"value"} else text
