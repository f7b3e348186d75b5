"""Experiment `fifo_guess`: how often two packets of one user come out as they went in.

Spec: docs/spec/laboratory.md (First in, first out).
"""

from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.adversaries.fifo import (
    QUALITY,
    guess_order,
    order_kept_probability,
    pairs_of,
)
from experiments.lab.model import DelayLaw, NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import require_hops, simulate, trace_of
from experiments.lab.trace import observe


class FifoGuessParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    hops: Annotated[int, described("Mixes on the route.", ge=1, le=64)] = 1
    user_rate_per_second: Annotated[
        float, described("Packets a second of the user; the gap is exponential.", gt=0)
    ] = 1.0
    mix_rate_per_second: Annotated[
        float, described("One over the mean delay at each mix.", gt=0)
    ] = 1.0
    delay_law: Annotated[DelayLaw, described("Law of a mix's delay.")] = DelayLaw.EXPONENTIAL
    pairs: Annotated[
        int, described("Challenges, independent of each other.", ge=1, le=2_000_000)
    ] = 100_000


def run(parameters: FifoGuessParameters, seed: np.random.SeedSequence) -> Outcome:
    network = NetworkParameters(
        layers=parameters.hops,
        width=1,
        users=1,
        rate_per_second=parameters.user_rate_per_second,
        delay_law=parameters.delay_law,
        mean_delay_seconds=1.0 / parameters.mix_rate_per_second,
    )
    require_hops(network, 2 * parameters.pairs, "pairs, hops")
    flows = simulate(network, 2 * parameters.pairs, np.random.default_rng(seed))
    seen, ends = observe(trace_of(flows))
    pairs = pairs_of(ends)
    guess = guess_order(seen, ends.sent[pairs], ends.delivered[pairs])
    share = float(np.mean(guess[:, 0] == ends.delivered[pairs[:, 0]]))
    measures = {"guess_share": Measure(share, "probability", QUALITY, trials=len(pairs))}
    if parameters.delay_law is DelayLaw.EXPONENTIAL:
        closed = order_kept_probability(
            parameters.hops, parameters.user_rate_per_second, parameters.mix_rate_per_second
        )
        measures["closed_form"] = Measure(closed, "probability", Quality.EXACT)
    return Outcome(measures)


EXPERIMENT = Experiment(
    name="fifo_guess",
    summary="How often two packets of one user come out in the order in which they went in.",
    parameters=FifoGuessParameters,
    run=run,
)
