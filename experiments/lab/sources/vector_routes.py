"""Routes: which mixes each message of a simulated network takes."""

import numpy as np

from experiments.lab.model import NetworkParameters, Topology
from experiments.lab.trace import Ints
from hushmill.errors import ExitCode, UserError


def draw_routes(parameters: NetworkParameters, senders: Ints, rng: np.random.Generator) -> Ints:
    """[L, N] the mix that each of N messages takes at each hop, by the network's topology.

    With layers, the mix at place p of layer l is l * width + p, and cascade p is place p of every
    layer. Raises UserError(USAGE) for weights that do not fit, and for too few peers.
    """
    layers, count = parameters.layers, len(senders)
    match parameters.topology:
        case Topology.STRATIFIED:
            routes = np.stack([_places(parameters, count, rng) for _ in range(layers)])
            return np.add(routes, _first_of_layer(parameters), dtype=np.int32)
        case Topology.CASCADES:
            place = _places(parameters, count, rng)
            return np.add(place, _first_of_layer(parameters), dtype=np.int32)
        case Topology.FREE_ROUTE:
            _refuse_weights(parameters)
            return _distinct(layers * parameters.width, layers, None, count, rng)
        case Topology.PEER_TO_PEER:
            _refuse_weights(parameters)
            if parameters.users <= layers:
                raise UserError(
                    f"`users` must be more than `layers` ({layers}): with `topology` "
                    "peer_to_peer a route takes that many other people's mixes.",
                    ExitCode.USAGE,
                )
            return _distinct(parameters.users, layers, senders, count, rng)


def _first_of_layer(parameters: NetworkParameters) -> Ints:
    first = np.arange(parameters.layers, dtype=np.int32) * np.int32(parameters.width)
    return first[:, np.newaxis]


def _places(parameters: NetworkParameters, count: int, rng: np.random.Generator) -> Ints:
    """[count] places from 0 to width - 1, by their weights."""
    weights, width = parameters.weights, parameters.width
    if not weights:
        return rng.integers(width, size=count, dtype=np.int32)
    if len(weights) != width:
        raise UserError(
            f"`weights` must have one number for each of `width` ({width}) places, not "
            f"{len(weights)}.",
            ExitCode.USAGE,
        )
    upper = np.cumsum(np.array(weights, dtype=np.float64))
    found = np.searchsorted(upper[:-1], rng.random(count) * upper[-1], side="right")
    places: Ints = found.astype(np.int32)
    return places


def _refuse_weights(parameters: NetworkParameters) -> None:
    if parameters.weights:
        raise UserError(
            f"`weights` has no meaning with `topology` {parameters.topology}: there every mix is "
            "as likely as another.",
            ExitCode.USAGE,
        )


def _distinct(
    of: int, wanted: int, excluded: Ints | None, count: int, rng: np.random.Generator
) -> Ints:
    """[wanted, count] distinct numbers below `of` for each of `count` messages, every sequence as
    likely as another; without the message's own number in `excluded`, if given."""
    routes = np.empty((wanted, count), dtype=np.int32)
    taken = np.empty((0, count), dtype=np.int32) if excluded is None else excluded[np.newaxis]
    for hop in range(wanted):
        drawn = rng.integers(of - len(taken), size=count, dtype=np.int32)
        for lower in taken:  # in rising order: step over each that is taken
            drawn += drawn >= lower
        routes[hop] = drawn
        taken = np.sort(np.concatenate([taken, drawn[np.newaxis]]), axis=0)
    return routes
