"""What an experiment is, and what one replicate of it gives.

An experiment is a plugin: a name, a table of parameters and one function from parameters and a
seed to measures. It knows nothing of sweeps, processes, files or figures (`runs/`).
Spec: docs/spec/laboratory.md (Experiments).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

Parameters = TypeVar("Parameters", bound=msgspec.Struct)


class Quality(StrEnum):
    """How a figure was come by."""

    EXACT = "exact"  # the true value of the stated quantity for this trace, or a closed form
    APPROXIMATE = "approximate"  # by a formula or model that is known to deviate
    SAMPLED = "sampled"  # an estimate from random draws or guesses: it has an interval


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of one replicate.

    `trials` is set where `value` is a share of so many independent trials: the summary then pools
    successes over replicates and gives a Wilson interval instead of one over means.
    """

    value: float
    unit: str
    quality: Quality
    trials: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one replicate gives. `targets` are columns of one length, a row a target or a point of
    a curve; they go into the run's `targets.csv`."""

    measures: Mapping[str, Measure]
    targets: Mapping[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Experiment(Generic[Parameters]):
    """A registered experiment.

    `parameters` is a frozen msgspec Struct with `forbid_unknown_fields`; every field has a default
    and, by `Annotated[…, msgspec.Meta(description=…, ge=…)]`, its meaning and limits. `run` may
    draw from the given seed alone. It raises UserError(USAGE) with a sentence that names the key
    where parameters contradict each other. With `is_random` False one replicate says everything.

    An experiment that reads files has a `pin`: it is given the keys that are the same at every
    point and the names of those that vary, and gives keys that fix what the files hold, so that a
    run belongs to their content and not to their names.
    """

    name: str
    summary: str
    parameters: type[Parameters]
    run: Callable[[Parameters, np.random.SeedSequence], Outcome]
    is_random: bool = True
    pin: Callable[[Mapping[str, Any], Collection[str]], Mapping[str, Any]] | None = None


AnyExperiment = Experiment[Any]
