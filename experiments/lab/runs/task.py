"""A task: one replicate of one point. Its order and its answer are JSON, so that it can be done by
this process, by another one, or by another machine's.

A task's numbers are kept to twelve significant digits: processors differ in the last bit of a sum
(by how wide their vectors are), and a spread computed from such bits would differ in all digits.
"""

import math
import traceback
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from experiments.lab.outcome import Measure, Outcome, Quality
from experiments.lab.registry import experiment_in
from experiments.lab.runs.code import code_hash
from hushmill.errors import ExitCode, UserError

KEPT_DIGITS = 12
Number = float | str  # "nan", "inf" and "-inf" are texts: JSON has no such numbers


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do. `module` holds the experiment; `code` is the hash of the program's text that
    must do it, or empty where the worker was started from the very same files."""

    module: str
    parameters: dict[str, Any]
    seed: int
    spawn_key: tuple[int, ...]
    point: int
    replicate: int
    code: str = ""


class KeptMeasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    value: Number
    unit: str
    quality: Quality
    trials: int | None = None


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="result"):
    """What one replicate of one point gave."""

    point: int
    replicate: int
    is_random: bool
    measures: dict[str, KeptMeasure]
    targets: dict[str, list[Number]]


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="failure"):
    """Why a task cannot be done. `exit_code` is that of the UserError, or of a bug."""

    point: int
    replicate: int
    text: str
    exit_code: int
    traceback: str


Answer = Result | Failure


def performed(order: bytes) -> bytes:
    """An encoded Answer to an encoded Order. Whatever the experiment raises is a Failure."""
    task = msgspec.json.decode(order, type=Order)
    try:
        if task.code and task.code != code_hash(task.module):
            raise UserError(
                "A worker runs another version of hushmill than this one: install the same there.",
                ExitCode.CONFIGURATION,
            )
        return msgspec.json.encode(_result(task))
    except Exception as error:
        return msgspec.json.encode(_failure(task, error))


def _result(task: Order) -> Result:
    experiment = experiment_in(task.module)
    parameters = msgspec.convert(task.parameters, experiment.parameters)
    seed = np.random.SeedSequence(task.seed, spawn_key=task.spawn_key)
    outcome = experiment.run(parameters, seed)
    if not outcome.measures:
        raise ValueError("the experiment gave no measure")
    return Result(
        task.point,
        task.replicate,
        experiment.is_random,
        {name: _kept_measure(name, measure) for name, measure in outcome.measures.items()},
        _kept_targets(outcome),
    )


def _failure(task: Order, error: Exception) -> Failure:
    if isinstance(error, UserError):
        text, code = str(error), int(error.exit_code)
    elif isinstance(error, MemoryError):
        text = "there is not enough memory for it here. Ask for less at a time."
        code = int(ExitCode.CONFIGURATION)
    else:
        text, code = f"{type(error).__name__}: {error}", int(ExitCode.BUG)
    return Failure(task.point, task.replicate, text, code, traceback.format_exc())


def _kept_measure(name: str, measure: Measure) -> KeptMeasure:
    value, trials = float(measure.value), measure.trials
    if trials is not None and (trials < 0 or (trials > 0 and not 0 <= value <= 1)):
        raise ValueError(f"{name} is a share of {trials} trials and cannot be {value}")
    return KeptMeasure(
        kept(value), measure.unit, measure.quality, None if trials is None else int(trials)
    )


def _kept_targets(outcome: Outcome) -> dict[str, list[Number]]:
    found = {name: [kept(value) for value in column] for name, column in outcome.targets.items()}
    if len({len(column) for column in found.values()}) > 1:
        raise ValueError("the columns of an outcome's targets are of one length")
    return found


def kept(value: float) -> Number:
    """A number as a task's file keeps it."""
    number = float(value)
    return float(f"{number:.{KEPT_DIGITS}g}") if math.isfinite(number) else str(number)


def numbers(values: Iterable[Number]) -> list[float]:
    """What `kept` kept, as floats again."""
    return [float(value) for value in values]
