"""Experiment `theorem_1`: which of the packets in a mix leaves next, by simulating their delays.

Loopix (Piotrowska et al., USENIX Security 2017), Theorem 1, read off its formula: an observer knows
that n packets were in a mix, that all but k of them left, that l more came, and sees one leave. A
given one of the n is it with k/(n(l+k)), a given one of the l with 1/(l+k). Supposed here: the n
came at one moment, the l come at the moment at which the last of the n - k leaves. With exponential
delays neither matters; with other laws both do. Spec: docs/spec/laboratory.md (Games).
"""

from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.model import DelayLaw, NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import delay_seconds
from hushmill.errors import ExitCode, UserError
from pki import newer_message_probability, older_message_probability


class TheoremParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    initial: Annotated[int, described("Packets in the mix at first.", ge=1, le=10_000)] = 10
    remaining: Annotated[int, described("Of them still inside at last.", ge=0)] = 4
    arrived: Annotated[int, described("Packets that came later.", ge=1, le=10_000)] = 3
    delay_law: Annotated[DelayLaw, described("Law of the mix's delay.")] = DelayLaw.EXPONENTIAL
    mean_delay_seconds: Annotated[float, described("Mean delay.", gt=0)] = 1.0
    trials: Annotated[int, described("Mixes simulated.", ge=1, le=10_000_000)] = 50_000


def run(parameters: TheoremParameters, seed: np.random.SeedSequence) -> Outcome:
    initial, remaining, arrived = parameters.initial, parameters.remaining, parameters.arrived
    trials = parameters.trials
    if remaining > initial:
        raise UserError("remaining: more than were in the mix at first.", ExitCode.USAGE)
    if trials * (initial + arrived) > 50_000_000:
        raise UserError("trials: more than 50 million packets.", ExitCode.USAGE)
    rng = np.random.default_rng(seed)
    law = NetworkParameters(
        delay_law=parameters.delay_law, mean_delay_seconds=parameters.mean_delay_seconds
    )
    older = delay_seconds(law, trials * initial, rng).reshape(trials, initial)
    # Packets due at one moment leave in an order of chance, as a mix shuffles them.
    order = np.lexsort((rng.random(older.shape), older), axis=1)
    gone = initial - remaining
    last = np.zeros(trials)
    if gone:
        last = np.take_along_axis(older, order[:, gone - 1 : gone], axis=1)[:, 0]
    newer = last[:, None] + delay_seconds(law, trials * arrived, rng).reshape(trials, arrived)
    first_newer = newer.argmin(axis=1)
    leaves_newer = newer.min(axis=1)
    is_older = np.zeros(trials, dtype=np.bool_)
    next_older = np.full(trials, -1)
    if remaining:
        next_older = order[:, gone]
        is_older = older[np.arange(trials), next_older] <= leaves_newer
    # Packet 0 of either kind stands for any given one of them.
    older_share = float((is_older & (next_older == 0)).mean())
    newer_share = float((~is_older & (first_newer == 0)).mean())
    sampled, exact, unit = Quality.SAMPLED, Quality.EXACT, "probability"
    closed_older = older_message_probability(initial, arrived, remaining)
    closed_newer = newer_message_probability(arrived, remaining)
    return Outcome(
        {
            "older": Measure(older_share, unit, sampled, trials),
            "newer": Measure(newer_share, unit, sampled, trials),
            "closed_form_older": Measure(closed_older, unit, exact),
            "closed_form_newer": Measure(closed_newer, unit, exact),
        }
    )


EXPERIMENT = Experiment(
    name="theorem_1",
    summary="Which packet of a mix leaves next, one of those before or one of those after.",
    parameters=TheoremParameters,
    run=run,
)
