"""The published and exact values that the laboratory is held against, with their tolerances.

`reference.csv` is read and never written; a test pins its hash, so that no tolerance is widened in
passing. Spec: docs/spec/laboratory.md (Reproduction).
"""

import csv
import re
from dataclasses import dataclass
from importlib.resources import files

_TOLERANCE = re.compile(r"^(?P<number>[0-9.e-]+)(?P<relative> %| relative)?$")
_ROUNDING = 1e-9  # of a value that is called exact


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far ours may be from the published value: in the value's unit, or as a share of it."""

    text: str
    size: float
    is_relative: bool

    def holds(self, published: float, ours: float) -> bool:
        allowed = self.size * abs(published) if self.is_relative else self.size
        return abs(ours - published) <= allowed


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One row of the file. `tolerance` is None where it gives none; `is_checked` says whether
    `reproduce` must hold it."""

    id: str
    source: str
    parameters: str
    value: str
    unit: str
    kind: str
    tolerance: Tolerance | None
    is_checked: bool
    note: str


def reference_rows() -> list[ReferenceRow]:
    """Every row, in the file's order."""
    text = files("experiments.lab").joinpath("reference.csv").read_text(encoding="utf-8")
    return [
        ReferenceRow(
            id=row["id"],
            source=row["source"],
            parameters=row["parameters"],
            value=row["value"],
            unit=row["unit"],
            kind=row["kind"],
            tolerance=_tolerance(row["tolerance"]),
            is_checked=row["checked"] == "yes",
            note=row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    ]


def _tolerance(text: str) -> Tolerance | None:
    """`0.005`, `1e-4 relative`, `5 %`, `exact` or `-`."""
    if text == "-":
        return None
    if text == "exact":
        return Tolerance(text, _ROUNDING, is_relative=True)
    match = _TOLERANCE.match(text)
    if match is None:
        raise ValueError(f"not a tolerance: {text!r}")
    size, relative = float(match["number"]), match["relative"]
    return Tolerance(text, size / 100 if relative == " %" else size, is_relative=bool(relative))
