"""The event simulator: every mixing strategy, queueing, loss, loops and one who blocks.

It runs a network with its causes, one packet's step after another, where the vectorised simulator
(`vector.py`) draws whole columns: slower, but for delays that depend on the other packets there is
no other way. Same seed, same trace. Spec: docs/spec/laboratory.md (Event simulator).
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from experiments.lab.sources.event_loop import (
    BACK,
    ENDING,
    FIRST_LAYER,
    FRONT,
    HOME,
    HOP,
    HOPS,
    KIND,
    LABEL,
    LAYER,
    LIFE,
    LIVES,
    MESSAGE,
    MIX,
    NEWEST,
    NO_MIX,
    RECEIVER,
    SENDER,
    WHERE,
    Ending,
    Longs,
    run_events,
)
from experiments.lab.sources.event_model import EventParameters, Span, check, rule_of
from experiments.lab.sources.event_traffic import (
    Plan,
    choices,
    clock_phases,
    injected,
    plan_of,
    restart_times,
)
from experiments.lab.sources.vector import mix_count
from experiments.lab.trace import Bytes, Flags, Floats, Genre, Trace


@dataclass(frozen=True, slots=True)
class Blockade:
    """An attacker on the links into `mix` lets a packet through if its luck is at least `share`,
    from `start_seconds` until `end_seconds`: of all packets this share does not come in."""

    mix: int
    start_seconds: float
    end_seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Silencing:
    """An attacker on the link of one person drops this share of all that they send, from
    `start_seconds` until `end_seconds`."""

    sender: int
    start_seconds: float
    end_seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """What happened, and what became of each of M packets, in the order in which they began.

    begun, ended  [M] seconds; `ended` is NaN unless the packet came to its end
    ending        [M] an Ending
    """

    trace: Trace
    begun: Floats
    ended: Floats
    ending: Bytes

    def payload_between(self, start_seconds: float, end_seconds: float) -> Flags:
        """[M] whether a packet carries payload and was sent in this time."""
        is_payload: Flags = self.trace.genre == Genre.PAYLOAD
        is_within: Flags = (self.begun >= start_seconds) & (self.begun < end_seconds)
        return is_payload & is_within


def simulate(
    parameters: EventParameters,
    span: Span,
    seed: np.random.SeedSequence,
    extra: Plan | None = None,
    attack: Blockade | Silencing | None = None,
    people: int = 0,
) -> Simulation:
    """A network with these parameters through `span`, from empty pools on.

    `extra` are packets that an attacker sends on top of it, and `people` how many people there are
    with the attacker's own, if more than the users. Raises UserError(USAGE) for parameters that
    contradict each other.
    """
    check(parameters, span)
    rule = rule_of(parameters)
    plan = plan_of(parameters, rule, span, seed)
    if extra is not None:
        plan = injected(plan, extra)
    mixes = mix_count(parameters)
    message = _messages(plan)
    mix = np.zeros((mixes, 8), dtype=np.int64)
    mix[:, [NEWEST, FRONT, BACK]] = -1  # empty lists
    restart_time, restart_mix = restart_times(parameters, span, seed)
    lost_link, silenced = plan.lost_link, np.zeros(len(plan.begun), dtype=np.bool_)
    blocked = Blockade(NO_MIX, 0.0, 0.0, 0.0)
    match attack:
        case Blockade():
            blocked = attack
        case Silencing():
            silenced = _silenced(plan, attack)
            lost_link = np.where(silenced, 0, lost_link).astype(np.int32)
        case None:
            pass
        case _:
            assert_never(attack)
    when, what, ended = run_events(
        plan.begun,
        message,
        plan.route.astype(np.int64),  # one width of number: each other would be compiled for
        plan.clock,
        plan.latency,
        plan.service,
        lost_link,
        plan.luck,
        choices(seed, len(plan.begun) * (parameters.layers + 1)),
        mix,
        clock_phases(parameters, rule, seed),
        restart_time,
        restart_mix.astype(np.int64),
        parameters.layers,
        rule.code,
        rule.batch,
        rule.kept,
        rule.period_seconds,
        rule.fraction,
        rule.spread,
        parameters.queue_limit,
        blocked.mix,
        blocked.start_seconds,
        blocked.end_seconds,
        blocked.share,
        span.end_seconds,
    )
    ending = message[:, ENDING].astype(np.uint8)
    ending[silenced & (ending == Ending.LOST)] = Ending.BLOCKED
    is_held = ending == Ending.HELD
    forgot = message[is_held, LIFE] != mix[message[is_held, WHERE], LIVES]
    ending[np.flatnonzero(is_held)[forgot]] = Ending.FORGOTTEN
    trace = Trace(
        time=when,
        kind=what[:, KIND].astype(np.uint8),
        mix=what[:, MIX].copy(),
        layer=what[:, LAYER].copy(),
        message=what[:, MESSAGE].copy(),
        label=what[:, LABEL].copy(),
        genre=plan.genre,
        mixes=mixes,
        people=max(people, parameters.users),
    )
    return Simulation(trace=trace, begun=plan.begun, ended=ended, ending=ending)


def _silenced(plan: Plan, attack: Silencing) -> Flags:
    is_within = (plan.begun >= attack.start_seconds) & (plan.begun < attack.end_seconds)
    chosen: Flags = is_within & (plan.sender == attack.sender) & (plan.luck < attack.share)
    return chosen


def _messages(plan: Plan) -> Longs:
    """The table of messages with what does not change filled in."""
    message = np.zeros((len(plan.begun), 10), dtype=np.int64)
    message[:, HOP] = -1
    message[:, HOPS] = plan.hops
    message[:, FIRST_LAYER] = plan.first_layer
    message[:, HOME] = plan.home
    message[:, SENDER] = plan.sender
    message[:, RECEIVER] = plan.receiver
    return message
