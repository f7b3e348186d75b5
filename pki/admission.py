"""Which networks are sound: the checks that a genesis and every document must pass.

Each failure is a ValueError whose text names the fault; callers say whose fault it is.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol

from hushmill.crypto import kem_named
from hushmill.link import LinkClass, frame_bytes
from hushmill.packet import Geometry
from hushmill.parameters import Parameters
from pki.loop_alarm import fewest_allowed

LAYERS_LIMIT = 8
NODES_LIMIT = 800  # of whose longest descriptors a vote still fits a directory message
POOL_LIMIT = 10_000  # packets; a fraction of the smallest budget
POOL_INTERVAL_LEAST = 0.05  # seconds: ten ticks of a mix
ALARM_WINDOW_LIMIT = 1000  # loops; over an hour of them at the default rate
DELAY_LEAST_SECONDS = 0.01  # two ticks of a mix; below that a delay hides nothing
DELAY_MOST_SECONDS = 400.0  # ten of them fit the four bytes of microseconds that a packet has
MIX_LOOP_RATE_LIMIT = 100.0  # a second; a mix takes some two milliseconds to wrap one
PAYLOAD_LEAST_BYTES = 256
RECORD_BYTES = 16_384
RATE_LIMIT = 1e6  # packets a second of one sender; far above any, so that sums stay finite


class Placed(Protocol):
    """A node with its place, as genesis and documents both carry it."""

    @property
    def number(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def layer(self) -> int: ...
    @property
    def client_port(self) -> int: ...


class Numbered(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...


def check_parameters(parameters: Parameters) -> None:
    """Refuses constants with which the protocol's clocks or sizes cannot work."""
    positive = {
        "pool_interval_seconds": parameters.pool_interval_seconds,
        "payload_rate": parameters.payload_rate,
        "acknowledgement_active_seconds": parameters.acknowledgement_active_seconds,
        "acknowledgement_idle_seconds": parameters.acknowledgement_idle_seconds,
    }
    for key, value in positive.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"parameters.{key} must be above zero")
    rates = {
        "loop_rate": parameters.loop_rate,
        "drop_rate": parameters.drop_rate,
        "mix_loop_rate": parameters.mix_loop_rate,
    }
    for key, value in rates.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"parameters.{key} must not be negative")
    for key, value in {"payload_rate": parameters.payload_rate, **rates}.items():
        if value > RATE_LIMIT:
            raise ValueError(f"parameters.{key} must be at most {RATE_LIMIT:,.0f} a second")
    if not 1 <= parameters.layers <= LAYERS_LIMIT:
        raise ValueError(f"parameters.layers must be 1 to {LAYERS_LIMIT}")
    _check_sizes(parameters)
    if parameters.epoch_seconds < 2:
        raise ValueError("parameters.epoch_seconds must be at least 2")
    if parameters.skew_seconds < 0:
        raise ValueError("parameters.skew_seconds must not be negative")
    _check_alarm(parameters)
    _check_holding(parameters)


def _check_sizes(parameters: Parameters) -> None:
    """A frame is one TLS record, of 16,384 bytes at most (RFC 8446, 5.1), and a client's is the
    largest that a packet has."""
    if parameters.payload_bytes < PAYLOAD_LEAST_BYTES:
        raise ValueError(f"parameters.payload_bytes must be at least {PAYLOAD_LEAST_BYTES}")
    kem = kem_named(parameters.suite)
    packet = Geometry(kem, parameters.hops, parameters.payload_bytes).packet_bytes
    if frame_bytes(LinkClass.CLIENT, packet) > RECORD_BYTES:
        raise ValueError(
            f"parameters.payload_bytes makes packets of {packet:,} bytes, which do not fit a TLS "
            f"record of {RECORD_BYTES:,}"
        )


def _check_alarm(parameters: Parameters) -> None:
    """The window must be able to tell: with every loop lost the alarm has to rise."""
    if not 0 <= parameters.loss_per_link < 1:
        raise ValueError("parameters.loss_per_link must be 0 or more, and under 1")
    window = parameters.alarm_window_loops
    if not 1 <= window <= ALARM_WINDOW_LIMIT:
        raise ValueError(f"parameters.alarm_window_loops must be 1 to {ALARM_WINDOW_LIMIT}")
    if fewest_allowed(window, parameters.loop_return_probability) == 0:
        raise ValueError(
            f"parameters.alarm_window_loops: of {window} loops all may be lost by chance at this "
            "loss_per_link; give a longer window"
        )


def _check_holding(parameters: Parameters) -> None:
    """The old key's grace must cover what mixes may hold, and delays must fit a packet."""
    mean = parameters.delay_mean_seconds
    if not DELAY_LEAST_SECONDS <= mean <= DELAY_MOST_SECONDS:
        raise ValueError(
            f"parameters.delay_mean_seconds must be {DELAY_LEAST_SECONDS} to {DELAY_MOST_SECONDS:g}"
        )
    if parameters.mix_loop_rate > MIX_LOOP_RATE_LIMIT:
        raise ValueError(
            f"parameters.mix_loop_rate must be at most {MIX_LOOP_RATE_LIMIT:g}: a mix wraps each"
        )
    if not 1 <= parameters.pool_packets <= POOL_LIMIT:
        raise ValueError(f"parameters.pool_packets must be 1 to {POOL_LIMIT:,}")
    if parameters.pool_interval_seconds < POOL_INTERVAL_LEAST:
        raise ValueError(
            f"parameters.pool_interval_seconds must be at least {POOL_INTERVAL_LEAST:g}"
        )
    if parameters.mixing == "timed_pool" and parameters.mix_loop_rate == 0:
        raise ValueError(
            "parameters.mix_loop_rate must be above zero in a timed pool: with nobody on, packets "
            "would stay in it for ever"
        )
    if parameters.key_grace_seconds >= parameters.epoch_seconds / 2:
        raise ValueError(
            f"parameters: the old key's grace (layers x {_limit_words(parameters)} + "
            f"2 x skew_seconds = {parameters.key_grace_seconds:g} s) must be under half of "
            "epoch_seconds"
        )


def _limit_words(parameters: Parameters) -> str:
    if parameters.mixing == "poisson":
        return "delay cap"
    return f"{parameters.pool_rounds:g} rounds of the pool"


def check_authorities(authorities: Sequence[Numbered]) -> None:
    """n = 3f + 1 with f at least 1, numbered from 0 in order, names distinct."""
    if len(authorities) < 4 or len(authorities) % 3 != 1:
        raise ValueError(f"{len(authorities)} authorities are not 3f + 1 (4, 7, 10, …)")
    if [authority.number for authority in authorities] != list(range(len(authorities))):
        raise ValueError("authorities are not numbered 0, 1, 2, …")
    if len({authority.name for authority in authorities}) != len(authorities):
        raise ValueError("two authorities have one name")


def is_cascade(nodes: Iterable[Placed], layers: int) -> bool:
    """Whether every layer has exactly one mix. The genesis alone decides it: a stratified network
    that lost nodes is not one."""
    return _widths(nodes, layers) == [1] * layers


def check_nodes(nodes: Sequence[Placed], layers: int, narrowest: int) -> None:
    """Numbers rise, every layer is filled, and no operator can own a route.

    A layer needs `narrowest` mixes: two, or one in a cascade. All nodes of one operator
    are in one layer; providers count as a layer of their own, since they are a hop as well.
    """
    if len(nodes) > NODES_LIMIT:
        raise ValueError(f"more than {NODES_LIMIT} nodes")
    numbers = [node.number for node in nodes]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise ValueError("node numbers do not rise")
    for node in nodes:
        if node.role == "provider" and (node.layer != 0 or node.client_port == 0):
            raise ValueError(f"provider {node.number} needs layer 0 and a client_port")
        if node.role == "mix" and not (1 <= node.layer <= layers and node.client_port == 0):
            raise ValueError(f"mix {node.number} needs a layer from 1 to {layers}, client_port 0")
    _check_operators(nodes)
    if not any(node.role == "provider" for node in nodes):
        raise ValueError("there is no provider")
    check_widths(nodes, layers, narrowest)


def check_widths(nodes: Iterable[Placed], layers: int, narrowest: int) -> None:
    """Every layer has `narrowest` mixes or more."""
    for layer, width in enumerate(_widths(nodes, layers), 1):
        if width < narrowest:
            raise ValueError(f"layer {layer} has fewer mixes than {narrowest}")


def _widths(nodes: Iterable[Placed], layers: int) -> list[int]:
    widths = [0] * layers
    for node in nodes:
        if node.role == "mix":
            widths[node.layer - 1] += 1
    return widths


def _check_operators(nodes: Iterable[Placed]) -> None:
    layer_of: dict[str, int] = {}
    for node in nodes:
        if layer_of.setdefault(node.operator, node.layer) != node.layer:
            raise ValueError(f"operator {node.operator} has nodes in two layers")
