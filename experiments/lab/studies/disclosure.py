"""Experiment `disclosure`: how long until people's contacts show in who sends and who receives.

Statistical disclosure and least squares on the same rounds, with cover of several kinds, over
threshold, pool and Poisson mixing. Spec: docs/spec/laboratory.md (Long-term adversaries).
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from experiments.lab.adversaries.counts import (
    Counts,
    counted,
    even_windows,
    exponential_lags,
    flush_times,
    pool_lags,
)
from experiments.lab.adversaries.disclosure import (
    QUALITY,
    Granted,
    least_squares_profiles,
    recall,
    rounds_to_separate,
    squared_error,
    statistical_disclosure,
)
from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.room import CELLS_MAX, WORK_MAX, require_room
from experiments.lab.sources.rounds import (
    Conversations,
    ProfileLaw,
    RoundMixing,
    RoundParameters,
    contact_flags,
    simulate_rounds,
)
from experiments.lab.trace import Floats, Observation, observe
from hushmill.errors import ExitCode, UserError

POINTS = 14  # of the curve over rounds


class DisclosureParameters(RoundParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    recall_goal: Annotated[
        float, described("The share of contacts whose disclosure is waited for.", gt=0, le=1)
    ] = 0.9
    confidence: Annotated[
        float, described("Standard deviations by which the closed form sets contacts apart.", gt=0)
    ] = 2.0


@dataclass(frozen=True, slots=True)
class _Point:
    """What is known after so many rounds: shares of contacts found, and the squared error."""

    rounds: int
    statistical: float
    least_squares: float
    error: float


def run(parameters: DisclosureParameters, seed: np.random.SeedSequence) -> Outcome:
    _require_room(parameters)
    conversations = simulate_rounds(parameters, np.random.default_rng(seed))
    seen, _ = observe(conversations.trace)
    counts, lags = watched(parameters, seen)
    if not counts.sent.any() or not counts.received.any():
        raise UserError(
            "talking_share, online_share, kept: nobody sent anything that came out in `rounds`, so "
            "there is nothing to see.",
            ExitCode.USAGE,
        )
    granted = Granted(lags, parameters.mix_cover_per_round, parameters.receivers)
    lengths = np.unique(
        np.geomspace(min(4, len(counts.sent)), len(counts.sent), POINTS).astype(int)
    )
    curve = [_point(parameters, conversations, counts.first(n), granted) for n in lengths.tolist()]
    return Outcome(
        measures=_measures(parameters, conversations, granted, curve),
        targets={
            "rounds": [float(point.rounds) for point in curve],
            "statistical_recall": [point.statistical for point in curve],
            "least_squares_recall": [point.least_squares for point in curve],
            "squared_error": [point.error for point in curve],
        },
    )


def _require_room(parameters: DisclosureParameters) -> None:
    is_alone = parameters.profile_law is ProfileLaw.TARGET_ALONE
    unknown = 2.0 if is_alone else float(parameters.users)
    people = float(max(parameters.users, parameters.receivers))
    require_room("users, receivers", "people by people", unknown * people, CELLS_MAX / 5)
    keys = "rounds, users, receivers"
    work = parameters.rounds * unknown * (unknown + people) + unknown**3
    require_room(keys, "operations", work, WORK_MAX)
    stays = {
        RoundMixing.POISSON: parameters.delay_rounds,
        RoundMixing.POOL: 1.0 + parameters.kept / parameters.packets_per_round,
    }.get(parameters.mixing, 0.0)
    lags = min(14.0 * stays + 2.0, parameters.rounds)
    work = lags * parameters.rounds * (unknown if is_alone else people)
    require_room(f"{keys}, delay_rounds, kept", "operations", work, WORK_MAX)


def watched(parameters: RoundParameters, seen: Observation) -> tuple[Counts, Floats]:
    """The counts by window that suit the mix, and the share of packets out after each window."""
    match parameters.mixing:
        case RoundMixing.POISSON:
            ends = even_windows(0.0, parameters.rounds, 1.0)
            return counted(seen, ends), exponential_lags(1.0, parameters.delay_rounds)
        case RoundMixing.POOL:
            lags = pool_lags(parameters.packets_per_round, parameters.kept)
            return counted(seen, flush_times(seen)), lags
        case RoundMixing.THRESHOLD:
            return counted(seen, flush_times(seen)), np.ones(1)


def _point(
    parameters: DisclosureParameters, truth: Conversations, counts: Counts, granted: Granted
) -> _Point:
    """Everyone is a target, or person 0 where the others have no contacts."""
    is_alone = parameters.profile_law is ProfileLaw.TARGET_ALONE
    rows = slice(0, 1) if is_alone else slice(0, parameters.users)
    among = slice(0, parameters.receivers)
    contacts = contact_flags(truth.profiles[rows], parameters.contacts)
    statistical = statistical_disclosure(counts, len(contacts))[:, among]
    # The others are one crowd if they write alike: one unknown row instead of thousands.
    seen = _with_crowd(counts) if is_alone else counts
    solved = least_squares_profiles(seen, granted)
    return _Point(
        rounds=len(counts.sent),
        statistical=float(recall(statistical, contacts).mean()),
        least_squares=float(recall(solved[rows, among], contacts).mean()),
        error=float(squared_error(solved, truth.profiles[rows]).mean()),
    )


def _with_crowd(counts: Counts) -> Counts:
    crowd = np.stack((counts.sent[:, 0], counts.sent[:, 1:].sum(axis=1)), axis=1)
    return Counts(crowd, counts.received)


def _measures(
    parameters: DisclosureParameters,
    truth: Conversations,
    granted: Granted,
    curve: list[_Point],
) -> dict[str, Measure]:
    last = curve[-1]
    goal = parameters.recall_goal
    measures = {
        "statistical_recall": Measure(last.statistical, "share", QUALITY),
        "least_squares_recall": Measure(last.least_squares, "share", QUALITY),
        **_reached("statistical", [point.statistical for point in curve], goal, curve),
        **_reached("least_squares", [point.least_squares for point in curve], goal, curve),
    }
    if parameters.profile_law is ProfileLaw.TARGET_ALONE:
        if parameters.target_packets_per_round == 1:
            rounds = rounds_to_separate(
                parameters.contacts,
                parameters.receivers,
                parameters.packets_per_round,
                parameters.confidence,
            )
            measures["closed_form_rounds"] = Measure(rounds, "rounds", Quality.APPROXIMATE)
        # A crowd and a target that both send evenly cannot be told apart: a ranking, no shares.
        return measures
    measures["squared_error"] = Measure(last.error, "per user", QUALITY)
    if _is_even(parameters):
        error = expected_error(parameters, truth.profiles, granted)
        if math.isfinite(error):
            measures["closed_form_error"] = Measure(error, "per user", Quality.APPROXIMATE)
    return measures


def _reached(
    name: str, recalls: list[float], goal: float, curve: list[_Point]
) -> dict[str, Measure]:
    """The first round of the curve at which the goal is met, or the last round of all."""
    rounds = next((p.rounds for p, share in zip(curve, recalls, strict=True) if share >= goal), 0)
    return {
        f"{name}_rounds_to_goal": Measure(float(rounds or curve[-1].rounds), "rounds", QUALITY),
        f"{name}_goal_reached": Measure(float(rounds > 0), "share", QUALITY, trials=1),
    }


def _is_even(parameters: RoundParameters) -> bool:
    """Whether every packet's sender is everyone alike, as the closed form supposes."""
    always = parameters.talking_share == 1 or parameters.is_cover_constant
    return (
        always
        and parameters.online_share == 1
        and parameters.rate_spread == 0
        and parameters.target_packets_per_round == 0
    )


def expected_error(parameters: RoundParameters, profiles: Floats, granted: Granted) -> float:
    """The least-squares error a user that is expected where all send alike.

    (1/(rho s)) (1/f - 1 + s/t) (sum p(1 - qp)/q + c/(t q^2)): rho rounds of t packets, f a user's
    share of them, q the share of packets that is payload, c the mix's cover a round, and s the sum
    of squares of the lags. It leaves out the error of q, terms of order f, and what a pool's choice
    adds; simulation lies 1 % above it for threshold mixes with 80 rounds a user, 6 % above for a
    pool, 12 % above for a Poisson mix. Infinite where no packet is payload.
    """
    quality = parameters.payload_share
    if parameters.is_cover_constant:
        quality *= parameters.talking_share
    if quality == 0:
        return float("inf")
    packets = parameters.packets_per_round
    spread = float((granted.lags**2).sum())
    own = float((profiles * (1.0 - quality * profiles)).sum(axis=1).mean()) / quality
    cover = parameters.mix_cover_per_round / packets / quality**2
    shape = parameters.users - 1.0 + spread / packets
    return shape * (own + cover) / (parameters.rounds * spread)


EXPERIMENT = Experiment(
    name="disclosure",
    summary="Contacts found from who sends and who receives, round after round.",
    parameters=DisclosureParameters,
    run=run,
)
