"""What people and mixes are going to send in a simulated network, drawn before it runs.

All draws are made here, from one stream a purpose, so that two runs from one seed that differ in
their loss, say, have the same senders, routes and delays. Spec: docs/spec/laboratory.md.
"""

import math
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from experiments.lab.model import LinkLaw, NetworkParameters, Topology
from experiments.lab.sources.event_loop import BINOMIAL, INDEPENDENT
from experiments.lab.sources.event_model import EventParameters, Span, delay_model
from experiments.lab.sources.strategies import Rule
from experiments.lab.sources.vector import delay_seconds, link_seconds, mix_count
from experiments.lab.sources.vector_routes import draw_routes
from experiments.lab.trace import NOBODY, Bytes, Floats, Genre, Ints

NEVER = np.iinfo(np.int32).max


class _Stream(IntEnum):
    """One generator for each purpose."""

    USERS = 0
    LOOPS = 1
    CLOCKS = 2
    LINKS = 3
    LOSS = 4
    SERVICE = 5
    CHOICE = 6
    PHASES = 7
    RESTARTS = 8
    LUCK = 9


def stream(seed: np.random.SeedSequence, place: int) -> np.random.Generator:
    """The generator at `place` below `seed`: the same at every call, unlike `seed.spawn`."""
    key = (*seed.spawn_key, place)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


@dataclass(frozen=True, slots=True)
class Plan:
    """M packets in the order in which they begin, H hops at most.

    begun        [M] seconds
    sender       [M] a person; NOBODY for a mix's loop
    receiver     [M] likewise
    genre        [M] a Genre
    home         [M] the mix whose loop it is, else NOBODY
    route        [M, H] the mixes; NOBODY after the last
    first_layer  [M] the layer of the first of them
    clock        [M, H + 1] what the packet brings for each hold: seconds for independent delays,
                 the patience for a binomial mix. A mix's loop is held at its home first
    latency      [M, H + 1] seconds on each link
    lost_link    [M] the link from 0 that loses it, if it comes so far; NEVER if none would
    service      [M, H] seconds of work; [0, 0] if mixes work in no time
    luck         [M] uniform in [0, 1): one who blocks a share of packets blocks those below it
    """

    begun: Floats
    sender: Ints
    receiver: Ints
    genre: Bytes
    home: Ints
    route: Ints
    first_layer: Ints
    clock: Floats
    latency: Floats
    lost_link: Ints
    service: Floats
    luck: Floats

    @property
    def hops(self) -> Ints:
        found: Ints = (self.route != NOBODY).sum(axis=1, dtype=np.int32)
        return found


def plan_of(
    parameters: EventParameters, rule: Rule, span: Span, seed: np.random.SeedSequence
) -> Plan:
    """All packets that users and mixes begin within `span`, as Poisson processes.

    Raises UserError(USAGE) where routes cannot be drawn.
    """
    users = _user_packets(parameters, span, stream(seed, _Stream.USERS))
    loops = _mix_loops(parameters, span, stream(seed, _Stream.LOOPS))
    begun = np.concatenate([users.begun, loops.begun])
    order = np.argsort(begun, kind="stable")
    route = np.concatenate([users.route, loops.route])[order]
    count = len(order)
    return Plan(
        begun=begun[order],
        sender=np.concatenate([users.sender, loops.sender])[order],
        receiver=np.concatenate([users.receiver, loops.receiver])[order],
        genre=np.concatenate([users.genre, loops.genre])[order],
        home=np.concatenate([users.home, loops.home])[order],
        route=route,
        first_layer=np.concatenate([users.first_layer, loops.first_layer])[order],
        clock=clocks(parameters, rule, route.shape, stream(seed, _Stream.CLOCKS)),
        latency=latencies(parameters, route.shape, stream(seed, _Stream.LINKS)),
        lost_link=_lost_links(parameters.loss, count, stream(seed, _Stream.LOSS)),
        service=services(parameters, route.shape, stream(seed, _Stream.SERVICE)),
        luck=stream(seed, _Stream.LUCK).random(count),
    )


def injected(plan: Plan, extra: Plan) -> Plan:
    """`plan` with the packets of `extra` among its own."""
    order = np.argsort(np.concatenate([plan.begun, extra.begun]), kind="stable")
    joined = {
        field.name: np.concatenate([getattr(plan, field.name), getattr(extra, field.name)])
        for field in fields(Plan)
    }
    # Mixes that work in no time have an empty table of service times.
    return Plan(
        **{name: column[order] if len(column) else column for name, column in joined.items()}
    )


@dataclass(frozen=True, slots=True)
class _Packets:
    begun: Floats
    sender: Ints
    receiver: Ints
    genre: Bytes
    home: Ints
    route: Ints
    first_layer: Ints


def _user_packets(parameters: EventParameters, span: Span, rng: np.random.Generator) -> _Packets:
    count = int(rng.poisson(parameters.rate_per_second * span.end_seconds))
    begun = np.sort(rng.random(count)) * span.end_seconds
    sender = rng.integers(parameters.users, size=count, dtype=np.int32)
    stranger = rng.integers(parameters.users, size=count, dtype=np.int32)
    draw = rng.random(count)
    genre = np.full(count, Genre.DROP_COVER, dtype=np.uint8)
    genre[draw < parameters.payload_share + parameters.loop_share] = Genre.LOOP
    genre[draw < parameters.payload_share] = Genre.PAYLOAD
    if parameters.drop_share == 0.0:  # the shares may sum to a hair below 1
        genre[genre == Genre.DROP_COVER] = Genre.LOOP if parameters.loop_share else Genre.PAYLOAD
    return _Packets(
        begun=begun,
        sender=sender,
        receiver=np.where(genre == Genre.LOOP, sender, stranger),
        genre=genre,
        home=np.full(count, NOBODY, dtype=np.int32),
        route=np.ascontiguousarray(draw_routes(parameters, sender, rng).T, dtype=np.int32),
        first_layer=np.zeros(count, dtype=np.int32),
    )


def _mix_loops(parameters: EventParameters, span: Span, rng: np.random.Generator) -> _Packets:
    """Loops visit a mix of every other layer, in the order after their own; without layers as many
    others as that, in any order."""
    mixes = mix_count(parameters)
    rate = parameters.mix_loop_rate_per_second * mixes
    count = int(rng.poisson(rate * span.end_seconds))
    home = rng.integers(mixes, size=count, dtype=np.int32)
    nobody = np.full(count, NOBODY, dtype=np.int32)
    layers = parameters.layers
    route = np.full((count, layers), NOBODY, dtype=np.int32)
    first = np.zeros(count, dtype=np.int32)
    match parameters.topology:
        case Topology.STRATIFIED:
            drawn = draw_routes(parameters, nobody, rng)  # a mix of every layer
            first = (home // parameters.width + 1) % layers
            for hop in range(layers - 1):
                route[:, hop] = drawn[(first + hop) % layers, np.arange(count)]
        case Topology.CASCADES:
            first = (home // parameters.width + 1) % layers
            for hop in range(layers - 1):
                layer = (first + hop) % layers
                route[:, hop] = layer * parameters.width + home % parameters.width
        case Topology.FREE_ROUTE | Topology.PEER_TO_PEER if layers > 1:
            others = NetworkParameters(
                topology=Topology.PEER_TO_PEER, users=mixes, layers=layers - 1
            )
            route[:, : layers - 1] = draw_routes(others, home, rng).T
    return _Packets(
        begun=np.sort(rng.random(count)) * span.end_seconds,
        sender=nobody,
        receiver=nobody,
        genre=np.full(count, Genre.MIX_LOOP, dtype=np.uint8),
        home=home,
        route=route,
        first_layer=first.astype(np.int32),
    )


def clocks(
    parameters: EventParameters, rule: Rule, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    count, holds = shape[0], shape[1] + 1
    if rule.code == BINOMIAL:
        return rng.standard_exponential((count, holds))
    if rule.code != INDEPENDENT:
        return np.zeros((count, holds))
    return delay_seconds(delay_model(parameters), count * holds, rng).reshape(count, holds)


def latencies(
    parameters: EventParameters, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    count, links = shape[0], shape[1] + 1
    drawn = link_seconds(parameters, count * links, rng)
    return np.broadcast_to(drawn, count * links).reshape(count, links).copy()


def _lost_links(loss: float, count: int, rng: np.random.Generator) -> Ints:
    """The number of links that a packet survives is geometric."""
    uniform = 1.0 - rng.random(count)  # in (0, 1]
    if loss >= 1.0:
        return np.zeros(count, dtype=np.int32)
    if loss == 0.0:
        return np.full(count, NEVER, dtype=np.int32)
    survived = np.floor(np.log(uniform) / math.log1p(-loss))
    return np.minimum(survived, NEVER).astype(np.int32)


def services(
    parameters: EventParameters, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    if parameters.service_seconds == 0.0:
        return np.zeros((0, 0))
    if parameters.service_law is LinkLaw.FIXED:
        return np.full(shape, parameters.service_seconds)
    return rng.standard_exponential(shape) * parameters.service_seconds


def clock_phases(parameters: EventParameters, rule: Rule, seed: np.random.SeedSequence) -> Floats:
    """[mixes] when each mix's clock ticks first, in seconds; empty for a strategy without one."""
    if not rule.has_clock:
        return np.zeros(0)
    mixes = mix_count(parameters)
    if parameters.is_aligned:
        return np.zeros(mixes)
    return stream(seed, _Stream.PHASES).random(mixes) * rule.period_seconds


def restart_times(
    parameters: EventParameters, span: Span, seed: np.random.SeedSequence
) -> tuple[Floats, Ints]:
    """When mixes restart, in seconds, and which."""
    mixes = mix_count(parameters)
    rng = stream(seed, _Stream.RESTARTS)
    count = int(rng.poisson(parameters.restart_rate_per_second * mixes * span.end_seconds))
    times = np.sort(rng.random(count)) * span.end_seconds
    return times, rng.integers(mixes, size=count, dtype=np.int32)


def choices(seed: np.random.SeedSequence, count: int) -> Floats:
    """[count] uniform numbers, one for each place that a packet takes among those that leave."""
    return stream(seed, _Stream.CHOICE).random(count)
