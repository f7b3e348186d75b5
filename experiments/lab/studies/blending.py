"""Experiment `blending`: an n - 1 attack on one mix, on the event simulator, for every strategy.

Each trial is a network of its own: the attacker blocks the links into mix 0 of the first layer,
sends packets of its own where those drive the mix, waits until the rest must be out, lets the
target in, and guesses (`adversaries/blending.py`). How soon loops betray it: `loop_alarm`.
Spec: docs/spec/laboratory.md (n - 1).
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from experiments.lab.adversaries.blending import (
    QUALITY,
    batch_exit_probability,
    first_exit_probability,
    guess_exit,
)
from experiments.lab.model import DelayLaw, Share, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.event import Blockade, simulate
from experiments.lab.sources.event_attack import Injection, attacker_of, injection_plan
from experiments.lab.sources.event_loop import (
    BINOMIAL,
    COTTRELL,
    INDEPENDENT,
    POOL,
    THRESHOLD,
    TIMED_POOL,
)
from experiments.lab.sources.event_model import EventParameters, Span, delay_model, rule_of
from experiments.lab.sources.event_traffic import stream
from experiments.lab.sources.strategies import Rule, Strategy
from experiments.lab.trace import NOBODY, Event, Flags, Ints, Observation, Trace, observe
from pki import blending_probability

LEFT_SHARE = 1e-4  # of each earlier packet that may still be in the mix when the target comes
NETWORK_STREAMS = 100  # places of streams below a seed that the simulator leaves free
FLOOD = 10.0  # the attacker's own packets for each that a pool keeps


class BlendingParameters(EventParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    blocked_share: Annotated[
        Share, described("Share of what comes to the mix that is kept out.")
    ] = 1.0
    trials: Annotated[
        int, described("Attacks, each on a network of its own.", ge=1, le=100_000)
    ] = 200


@dataclass(frozen=True, slots=True)
class Attack:
    """When what is done. The blockade stands from `settle_seconds` on, the target comes in at twice
    that, and the run ends at four times that. The attacker's own packets come evenly all along."""

    settle_seconds: float
    flood_per_second: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What one attack left: the observation, and what is needed to guess and to score.

    target  the wire on which the target was sent
    exit    the wire on which it left the mix; NOBODY if it stayed
    own     [E] whether the packet is the attacker's
    """

    seen: Observation
    target: int
    exit: int
    own: Flags


def run(parameters: BlendingParameters, seed: np.random.SeedSequence) -> Outcome:
    guessed = [
        _guess(trial_of(parameters, seed, number), stream(seed, 2 * number + 1))
        for number in range(parameters.trials)
    ]
    linked = sum(is_right for is_right, _ in guessed)
    measures = {
        "linked_share": Measure(
            linked / parameters.trials, "probability", QUALITY, trials=parameters.trials
        ),
        "packets_of_attacker": Measure(
            float(np.mean([count for _, count in guessed])), "packets", Quality.SAMPLED
        ),
    }
    return Outcome(measures | _closed_forms(parameters))


def trial_of(parameters: BlendingParameters, seed: np.random.SeedSequence, number: int) -> Trial:
    """The attack of this number below `seed`. Raises UserError(USAGE) as `simulate` does, and for
    a topology without layers."""
    attack = attack_on(rule_of(parameters), parameters.mean_delay_seconds)
    settle = attack.settle_seconds
    span = Span(settle, settle, 2.0 * settle)
    below = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 2 * number))
    flood = np.zeros(0)
    if attack.flood_per_second > 0.0:
        flood = np.arange(settle, span.end_seconds, 1.0 / attack.flood_per_second)
    injection = Injection(target_seconds=2.0 * settle, flood_seconds=flood)
    simulation = simulate(
        parameters,
        span,
        below,
        extra=injection_plan(parameters, injection, stream(below, NETWORK_STREAMS)),
        attack=Blockade(0, settle, span.end_seconds, parameters.blocked_share),
        people=parameters.users + 1,
    )
    trace = simulation.trace
    seen, ends = observe(trace)
    target = int(np.flatnonzero((simulation.begun == 2.0 * settle) & (ends.sender == 0))[0])
    left = exits_of(trace, seen, mix=0)
    is_own = np.zeros(trace.messages + 1, dtype=np.bool_)  # the last for events of no message
    is_own[:-1] = ends.sender == attacker_of(parameters)
    return Trial(seen, int(ends.sent[target]), int(left[target]), is_own[trace.message])


def exits_of(trace: Trace, seen: Observation, mix: int) -> Ints:
    """[M] the wire on which each message left `mix`; NOBODY if it did not."""
    left = np.full(trace.messages, NOBODY, dtype=np.int32)
    departures = (trace.kind == Event.DEPART) & (trace.mix == mix)
    left[trace.message[departures]] = seen.wire[departures]
    return left


def attack_on(rule: Rule, mean_delay_seconds: float) -> Attack:
    """How the attacker drives a mix of this rule, and how long until all but LEFT_SHARE of what it
    held is out."""
    if rule.code == INDEPENDENT:
        return Attack(-math.log(LEFT_SHARE) * mean_delay_seconds, 0.0)
    if rule.code in (THRESHOLD, POOL):
        kept = rule.kept if rule.code == POOL else 0
        stays = kept / (kept + rule.batch)
        flood = (rule.batch + kept) / mean_delay_seconds
        return Attack(_rounds(stays) * rule.batch / flood, flood)
    stays = {
        TIMED_POOL: 1.0 / (1.0 + FLOOD),
        COTTRELL: max(1.0 - rule.fraction, 1.0 / (1.0 + FLOOD)),
        BINOMIAL: 1.0 - rule.fraction,
    }.get(rule.code, 0.0)
    pool = {TIMED_POOL: rule.kept, COTTRELL: rule.kept, BINOMIAL: rule.batch}.get(rule.code, 0)
    return Attack(_rounds(stays) * rule.period_seconds, FLOOD * pool / rule.period_seconds)


def _rounds(stays: float) -> float:
    """Flushes after which a packet that each leaves with probability `stays` is out, and two for
    where in a round it came."""
    return 2.0 + (math.log(LEFT_SHARE) / math.log(stays) if stays > 0.0 else 0.0)


def _guess(trial: Trial, rng: np.random.Generator) -> tuple[bool, int]:
    """Whether the guess is right, and how many packets the attacker sent."""
    guess = guess_exit(trial.seen, trial.target, trial.own, rng)
    sent = np.count_nonzero(trial.own & (trial.seen.kind == Event.SEND))
    return guess != NOBODY and guess == trial.exit, int(sent)


def _closed_forms(parameters: BlendingParameters) -> dict[str, Measure]:
    """What is known in advance of mixes without memory and of timed ones, and Loopix's figure."""
    rule = rule_of(parameters)
    loops = parameters.mix_loop_rate_per_second
    passing = loops * (parameters.layers - 1)  # of other mixes
    others = parameters.rate_per_second / parameters.width + passing
    let_in = (1.0 - parameters.blocked_share) * others
    if rule.strategy is Strategy.TIMED and (let_in == 0.0 or passing == 0.0):
        met = (loops + let_in) * rule.period_seconds
        return {"closed_form": Measure(batch_exit_probability(met), "probability", Quality.EXACT)}
    law = delay_model(parameters).delay_law
    if rule.code != INDEPENDENT or law is not DelayLaw.EXPONENTIAL:
        return {}
    mean = parameters.mean_delay_seconds
    exact = first_exit_probability(mean, loops, let_in)
    thinning = math.inf if let_in == 0.0 else others / let_in
    loopix = blending_probability(mean, loops, others, thinning)
    return {
        "closed_form": Measure(exact, "probability", Quality.EXACT),
        "loopix_closed_form": Measure(loopix, "probability", Quality.APPROXIMATE),
    }


EXPERIMENT = Experiment(
    name="blending",
    summary="An n - 1 attack on one mix: how often it links a packet, with and without loops.",
    parameters=BlendingParameters,
    run=run,
)
