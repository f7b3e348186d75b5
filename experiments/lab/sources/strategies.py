"""Mixing strategies: which of the packets that a mix holds leave now.

A strategy is asked at two moments, when a packet has come in and when the mix's clock ticks, and
answers with a number (`leaving_on_arrival`, `leaving_on_tick` in `event_loop.py`, where the asking
is): so many, chosen uniformly and sent in random order. Two kinds do not fit that: independent
delays, where each packet has its own time, and the binomial mix, where each packet tosses its own
coin (`hazard`). The timed dynamic pool is the Cottrell mix with the fewest parameters; "From a
Trickle to a Flood" (Serjantov, Dingledine, Syverson 2002) gives it more.
Spec: docs/spec/laboratory.md (Mixing strategies).
"""

from dataclasses import dataclass
from enum import StrEnum

from experiments.lab.sources.event_loop import (
    BINOMIAL,
    COTTRELL,
    INDEPENDENT,
    POOL,
    THRESHOLD,
    TIMED,
    TIMED_POOL,
    leaving_probability,
)


class Strategy(StrEnum):
    POISSON = "poisson"  # an exponential delay for each packet, drawn by its sender
    INDEPENDENT = "independent"  # a delay of `delay_law` for each packet
    THRESHOLD = "threshold"  # when `batch` are held, all leave
    POOL = "pool"  # when `batch + kept` are held, `batch` of them leave
    TIMED = "timed"  # every `period_seconds` all leave
    TIMED_POOL = "timed_pool"  # every `period_seconds` all but `kept` leave
    BINOMIAL = "binomial"  # every `period_seconds` each leaves with a probability
    COTTRELL = "cottrell"  # every `period_seconds` `fraction` of them leaves, `kept` stay at least


CODES = {
    Strategy.POISSON: INDEPENDENT,
    Strategy.INDEPENDENT: INDEPENDENT,
    Strategy.THRESHOLD: THRESHOLD,
    Strategy.POOL: POOL,
    Strategy.TIMED: TIMED,
    Strategy.TIMED_POOL: TIMED_POOL,
    Strategy.BINOMIAL: BINOMIAL,
    Strategy.COTTRELL: COTTRELL,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A strategy with its numbers, none of them left to be derived."""

    strategy: Strategy
    batch: int
    kept: int
    period_seconds: float
    fraction: float
    spread: float

    @property
    def code(self) -> int:
        return CODES[self.strategy]

    @property
    def has_clock(self) -> bool:
        return self.code >= TIMED


def derived(rule: Rule, arrivals_per_second: float, mean_delay_seconds: float) -> Rule:
    """`rule` with a `batch` or `period_seconds` of 0 replaced by the one that holds a packet for
    `mean_delay_seconds` on average at a mix that packets reach at `arrivals_per_second`.

    By Little's law the mean delay is the mean number held over the rate; the number held is taken
    at its mean between two flushes, so the delay comes out right where many packets come in
    between and arrivals are spread evenly. It is measured in each run.
    """
    held = arrivals_per_second * mean_delay_seconds
    batch, period = rule.batch, rule.period_seconds
    if batch == 0:
        kept = rule.kept if rule.code == POOL else 0
        batch = max(1, round(held if rule.code == BINOMIAL else 2.0 * (held - kept) + 1.0))
    if period == 0.0:
        if rule.code == TIMED_POOL:
            period = 2.0 * max(held - rule.kept, 0.5) / arrivals_per_second
        elif rule.code == COTTRELL:
            period = mean_delay_seconds / (1.0 / rule.fraction - 0.5)
        elif rule.code == BINOMIAL:
            period = _binomial_period(held, rule, batch) / arrivals_per_second
        else:
            period = 2.0 * mean_delay_seconds
    return Rule(rule.strategy, batch, rule.kept, period, rule.fraction, rule.spread)


def binomial_held(arrivals: float, rule: Rule) -> float:
    """How many a binomial mix holds at a tick in steady state, if `arrivals` come between two:
    the h of h·f(h) = arrivals."""
    low, high = 0.0, rule.batch + 10.0 * rule.spread + 2.0 * arrivals / rule.fraction
    for _ in range(60):
        middle = (low + high) / 2.0
        leaving = middle * leaving_probability(middle, rule.batch, rule.fraction, rule.spread)
        low, high = (middle, high) if leaving < arrivals else (low, middle)
    return high


def _binomial_period(held: float, rule: Rule, batch: int) -> float:
    """Arrivals between two ticks, where the mean held is to be `held`: with h there at a tick and
    f(h) leaving, h·f(h) come in between, and the mean held is h·(1 - f(h)/2)."""
    low, high = 0.0, 2.0 * held + 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        chance = leaving_probability(middle, batch, rule.fraction, rule.spread)
        low, high = (middle, high) if middle * (1.0 - chance / 2.0) < held else (low, middle)
    return high * leaving_probability(high, batch, rule.fraction, rule.spread)
