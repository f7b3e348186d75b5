"""A deterministic experiment over the network's own keys: how many packets a mix holds."""

import numpy as np

from experiments.lab.model import NetworkParameters
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality


def run(parameters: NetworkParameters, _seed: np.random.SeedSequence) -> Outcome:
    held = parameters.rate_per_second * parameters.mean_delay_seconds / parameters.width
    return Outcome({"held": Measure(held, "packets", Quality.EXACT)})


EXPERIMENT = Experiment(
    "network", "Packets a mix holds.", parameters=NetworkParameters, run=run, is_random=False
)
