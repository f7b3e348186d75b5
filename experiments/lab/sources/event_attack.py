"""Packets that an attacker puts into a mix by hand: its own, and one of somebody else's that it has
held back until now. Spec: docs/spec/laboratory.md (n - 1).
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.model import Topology
from experiments.lab.sources.event_model import EventParameters, rule_of
from experiments.lab.sources.event_traffic import NEVER, Plan, clocks, latencies, services
from experiments.lab.sources.vector_routes import draw_routes
from experiments.lab.trace import NOBODY, Floats, Genre, Ints
from hushmill.errors import ExitCode, UserError

UNTOUCHED = 1.0  # luck above any blocked share


@dataclass(frozen=True, slots=True)
class Injection:
    """What comes in at mix 0 of the first layer, where the attacker sits on the links.

    target_seconds   when one packet of user 0 comes in, the payload that is to be linked
    flood_seconds    [F] when packets of the attacker's own come in
    """

    target_seconds: float
    flood_seconds: Floats


def attacker_of(parameters: EventParameters) -> int:
    """The attacker's place among people: after all users."""
    return parameters.users


def injection_plan(
    parameters: EventParameters, injection: Injection, rng: np.random.Generator
) -> Plan:
    """The packets of an injection: no link loses them, the first is passed at once, and the
    attacker sends its own to itself. Raises UserError(USAGE) where routes have no first layer."""
    if parameters.topology not in (Topology.STRATIFIED, Topology.CASCADES):
        raise UserError(
            f"An n - 1 attack is on a mix of the first layer; topology {parameters.topology} has "
            "no layers.",
            ExitCode.USAGE,
        )
    begun = np.r_[injection.target_seconds, injection.flood_seconds]
    count = len(begun)
    attacker = attacker_of(parameters)
    person: Ints = np.full(count, attacker, dtype=np.int32)
    person[0] = 0
    receiver = person.copy()
    receiver[0] = rng.integers(parameters.users)
    genre = np.full(count, Genre.UNKNOWN, dtype=np.uint8)
    genre[0] = Genre.PAYLOAD
    route = np.ascontiguousarray(draw_routes(parameters, person, rng).T, dtype=np.int32)
    if parameters.topology is Topology.CASCADES:
        route = np.tile(
            np.arange(parameters.layers, dtype=np.int32) * parameters.width, (count, 1)
        ).astype(np.int32)
    route[:, 0] = 0
    latency = latencies(parameters, route.shape, rng)
    latency[:, 0] = 0.0
    return Plan(
        begun=begun,
        sender=person,
        receiver=receiver,
        genre=genre,
        home=np.full(count, NOBODY, dtype=np.int32),
        route=route,
        first_layer=np.zeros(count, dtype=np.int32),
        clock=clocks(parameters, rule_of(parameters), route.shape, rng),
        latency=latency,
        lost_link=np.full(count, NEVER, dtype=np.int32),
        service=services(parameters, route.shape, rng),
        luck=np.full(count, UNTOUCHED),
    )
