"""Experiments that end their own process, as a crash or the kernel would.

`deaths` times, counted in files of `folder`; then it answers. With `seconds` it also takes its
time, so that a test can do something to it meanwhile.
"""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality


class DeadlyParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    folder: Annotated[str, described("Where deaths and starts are counted.")] = ""
    deaths: Annotated[int, described("How often the process dies.", ge=0)] = 0
    work_seconds: Annotated[float, described("How long it takes.", ge=0)] = 0.0
    point: Annotated[int, described("Tells points apart.", ge=0)] = 0


def run(parameters: DeadlyParameters, seed: np.random.SeedSequence) -> Outcome:
    """Leaves a file a start, named by the task and the process."""
    value = float(np.random.default_rng(seed).random()) + parameters.point
    if parameters.folder:
        name = f"{parameters.point}-{seed.spawn_key[0]}"
        folder = Path(parameters.folder)
        starts = len(list(folder.glob(f"{name}.*")))
        (folder / f"{name}.{starts}.{os.getpid()}").touch()
        if starts < parameters.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(parameters.work_seconds)
    return Outcome({"value": Measure(value, "", Quality.SAMPLED)})


EXPERIMENT = Experiment("deadly", "Dies, then answers.", parameters=DeadlyParameters, run=run)
