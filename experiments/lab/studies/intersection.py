"""Experiment `intersection`: how many messages until being online gives a person away.

Spec: docs/spec/laboratory.md (Long-term adversaries).
"""

from typing import Annotated

import numpy as np

from experiments.lab.adversaries.counts import counted, even_windows
from experiments.lab.adversaries.intersection import (
    QUALITY,
    lag_windows,
    remaining_after,
    windows_received,
)
from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.room import WORK_MAX, require_room
from experiments.lab.sources.presence import PresenceParameters, simulate_presence
from experiments.lab.trace import observe


class IntersectionParameters(
    PresenceParameters, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    goal_users: Annotated[
        int, described("The attack has succeeded when at most so many people remain.", ge=1)
    ] = 2


def run(parameters: IntersectionParameters, seed: np.random.SeedSequence) -> Outcome:
    lags = min(14.0 * parameters.delay_rounds, parameters.rounds)
    work = lags * parameters.rounds * parameters.users
    require_room("delay_rounds, rounds, users", "operations", work, WORK_MAX)
    presence = simulate_presence(parameters, np.random.default_rng(seed))
    seen, _ = observe(presence.trace)
    counts = counted(seen, even_windows(0.0, parameters.rounds, 1.0))
    # A delay past the last round lets nobody be ruled out by any; it may be no whole number.
    lag = lag_windows(min(parameters.delay_rounds, parameters.rounds))
    remaining = remaining_after(counts, presence.target, lag)
    places = windows_received(counts, presence.target)
    sizes = remaining.sum(axis=1) if len(remaining) else np.array([], dtype=np.int64)
    left = int(sizes[-1]) if len(sizes) else parameters.users
    reached = np.flatnonzero(sizes <= parameters.goal_users)
    first = int(reached[0]) if len(reached) else len(sizes) - 1
    holds = bool(remaining[-1, presence.sender]) if len(remaining) else True
    measures = {
        "remaining_users": Measure(float(left), "people", QUALITY),
        "anonymity_bits": Measure(float(np.log2(max(left, 1))), "bits", QUALITY),
        "deliveries": Measure(float(len(sizes)), "windows", QUALITY),
        "deliveries_to_goal": Measure(float(first + 1), "windows", QUALITY),
        "rounds_to_goal": Measure(
            float(places[first] + 1 if len(reached) else parameters.rounds), "rounds", QUALITY
        ),
        "goal_reached": Measure(float(len(reached) > 0), "share", Quality.SAMPLED, trials=1),
        "sender_remains": Measure(float(holds), "share", Quality.SAMPLED, trials=1),
    }
    if parameters.session_rounds == 0 and parameters.delay_rounds == 0:
        expected = expected_remaining(parameters, len(sizes))
        measures["closed_form_remaining"] = Measure(expected, "people", Quality.EXACT)
    return Outcome(
        measures,
        targets={
            "deliveries": [float(place + 1) for place in range(len(sizes))],
            "rounds": [float(place + 1) for place in places],
            "remaining_users": [float(size) for size in sizes],
        },
    )


def expected_remaining(parameters: PresenceParameters, deliveries: int) -> float:
    """The expected number who remain after so many windows with a delivery, where rounds are drawn
    anew: 1 + (users - 1) * (share who send in a round) ** deliveries."""
    share = parameters.online_share
    if not parameters.is_cover_constant:
        share *= parameters.sending_share
    return float(1.0 + (parameters.users - 1) * share**deliveries)


EXPERIMENT = Experiment(
    name="intersection",
    summary="Who was online every time that the target received.",
    parameters=IntersectionParameters,
    run=run,
)
