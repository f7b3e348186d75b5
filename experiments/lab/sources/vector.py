"""The vectorised simulator: independent delays, no loss; whole columns of messages at a time.

It starts with an empty network. What is asked of a network that runs for ever is asked of the
messages in the middle (`settled_messages`): as many before them as fill the pools, and as many
after them as it takes until what they were is out again. Spec: docs/spec/laboratory.md.
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.model import LAYERED, DelayLaw, LinkLaw, NetworkParameters, Topology
from experiments.lab.room import HOPS_MAX, require_room
from experiments.lab.sources.vector_order import ordered
from experiments.lab.sources.vector_routes import draw_routes
from experiments.lab.trace import Bytes, Floats, Genre, Ints, Trace
from hushmill.errors import ExitCode, UserError

SETTLED_SHARE = 1e-7  # of a message's probability that may still be under way
EVENT_LIMIT = 2**31 - 1  # events, messages and wires are counted in 32 bits
PLACES_MAX = 2_000_000  # mixes, by the hops at which they are met


@dataclass(frozen=True, slots=True)
class Flows:
    """N messages in the order of sending, each through L mixes.

    senders, receivers  [N] a person's place from 0; both uniform and independent
    mixes               [N, L] the mix at each hop: layer by layer, `width` places a layer, where
                        mixes have layers
    sent, delivered     [N] seconds
    arrived, departed   [N, L] seconds; what is held for no time departs at its arrival
    """

    senders: Ints
    receivers: Ints
    mixes: Ints
    sent: Floats
    arrived: Floats
    departed: Floats
    delivered: Floats
    mix_count: int
    people: int

    @property
    def latency_seconds(self) -> Floats:
        """[N] from sending to delivery."""
        return self.delivered - self.sent


def simulate(parameters: NetworkParameters, messages: int, rng: np.random.Generator) -> Flows:
    """`messages` messages that all users together send as one Poisson process from time 0 on.

    Raises UserError(USAGE) for parameters that contradict each other and for too many messages.
    """
    if messages < 1 or messages * (2 * parameters.layers + 2) > EVENT_LIMIT:
        limit = EVENT_LIMIT // (2 * parameters.layers + 2)
        raise UserError(f"`messages` must be from 1 to {limit}.", ExitCode.USAGE)
    layers = parameters.layers
    senders = rng.integers(parameters.users, size=messages, dtype=np.int32)
    receivers = rng.integers(parameters.users, size=messages, dtype=np.int32)
    mixes = draw_routes(parameters, senders, rng)
    sent = np.cumsum(rng.standard_exponential(messages))
    sent /= parameters.rate_per_second
    arrived = np.empty((layers, messages))
    departed = np.empty((layers, messages))
    at = sent
    for layer in range(layers):
        np.add(at, link_seconds(parameters, messages, rng), out=arrived[layer])
        delays = delay_seconds(parameters, messages, rng)
        np.add(arrived[layer], delays, out=departed[layer])
        at = departed[layer]
    return Flows(
        senders=senders,
        receivers=receivers,
        mixes=mixes.T,
        sent=sent,
        arrived=arrived.T,
        departed=departed.T,
        delivered=at + link_seconds(parameters, messages, rng),
        mix_count=mix_count(parameters),
        people=parameters.users,
    )


def require_hops(parameters: NetworkParameters, messages: int, keys: str) -> None:
    """Raises UserError(USAGE), which names `keys`, for more messages than can be simulated, put in
    order and traced in some 2 GiB; and for more mixes."""
    links = float(messages) * (parameters.layers + 1)
    require_room(keys, "packets on links", links, HOPS_MAX)
    hops = 1 if parameters.topology in LAYERED else parameters.layers
    key = "users" if parameters.topology is Topology.PEER_TO_PEER else "width"
    require_room(f"{key}, layers", "mixes by hop", mix_count(parameters) * hops, PLACES_MAX)


def mix_count(parameters: NetworkParameters) -> int:
    """How many mixes the network has; with peer to peer every user is one."""
    if parameters.topology is Topology.PEER_TO_PEER:
        return parameters.users
    return parameters.layers * parameters.width


def delay_seconds(parameters: NetworkParameters, count: int, rng: np.random.Generator) -> Floats:
    """[count] delays at a mix, by the network's law."""
    mean = parameters.mean_delay_seconds
    match parameters.delay_law:
        case DelayLaw.EXPONENTIAL:
            delays = rng.standard_exponential(count)
        case DelayLaw.CONSTANT:
            return np.full(count, mean)
        case DelayLaw.UNIFORM:
            delays = rng.random(count)
            mean *= 2
        case DelayLaw.GAMMA:  # of shape 2: the sum of two exponential delays
            delays = rng.standard_exponential(count)
            delays += rng.standard_exponential(count)
            mean /= 2
    delays *= mean
    return delays


def link_seconds(
    parameters: NetworkParameters, count: int, rng: np.random.Generator
) -> Floats | float:
    """[count] latencies of a link, or the one that all have."""
    if parameters.link_law is LinkLaw.FIXED or parameters.link_seconds == 0:
        return parameters.link_seconds
    return rng.standard_exponential(count) * parameters.link_seconds


def trace_of(flows: Flows, genre: Bytes | None = None) -> Trace:
    """The events of `flows` in the order of cause, 2L + 2 of each message.

    `genre` [N] says what each message is for; without it all are payload.
    """
    if genre is None:
        genre = np.full(len(flows.sent), Genre.PAYLOAD, dtype=np.uint8)
    time, kind, mix, layer, message, label = ordered(
        flows.sent,
        flows.arrived.T,
        flows.departed.T,
        flows.delivered,
        flows.mixes.T,
        flows.senders,
        flows.receivers,
    )
    return Trace(
        time=time,
        kind=kind,
        mix=mix,
        layer=layer,
        message=message,
        label=label,
        genre=genre,
        mixes=flows.mix_count,
        people=flows.people,
    )


def settling_seconds(parameters: NetworkParameters) -> float:
    """The time after which all but SETTLED_SHARE of what was sent at one instant is delivered."""
    layers, mean = parameters.layers, parameters.mean_delay_seconds
    match parameters.delay_law:
        case DelayLaw.EXPONENTIAL:
            held = _erlang_quantile(layers, mean)
        case DelayLaw.CONSTANT:
            held = layers * mean
        case DelayLaw.UNIFORM:
            held = layers * mean * 2
        case DelayLaw.GAMMA:
            held = _erlang_quantile(2 * layers, mean / 2)
    if parameters.link_law is LinkLaw.FIXED or parameters.link_seconds == 0:
        return held + (layers + 1) * parameters.link_seconds
    return held + _erlang_quantile(layers + 1, parameters.link_seconds)


def settled_messages(parameters: NetworkParameters) -> int:
    """How many messages at either end of a run are too near to it to be traced: those of
    `settling_seconds`, and six standard deviations of their number."""
    expected = parameters.rate_per_second * settling_seconds(parameters)
    keys = "rate_per_second, mean_delay_seconds, link_seconds"
    require_room(keys, "packets under way at once", expected, EVENT_LIMIT)
    return math.ceil(expected + 6 * math.sqrt(expected)) + 1


def _erlang_quantile(shape: int, mean: float) -> float:
    """What the sum of `shape` exponential times of `mean` exceeds with half of SETTLED_SHARE (the
    links' sum may have the other half). The tail is a Poisson sum; found by halving."""
    low, high = 0.0, 4.0 * shape + 60.0
    for _ in range(60):
        middle = (low + high) / 2
        term, tail = math.exp(-middle), 0.0
        for number in range(shape):
            tail += term
            term *= middle / (number + 1)
        low, high = (middle, high) if tail > SETTLED_SHARE / 2 else (low, middle)
    return high * mean
