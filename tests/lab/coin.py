"""A small experiment of known truth: throws of a biased coin, and how long it took to a head.

Its figures have closed forms, so that the engine's intervals can be checked against the truth.
"""

import math
from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from hushmill.errors import ExitCode, UserError


class CoinParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    head_probability: Annotated[float, described("Chance of a head.", ge=0, le=1)] = 0.3
    throws: Annotated[int, described("Throws a replicate.", ge=1, le=100_000)] = 50
    mean_delay_seconds: Annotated[float, described("Mean of the waiting time.", gt=0)] = 0.5
    weights: Annotated[
        tuple[Annotated[float, msgspec.Meta(gt=0)], ...], described("Not used; a list.")
    ] = ()


def run(parameters: CoinParameters, seed: np.random.SeedSequence) -> Outcome:
    if parameters.throws == 13:
        raise UserError("throws: thirteen is refused.", ExitCode.USAGE)
    if parameters.throws == 666:
        raise ZeroDivisionError("this experiment has a defect")
    rng = np.random.default_rng(seed)
    heads = rng.random(parameters.throws) < parameters.head_probability
    waits = rng.exponential(parameters.mean_delay_seconds, parameters.throws)
    p = parameters.head_probability
    entropy = -sum(share * math.log2(share) for share in (p, 1 - p) if share > 0)
    share = Measure(float(heads.mean()), "probability", Quality.SAMPLED, parameters.throws)
    return Outcome(
        measures={
            "head_share": share,
            "wait_seconds": Measure(float(waits.mean()), "s", Quality.SAMPLED),
            "entropy_bits": Measure(entropy, "bits", Quality.EXACT),
            "guess_bits": Measure(entropy * 1.1, "bits", Quality.APPROXIMATE),
        },
        targets={
            "throw": [float(place) for place in range(3)],
            "wait_seconds": [float(wait) for wait in np.sort(waits)[:3]],
        },
    )


EXPERIMENT = Experiment(
    "coin", "Throws a biased coin.", parameters=CoinParameters, run=run, is_random=True
)
