"""Experiment `anoa`: delta(epsilon) of the sender anonymity game.

Spec: docs/spec/laboratory.md (Games).
"""

from typing import Annotated

import numpy as np

from experiments.lab.adversaries.challenge import Games, play
from experiments.lab.adversaries.coalition import corrupt_in_layers
from experiments.lab.metrics.anoa import anoa_delta
from experiments.lab.model import DelayLaw, NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import settled_messages, simulate, trace_of
from experiments.lab.trace import observe
from hushmill.errors import ExitCode, UserError

CURVE = tuple(step / 2 for step in range(7))  # the epsilons of the curve in nats


class AnoaParameters(NetworkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    width: Annotated[int, described("Mixes a layer.", ge=1, le=10_000)] = 3
    users: Annotated[int, described("People who send.", ge=2, le=10_000)] = 100
    corrupt_per_layer: Annotated[
        int, described("Mixes of each layer that work for the adversary.", ge=0)
    ] = 0
    games: Annotated[int, described("Outputs that are challenges.", ge=2, le=100_000)] = 500
    epsilon_nats: Annotated[
        float, described("The epsilon at which delta is measured.", ge=0, le=20)
    ] = 0.5


def run(parameters: AnoaParameters, seed: np.random.SeedSequence) -> Outcome:
    games = played(parameters, parameters.games, parameters.corrupt_per_layer, seed)
    found = anoa_delta(games.chance_sender, games.chance_other, parameters.epsilon_nats)
    even = anoa_delta(games.chance_sender, games.chance_other, 0.0)
    curve = [anoa_delta(games.chance_sender, games.chance_other, nats) for nats in CURVE]
    sampled = Quality.SAMPLED
    right = float((games.chance_sender > games.chance_other).mean())
    right += float((games.chance_sender == games.chance_other).mean()) / 2
    return Outcome(
        {
            "delta": Measure(found.value, "probability", sampled),
            "delta_low": Measure(found.low, "probability", sampled),
            "delta_high": Measure(found.high, "probability", sampled),
            "advantage": Measure(even.value, "probability", sampled),
            "guessed_right": Measure(right, "share", sampled),
        },
        targets={
            "epsilon_nats": [point.epsilon for point in curve],
            "delta": [point.value for point in curve],
            "delta_low": [point.low for point in curve],
            "delta_high": [point.high for point in curve],
        },
    )


def played(
    parameters: NetworkParameters, games: int, corrupt_per_layer: int, seed: np.random.SeedSequence
) -> Games:
    """So many games on the middle of a run of the network; they are of one run, so no interval
    over them is one over independent draws.

    Raises UserError(USAGE) for delays that the adversary's rule is not made for.
    """
    if parameters.delay_law is not DelayLaw.EXPONENTIAL:
        raise UserError("delay_law: the game is played with exponential delays.", ExitCode.USAGE)
    settled = settled_messages(parameters)
    if (2 * settled + games) * parameters.users > 200_000_000:
        raise UserError("games: too many packets for so many users.", ExitCode.USAGE)
    rng = np.random.default_rng(seed)
    corrupt = corrupt_in_layers(parameters, corrupt_per_layer, rng)
    flows = simulate(parameters, 2 * settled + games, rng)
    seen, ends = observe(trace_of(flows), corrupt)
    middle = np.arange(settled, settled + games, dtype=np.int32)
    return play(seen, ends, middle, rng)


EXPERIMENT = Experiment(
    name="anoa",
    summary="delta(epsilon) of telling which of two people sent an output.",
    parameters=AnoaParameters,
    run=run,
)
