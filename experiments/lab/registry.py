"""The experiments by name; each is imported only when it is asked for."""

import importlib
from collections.abc import Mapping

from experiments.lab.outcome import AnyExperiment, Experiment
from hushmill.errors import ExitCode, UserError

STUDIES = "experiments.lab.studies"
# Name → the module whose `EXPERIMENT` it is, in the order in which `lab list` shows them.
EXPERIMENTS: dict[str, str] = {
    name: f"{STUDIES}.{name}"
    for name in (
        "tracing",
        "single_mix",
        "strategies",
        "cores",
        "rows",
        "fifo_guess",
        "blending",
        "loop_alarm",
        "disclosure",
        "intersection",
        "predecessor",
        "correlation",
        "unobservability",
        "loopix_epsilon",
        "anoa",
        "trilemma",
        "path_compromise",
        "theorem_1",
        "closed_form",
    )
}


def experiment_named(name: str, known: Mapping[str, str] = EXPERIMENTS) -> AnyExperiment:
    """The experiment of the registry `known`. Raises UserError(NOT_FOUND) that names the ones there
    are."""
    if name not in known:
        text = f"There is no experiment {name!r}. There are: {', '.join(known)}."
        raise UserError(text, ExitCode.NOT_FOUND)
    return experiment_in(known[name])


def experiment_in(module: str) -> AnyExperiment:
    """The module's `EXPERIMENT`."""
    found = importlib.import_module(module).EXPERIMENT
    if not isinstance(found, Experiment):
        raise TypeError(f"{module}.EXPERIMENT is no Experiment")
    return found
