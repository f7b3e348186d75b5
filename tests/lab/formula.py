"""A deterministic experiment: the area of a square."""

from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality


class FormulaParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    side: Annotated[float, described("Side of the square.", gt=0)] = 2.0


def run(parameters: FormulaParameters, _seed: np.random.SeedSequence) -> Outcome:
    return Outcome({"area": Measure(parameters.side**2, "m²", Quality.EXACT)})


EXPERIMENT = Experiment(
    "formula", "The area of a square.", parameters=FormulaParameters, run=run, is_random=False
)
