"""Experiment `cores`: the shipped programs in virtual time, and an observer of all their links.

Spec: docs/spec/laboratory.md (Cores).
"""

from typing import Annotated

import numpy as np

from experiments.lab.model import described
from experiments.lab.observer import TARGETS, Window, doubts_of, one_a_layer
from experiments.lab.outcome import Experiment, Outcome
from experiments.lab.sources.cores import CoresParameters, run_cores
from experiments.lab.studies.recorded import measures_of
from hushmill.errors import ExitCode, UserError


class CoresStudyParameters(CoresParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    corrupt_per_layer: Annotated[
        int, described("Mixes of each layer that tell the observer what they did.", ge=0, le=50)
    ] = 0
    targets: Annotated[
        int, described("Packets to trace, evenly over the run; all, if it sent fewer.", ge=1)
    ] = TARGETS


def run(parameters: CoresStudyParameters, seed: np.random.SeedSequence) -> Outcome:
    if parameters.corrupt_per_layer > parameters.mixes_a_layer:
        raise UserError(
            f"corrupt_per_layer: {parameters.corrupt_per_layer} of {parameters.mixes_a_layer} "
            "mixes of a layer cannot be corrupt.",
            ExitCode.USAGE,
        )
    done = run_cores(parameters, seed)
    window = Window(done.first, done.last)
    corrupt = one_a_layer(done.trace, parameters.corrupt_per_layer)
    doubts = doubts_of(done.trace, window, corrupt, parameters.targets, deliveries=window)
    return Outcome(measures_of(done.trace, window, doubts))


EXPERIMENT = Experiment(
    name="cores",
    summary="The shipped mixes, providers and clients in virtual time, seen by a global observer.",
    parameters=CoresStudyParameters,
    run=run,
)
