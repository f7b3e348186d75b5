"""The network that the event simulator runs: the shared model, and what only events can show.

Spec: docs/spec/laboratory.md (Event simulator).
"""

import math
from dataclasses import dataclass
from typing import Annotated

from msgspec import structs

from experiments.lab.model import (
    DelayLaw,
    LinkLaw,
    NetworkParameters,
    Share,
    described,
)
from experiments.lab.sources.event_loop import BINOMIAL, COTTRELL, INDEPENDENT, POOL, TIMED_POOL
from experiments.lab.sources.strategies import Rule, Strategy, binomial_held, derived
from experiments.lab.sources.vector import mix_count, settling_seconds
from hushmill.errors import ExitCode, UserError

LEFT_SHARE = 1e-7
MESSAGES_MAX = 20_000_000  # some 5 GiB of events; also the most ticks of all clocks


class EventParameters(NetworkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`rate_per_second` is divided into the three shares; mixes' own loops come on top of it."""

    strategy: Annotated[Strategy, described("Which held packets leave when.")] = Strategy.POISSON
    batch: Annotated[
        int,
        described(
            "Packets that fill a threshold or pool mix; the middle of the binomial mix's curve. "
            "0: as many as give mean_delay_seconds.",
            ge=0,
            le=1_000_000,
        ),
    ] = 0
    kept: Annotated[
        int, described("Packets that a pool or Cottrell mix keeps.", ge=0, le=1_000_000)
    ] = 0
    period_seconds: Annotated[
        float,
        described("Between two ticks of a mix's clock. 0: what gives mean_delay_seconds.", ge=0),
    ] = 0.0
    fraction: Annotated[
        float,
        described(
            "Share of the pool that a Cottrell mix sends; the binomial mix's highest probability.",
            gt=0,
            le=1,
        ),
    ] = 0.6
    spread: Annotated[float, described("Width in packets of the binomial mix's curve.", gt=0)] = (
        10.0
    )
    is_aligned: Annotated[
        bool,
        described("All clocks tick at multiples of period_seconds; else each has its own phase."),
    ] = False
    loss: Annotated[Share, described("Share of packets that each link loses.")] = 0.0
    service_seconds: Annotated[
        float, described("Mean time in which a mix works on one packet, one at a time.", ge=0)
    ] = 0.0
    service_law: Annotated[LinkLaw, described("Law of that time.")] = LinkLaw.FIXED
    queue_limit: Annotated[
        int, described("Packets that wait for a mix's work at most; 0: no limit.", ge=0)
    ] = 0
    payload_share: Annotated[Share, described("Share of users' packets that carry payload.")] = 1.0
    loop_share: Annotated[Share, described("Share that are loops back to their sender.")] = 0.0
    drop_share: Annotated[Share, described("Share that are drop cover to anybody.")] = 0.0
    mix_loop_rate_per_second: Annotated[
        float, described("Own loops that each mix sends a second.", ge=0)
    ] = 0.0
    restart_rate_per_second: Annotated[
        float, described("Restarts of each mix a second; a restart loses all it holds.", ge=0)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """How long is simulated. Users send through all of it, and nothing after it is recorded; what
    is measured was sent in the middle part, with the pools warmed up before it and time enough
    after it to arrive."""

    warm_up_seconds: float
    measured_seconds: float
    cool_down_seconds: float

    @property
    def end_seconds(self) -> float:
        return self.warm_up_seconds + self.measured_seconds + self.cool_down_seconds


def arrivals_per_second(parameters: EventParameters) -> float:
    """Packets that reach a mix a second, the mean over mixes, without loss: its own loops count,
    since they wait in its pool like the others."""
    from_users = parameters.rate_per_second * parameters.layers / mix_count(parameters)
    return from_users + parameters.mix_loop_rate_per_second * parameters.layers


def rule_of(parameters: EventParameters) -> Rule:
    """The strategy with every number, derived ones included."""
    given = Rule(
        strategy=parameters.strategy,
        batch=parameters.batch,
        kept=parameters.kept,
        period_seconds=parameters.period_seconds,
        fraction=parameters.fraction,
        spread=parameters.spread,
    )
    return derived(given, arrivals_per_second(parameters), parameters.mean_delay_seconds)


def delay_model(parameters: EventParameters) -> EventParameters:
    """`parameters` with the law of independent delays: a Poisson mix has but one."""
    if parameters.strategy is Strategy.POISSON:
        return structs.replace(parameters, delay_law=DelayLaw.EXPONENTIAL)
    return parameters


def settling_seconds_of(parameters: EventParameters) -> float:
    """The time after which all but some LEFT_SHARE of the packets sent at one instant are out, for
    warming up and cooling down: exact for independent delays, else an estimate on the safe side at
    steady arrivals. Queues and what links lose are left out."""
    rule = rule_of(parameters)
    if rule.code == INDEPENDENT:
        return settling_seconds(delay_model(parameters))
    rate = arrivals_per_second(parameters)
    round_seconds = rule.period_seconds
    if not rule.has_clock:  # a batch takes longer to fill by six standard deviations at most
        round_seconds = (rule.batch + 6.0 * math.sqrt(rule.batch)) / rate
    arrivals = rate * round_seconds if rule.has_clock else float(rule.batch)
    filling = 0.0  # rounds until a mix that was empty holds what it will hold
    binomial_stays = 0.0
    if rule.code == BINOMIAL:
        held = binomial_held(arrivals, rule)
        filling = held / arrivals
        binomial_stays = 1.0 - arrivals / held
    stays = {
        POOL: rule.kept / (rule.kept + arrivals),
        TIMED_POOL: rule.kept / (rule.kept + arrivals),
        COTTRELL: max(1.0 - rule.fraction, rule.kept / (rule.kept + arrivals)),
        BINOMIAL: binomial_stays,
    }.get(rule.code, 0.0)
    rounds = 2.0 + filling + (math.log(LEFT_SHARE) / math.log(stays) if stays > 0.0 else 0.0)
    links = settling_seconds(structs.replace(parameters, mean_delay_seconds=1e-9))
    return parameters.layers * rounds * round_seconds + links


def check(parameters: EventParameters, span: Span) -> None:
    """Raises UserError(USAGE) that names the keys that contradict each other."""
    shares = parameters.payload_share + parameters.loop_share + parameters.drop_share
    if abs(shares - 1.0) > 1e-9:
        raise _usage(
            f"payload_share, loop_share and drop_share are shares of one whole: they sum to "
            f"{shares:g}, not 1."
        )
    rule = rule_of(parameters)
    mixes = mix_count(parameters)
    sent = parameters.rate_per_second + parameters.mix_loop_rate_per_second * mixes
    if sent * span.end_seconds > MESSAGES_MAX:
        raise _usage(
            f"rate_per_second = {parameters.rate_per_second:g} is "
            f"{sent * span.end_seconds:.3g} packets in {span.end_seconds:g} s; at most "
            f"{MESSAGES_MAX:,} fit."
        )
    if rule.has_clock and mixes * span.end_seconds / rule.period_seconds > MESSAGES_MAX:
        raise _usage(f"period_seconds = {rule.period_seconds:g} is too short for so many mixes.")
    if parameters.restart_rate_per_second * mixes * span.end_seconds > MESSAGES_MAX:
        raise _usage("restart_rate_per_second is too high.")


def _usage(text: str) -> UserError:
    return UserError(text, ExitCode.USAGE)
