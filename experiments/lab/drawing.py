"""A drawing: all that a figure shows, as one CSV file. Figures are drawn from it and nothing else.

The first line is a comment (`#`) with the labels and axes as JSON, then a table: `panel` (from 0),
`series`, `kind` (`measured`, or `closed_form` for a line by a formula), `quality`, `x`, `y`, `low`
and `high` (the 95 % interval; empty where there is none). Spec: docs/laboratory.md (Figures).
"""

import csv
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

from experiments.lab.outcome import Quality
from experiments.lab.runs.summary import csv_bytes, number_text
from hushmill.errors import ExitCode, UserError

COLUMNS = ("panel", "series", "kind", "quality", "x", "y", "low", "high")


class Kind(StrEnum):
    MEASURED = "measured"
    CLOSED_FORM = "closed_form"


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands around the marks. `y_labels` has one entry a panel. With `x_is` "names" the
    values of x are texts, in their order of appearance."""

    title: str
    x_label: str
    y_labels: tuple[str, ...]
    x_is: Literal["numbers", "names"]
    log_x: bool
    log_y: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of one series, or of a formula's line."""

    panel: int
    series: str
    kind: Kind
    quality: Quality
    x: str
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Drawing:
    labels: Labels
    marks: tuple[Mark, ...]


def drawing_csv(drawing: Drawing) -> bytes:
    """The drawing as the file that `read_drawing` reads."""
    rows = [
        [
            str(mark.panel),
            mark.series,
            mark.kind.value,
            mark.quality.value,
            mark.x,
            *(number_text(number) for number in (mark.y, mark.low, mark.high)),
        ]
        for mark in drawing.marks
    ]
    return b"# " + msgspec.json.encode(drawing.labels) + b"\n" + csv_bytes([COLUMNS, *rows])


def read_drawing(text: bytes, name: str) -> Drawing:
    """The drawing in a file's `text`; `name` stands for the file in errors. Raises UserError(USAGE)
    that names the line which is wrong."""
    first, _, rest = text.partition(b"\n")
    try:
        labels = msgspec.json.decode(first.removeprefix(b"# "), type=Labels)
        rows = list(csv.DictReader(rest.decode().splitlines(), strict=True))
    except (msgspec.DecodeError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{name} is no figure's CSV: {error}.", ExitCode.USAGE) from error
    marks = []
    for line, row in enumerate(rows, start=3):
        try:
            marks.append(_mark(row, labels))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{name}, line {line}: {error}.", ExitCode.USAGE) from error
    return Drawing(labels, tuple(marks))


def _mark(row: dict[str, str], labels: Labels) -> Mark:
    panel = int(row["panel"])
    if not 0 <= panel < len(labels.y_labels):
        raise ValueError(f"there is no panel {panel}")
    if labels.x_is == "numbers":
        float(row["x"])
    low, high = (float(row[key]) if row[key] else None for key in ("low", "high"))
    kind, quality = Kind(row["kind"]), Quality(row["quality"])
    return Mark(panel, row["series"], kind, quality, row["x"], float(row["y"]), low, high)
