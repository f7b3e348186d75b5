"""The network that a simulation is of: the parameters that every source of traces shares.

Spec: docs/spec/laboratory.md (Network model). Experiments add keys of their own by inheriting.
"""

from enum import StrEnum
from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]


def described(text: str, **limits: Any) -> msgspec.Meta:
    """What a key means, and msgspec's limits of its value; `lab list` shows both."""
    return msgspec.Meta(description=text, **limits)


class Topology(StrEnum):
    STRATIFIED = "stratified"  # one mix of each layer, drawn for each message
    CASCADES = "cascades"  # `width` fixed sequences of `layers` mixes; one is drawn
    FREE_ROUTE = "free_route"  # `layers` distinct mixes of all `layers * width`, in any order
    PEER_TO_PEER = "peer_to_peer"  # every user is a mix; `layers` distinct others are drawn


LAYERED = frozenset({Topology.STRATIFIED, Topology.CASCADES})  # every mix is at one hop of a route


class DelayLaw(StrEnum):
    EXPONENTIAL = "exponential"  # memoryless: what hushmill does
    CONSTANT = "constant"
    UNIFORM = "uniform"  # from 0 to twice the mean
    GAMMA = "gamma"  # of shape 2


class LinkLaw(StrEnum):
    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class NetworkParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rates are packets a second of the whole network, cover included; times are in seconds."""

    topology: Annotated[Topology, described("How routes are drawn.")] = Topology.STRATIFIED
    layers: Annotated[int, described("Mixes on every route.", ge=1, le=64)] = 3
    width: Annotated[
        int, described("Mixes a layer; with cascades, how many there are.", ge=1, le=10_000)
    ] = 10
    weights: Annotated[
        tuple[Positive, ...],
        described("Relative chance of each place of a layer; empty is uniform."),
    ] = ()
    users: Annotated[int, described("People who send.", ge=1, le=10_000_000)] = 100
    rate_per_second: Annotated[
        float, described("Packets a second that all users send together.", gt=0)
    ] = 100.0
    delay_law: Annotated[DelayLaw, described("Law of a mix's delay.")] = DelayLaw.EXPONENTIAL
    mean_delay_seconds: Annotated[float, described("Mean delay at each mix.", gt=0)] = 0.5
    link_law: Annotated[LinkLaw, described("Law of a link's latency.")] = LinkLaw.FIXED
    link_seconds: Annotated[
        float, described("Mean latency of each of the layers + 1 links.", ge=0)
    ] = 0.0
