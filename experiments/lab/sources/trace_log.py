"""A trace as a file that other networks' logs can be turned into: CSV, or JSON lines.

The columns are those of `Trace`: time, kind, mix, layer, message, label, and perhaps genre, which
counts where the message first stands. docs/spec/laboratory.md (Imported logs) has the format.
"""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from experiments.lab.sources.cause import cause_fault
from experiments.lab.trace import NOBODY, Event, Genre, Trace
from hushmill.errors import ExitCode, UserError

REQUIRED = ("time", "kind", "mix", "layer", "message", "label")
COLUMNS = (*REQUIRED, "genre")
EVENTS_LIMIT = 20_000_000
LINE_LIMIT = 4096  # characters
SECONDS_LIMIT = 1e12  # thirty thousand years: sums and differences stay numbers
# What a place may be: memory is taken for every mix and person below the highest.
PLACE_LIMITS = {"mix": 100_000, "layer": 1000, "message": EVENTS_LIMIT, "label": 10_000_000}
COUNT_LIMITS = {"mixes": PLACE_LIMITS["mix"], "people": PLACE_LIMITS["label"]}

_KINDS = {event.name.lower(): event for event in Event}
_GENRES = {genre.name.lower(): genre for genre in Genre}


class _LineError(Exception):
    """What is wrong with one column of one line."""

    def __init__(self, column: str, text: str) -> None:
        super().__init__(f"column `{column}`: {text}")


def read_trace(path: Path) -> Trace:
    """The trace in `path`, whose name ends in .csv or .jsonl.

    Raises UserError: NOT_FOUND without such a file, USAGE with the file's name, the line and the
    column for whatever is no trace: an unknown kind or column, a number out of its limits, time
    that falls, an effect before its cause.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _Reader(path).read(_records_of(path, file))
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.", ExitCode.NOT_FOUND) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", ExitCode.USAGE) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 text.", ExitCode.USAGE) from error


def write_trace(path: Path, trace: Trace) -> None:
    """Writes `trace` to `path`, as CSV or JSON lines by its name; reading it gives an equal one.

    Raises UserError(USAGE) for another ending.
    """
    write = _csv_line if _is_csv(path) else _json_line
    counts = {"mixes": trace.mixes, "people": trace.people}
    told: set[int] = set()
    with path.open("w", encoding="utf-8", newline="") as file:
        if _is_csv(path):
            file.write("# " + " ".join(f"{key}={value}" for key, value in counts.items()) + "\n")
            file.write(",".join(COLUMNS) + "\n")
        else:
            file.write(json.dumps(counts) + "\n")
        columns = (trace.time, trace.kind, trace.mix, trace.layer, trace.message, trace.label)
        for time, kind, *places in zip(*(column.tolist() for column in columns), strict=True):
            message = places[2]
            genre = ""
            if message != NOBODY and message not in told:
                told.add(message)
                genre = Genre(trace.genre[message]).name.lower()
            file.write(write((time, Event(kind).name.lower(), *places, genre)))


def _csv_line(values: tuple[Any, ...]) -> str:
    return ",".join(str(value) for value in values) + "\n"


def _json_line(values: tuple[Any, ...]) -> str:
    record = dict(zip(COLUMNS, values, strict=True))
    if not record["genre"]:
        del record["genre"]
    return json.dumps(record) + "\n"


def _is_csv(path: Path) -> bool:
    if path.suffix not in (".csv", ".jsonl"):
        raise UserError(
            f"{path.name}: a trace's name ends in .csv or .jsonl (JSON lines).", ExitCode.USAGE
        )
    return path.suffix == ".csv"


# -- lines


def _records_of(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line that says something, as a record of strings (CSV) or JSON values."""
    lines = _short_lines(path, file)
    return _csv_records(path, lines) if _is_csv(path) else _json_records(path, lines)


def _short_lines(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    """Never reads more of a line than a character past the limit."""
    lines = iter(lambda: file.readline(LINE_LIMIT + 1), "")
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE_LIMIT:
            raise _refused(path, number, f"longer than {LINE_LIMIT} characters")
        if line.strip():
            yield number, line


def _csv_records(
    path: Path, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    names: list[str] = []
    for number, line in lines:
        if line.startswith("#"):
            yield number, _counts_of(line)
            continue
        (fields,) = csv.reader([line])
        if not names:
            names = [name.strip() for name in fields]
            _check_names(path, number, names)
        elif len(fields) != len(names):
            raise _refused(path, number, f"{len(fields)} fields under {len(names)} columns")
        else:
            yield number, dict(zip(names, fields, strict=True))


def _counts_of(comment: str) -> dict[str, Any]:
    """`# mixes=6 people=10`; other comments say nothing."""
    pairs = (word.split("=", 1) for word in comment[1:].split() if "=" in word)
    return {key: value for key, value in pairs if key in COUNT_LIMITS}


def _check_names(path: Path, number: int, names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown or len(set(names)) != len(names):
        raise _refused(path, number, f"the columns are {', '.join(REQUIRED)} and perhaps genre")


def _json_records(
    path: Path, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _refused(path, number, "not JSON") from error
        if not isinstance(record, dict):
            raise _refused(path, number, "not a JSON object")
        if not record.keys() <= COUNT_LIMITS.keys():
            _check_names(path, number, list(record))
        yield number, record


def _refused(path: Path, number: int, text: str) -> UserError:
    return UserError(f"{path.name} line {number}: {text}.", ExitCode.USAGE)


# -- columns


class _Reader:
    """One file's events, column by column."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts = dict.fromkeys(COUNT_LIMITS, 0)
        self._numbers: list[int] = []  # of the line of each event
        self._times: list[float] = []
        self._kinds: list[int] = []
        self._places: dict[str, list[int]] = {name: [] for name in PLACE_LIMITS}
        self._genres: dict[int, Genre] = {}

    def read(self, records: Iterator[tuple[int, dict[str, Any]]]) -> Trace:
        for number, record in records:
            try:
                if record.keys() <= COUNT_LIMITS.keys():
                    self._count(record)
                else:
                    self._event(number, record)
            except _LineError as error:
                raise _refused(self._path, number, str(error)) from error
        trace = self._trace()
        fault = cause_fault(trace)
        if fault is not None:
            text = f"column `{fault.column}`: {fault.text}"
            raise _refused(self._path, self._numbers[fault.event], text)
        return trace

    def _count(self, record: dict[str, Any]) -> None:
        for name, value in record.items():
            self._counts[name] = _whole(name, value, 0, COUNT_LIMITS[name])

    def _event(self, number: int, record: dict[str, Any]) -> None:
        if len(self._times) >= EVENTS_LIMIT:
            raise _LineError("time", f"more than {EVENTS_LIMIT} events")
        time = _seconds(record["time"])
        if self._times and time < self._times[-1]:
            raise _LineError("time", f"{time:g} comes after {self._times[-1]:g}")
        kind = _named("kind", record["kind"], _KINDS)
        self._numbers.append(number)
        self._times.append(time)
        self._kinds.append(kind)
        for name, limit in PLACE_LIMITS.items():
            self._places[name].append(_whole(name, record[name], NOBODY, limit - 1))
        genre = record.get("genre", "")
        if genre != "":
            message = self._places["message"][-1]
            self._genres.setdefault(message, _named("genre", genre, _GENRES))

    def _trace(self) -> Trace:
        places = {name: np.array(values, np.int32) for name, values in self._places.items()}
        messages = int(places["message"].max(initial=NOBODY)) + 1
        if messages > len(self._times):
            number = self._numbers[int(places["message"].argmax())]
            raise _refused(
                self._path, number, "column `message`: messages count from 0 without gaps"
            )
        genre = np.full(messages, Genre.UNKNOWN, dtype=np.uint8)
        for message, what in self._genres.items():
            if message != NOBODY:
                genre[message] = what
        return Trace(
            time=np.array(self._times, dtype=np.float64),
            kind=np.array(self._kinds, dtype=np.uint8),
            **places,
            genre=genre,
            mixes=max(self._counts["mixes"], int(places["mix"].max(initial=NOBODY)) + 1),
            people=max(self._counts["people"], int(places["label"].max(initial=NOBODY)) + 1),
        )


def _seconds(value: object) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= SECONDS_LIMIT or isinstance(value, bool):
        raise _LineError("time", f"{value!r} is no number of seconds up to {SECONDS_LIMIT:g}")
    return number


def _whole(column: str, value: object, low: int, high: int) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
        number = int(value)
    if number is None or not low <= number <= high:
        raise _LineError(column, f"{value!r} is no whole number from {low} to {high}")
    return number


def _named(column: str, value: object, names: dict[str, Any]) -> Any:
    if not isinstance(value, str) or value.strip() not in names:
        raise _LineError(column, f"{value!r} is none of {', '.join(names)}")
    return names[value.strip()]
