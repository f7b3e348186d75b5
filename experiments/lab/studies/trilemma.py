"""Experiment `trilemma`: what latency and cover buy, beside the most that they could.

Spec: docs/spec/laboratory.md (Games).
"""

from typing import Annotated

import numpy as np

from experiments.lab.metrics.anoa import anoa_delta
from experiments.lab.metrics.trilemma import trilemma_of
from experiments.lab.model import NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.studies.anoa import played


class TrilemmaParameters(NetworkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    width: Annotated[int, described("Mixes a layer.", ge=1, le=10_000)] = 3
    users: Annotated[int, described("People who send.", ge=2, le=10_000)] = 100
    rate_per_second: Annotated[
        float, described("Packets a second that all users send together.", gt=0)
    ] = 20.0
    games: Annotated[int, described("Outputs that are challenges.", ge=2, le=100_000)] = 1000


def run(parameters: TrilemmaParameters, seed: np.random.SeedSequence) -> Outcome:
    games = played(parameters, parameters.games, 0, seed)
    advantage = anoa_delta(games.chance_sender, games.chance_other, 0.0)
    rate = parameters.rate_per_second / parameters.users
    place = trilemma_of(parameters.layers, rate, parameters.mean_delay_seconds, advantage.value)
    exact, approximate = Quality.EXACT, Quality.APPROXIMATE
    return Outcome(
        {
            "latency_hops": Measure(place.latency_hops, "hops", approximate),
            "cover_share": Measure(place.cover_share, "packets a user and hop", approximate),
            "bandwidth_per_second": Measure(rate, "packets a user and second", exact),
            "most_anonymity": Measure(place.most_anonymity, "1 - advantage", approximate),
            "anonymity": Measure(place.anonymity, "1 - advantage", Quality.SAMPLED),
            "distance": Measure(place.distance, "1 - advantage", approximate),
        }
    )


EXPERIMENT = Experiment(
    name="trilemma",
    summary="Anonymity reached beside the most that latency and cover allow.",
    parameters=TrilemmaParameters,
    run=run,
)
