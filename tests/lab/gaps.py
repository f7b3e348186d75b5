"""An experiment whose measures have gaps, and on demand an outcome that cannot be."""

import math
from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality


class GapsParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    wrong: Annotated[str, described("What to do wrong: share, targets, gave.")] = ""


def run(parameters: GapsParameters, seed: np.random.SeedSequence) -> Outcome:
    replicate = seed.spawn_key[0]
    is_even = replicate % 2 == 0
    one = Measure(1.0, "", Quality.SAMPLED)
    match parameters.wrong:
        case "share":
            return Outcome({"share": Measure(1.5, "", Quality.SAMPLED, trials=3)})
        case "targets":
            return Outcome({"one": one}, targets={"a": [1.0], "b": [1.0, 2.0]})
        case "gave":
            return Outcome({})
    return Outcome(
        {
            "sometimes": Measure(1.0 if is_even else math.nan, "", Quality.SAMPLED),
            "never": Measure(math.nan, "", Quality.SAMPLED),
            "endless": Measure(math.inf, "", Quality.EXACT),
            "no_trials": Measure(0.0, "", Quality.SAMPLED, trials=0),
            "mixed": Measure(2.0, "", Quality.EXACT if is_even else Quality.APPROXIMATE),
        },
        targets={"time_seconds": [math.inf, float(replicate)]} if is_even else {},
    )


EXPERIMENT = Experiment("gaps", "Has gaps.", parameters=GapsParameters, run=run)
