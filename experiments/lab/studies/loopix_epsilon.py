"""Experiment `loopix_epsilon`: how alike two senders are to an observer of one output.

Spec: docs/spec/laboratory.md (Games).
"""

from typing import Annotated

import numpy as np

from experiments.lab.adversaries.tracing import trace_senders
from experiments.lab.metrics.loopix import loopix_delta, loopix_epsilon
from experiments.lab.model import DelayLaw, NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import settled_messages, simulate, trace_of
from experiments.lab.trace import observe
from hushmill.errors import ExitCode, UserError


class LoopixParameters(NetworkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    width: Annotated[int, described("Mixes a layer.", ge=1, le=10_000)] = 3
    users: Annotated[int, described("People who send.", ge=2, le=10_000)] = 100
    rate_per_second: Annotated[
        float, described("Packets a second that all users send together.", gt=0)
    ] = 200.0
    outputs: Annotated[
        int, described("Outputs looked at, each with two senders drawn at random.", ge=1)
    ] = 200
    bound_nats: Annotated[float, described("The epsilon whose excess counts as delta.", gt=0)] = 1.0


def run(parameters: LoopixParameters, seed: np.random.SeedSequence) -> Outcome:
    if parameters.delay_law is not DelayLaw.EXPONENTIAL:
        raise UserError("delay_law: the tracing is for exponential delays.", ExitCode.USAGE)
    settled = settled_messages(parameters)
    if (settled + parameters.outputs) * parameters.users > 200_000_000:
        raise UserError("outputs: too many packets for so many users.", ExitCode.USAGE)
    rng = np.random.default_rng(seed)
    flows = simulate(parameters, 2 * settled + parameters.outputs, rng)
    seen, ends = observe(trace_of(flows))
    traced = trace_senders(seen)
    # The delivery of a message in the middle: pools are filled before it, and not yet emptying.
    middle = np.arange(settled, settled + parameters.outputs)
    rows = np.flatnonzero(np.isin(traced.delivered, ends.delivered[middle]))
    first = rng.integers(0, parameters.users, len(rows))
    second = (first + rng.integers(1, parameters.users, len(rows))) % parameters.users
    epsilons = loopix_epsilon(traced.posterior[rows, first], traced.posterior[rows, second])
    finite = epsilons[np.isfinite(epsilons)]
    delta = loopix_delta(epsilons, parameters.bound_nats)
    quality = Quality.SAMPLED
    measures = {
        "delta": Measure(delta, "share", quality),
        "one_sided": Measure(1.0 - len(finite) / max(len(epsilons), 1), "share", quality),
    }
    if len(finite):
        measures["epsilon_nats"] = Measure(float(finite.mean()), "nats", quality)
        measures["epsilon_sd_nats"] = Measure(float(finite.std()), "nats", quality)
    return Outcome(measures, targets={"epsilon_nats": finite.tolist()})


EXPERIMENT = Experiment(
    name="loopix_epsilon",
    summary="Loopix's epsilon: the log ratio of two senders' chances for one output.",
    parameters=LoopixParameters,
    run=run,
)
