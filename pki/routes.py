"""Routes: one uniformly drawn mix a layer, exponential delays, and the destination.

Mixes and delays are drawn before, and without, the destination, so that cover and payload, a first
try and a retry follow one law. Spec: docs/spec/directory.md (Routes).
"""

from collections.abc import Sequence

from hushmill.crypto import Kem
from hushmill.errors import ExitCode, UsageError, UserError
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Hop, Route
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness, choose, exponential
from pki.consensus import Consensus, NodeEntry


def choose_mixes(
    consensus: Consensus, epoch: Epoch, parameters: Parameters, kem: Kem, rng: Randomness
) -> tuple[Hop, ...]:
    """One hop a layer, each uniform among the layer's mixes with a key for `epoch`.

    Raises UserError(NO_CONSENSUS) when a layer has none.
    """
    return tuple(
        _forward_hop(consensus, layer, epoch, parameters, kem, rng) for layer in consensus.layers
    )


def route_to(
    mixes: tuple[Hop, ...], consensus: Consensus, destination: NodeNumber, epoch: Epoch, kem: Kem
) -> Route:
    """The route over `mixes` that ends at `destination`, which adds no delay.

    Raises UserError(NO_CONSENSUS) when the destination has no key for `epoch`.
    """
    return Route((*mixes, _last_hop(consensus, destination, epoch, kem)), epoch)


def choose_provider(consensus: Consensus, rng: Randomness) -> NodeNumber:
    """A uniform provider: where drop cover goes."""
    return choose(rng, consensus.providers).number


def loop_route(
    consensus: Consensus,
    node: NodeNumber,
    epoch: Epoch,
    parameters: Parameters,
    kem: Kem,
    rng: Randomness,
) -> Route:
    """A node's own loop: the layers after it, a random provider, the layers before it, itself.

    It has as many hops as any packet. A provider's loop is the layers and itself.
    Raises UserError(NO_CONSENSUS) when a layer has no key for `epoch`, UsageError for a node that
    is not in the consensus.
    """
    entry = consensus.node(node)
    if entry is None:
        raise UsageError(f"node {node} is not in the consensus")
    groups: list[Sequence[NodeEntry]] = list(consensus.layers[entry.layer :])
    if entry.role == "mix":
        groups += [consensus.providers, *consensus.layers[: entry.layer - 1]]
    hops = tuple(_forward_hop(consensus, group, epoch, parameters, kem, rng) for group in groups)
    return Route((*hops, _last_hop(consensus, node, epoch, kem)), epoch)


def _forward_hop(
    consensus: Consensus,
    group: Sequence[NodeEntry],
    epoch: Epoch,
    parameters: Parameters,
    kem: Kem,
    rng: Randomness,
) -> Hop:
    able = [entry for entry in group if entry.key_for(epoch) is not None]
    if not able:
        raise _no_key()
    chosen = choose(rng, able).number
    key = consensus.public_key(chosen, epoch, kem)
    if key is None:
        raise _no_key()
    return Hop(chosen, key, draw_delay(parameters, rng))


def _last_hop(consensus: Consensus, node: NodeNumber, epoch: Epoch, kem: Kem) -> Hop:
    key = consensus.public_key(node, epoch, kem)
    if key is None:
        raise _no_key()
    return Hop(node, key, 0.0)


def draw_delay(parameters: Parameters, rng: Randomness) -> float:
    """An exponential delay in seconds, redrawn (never clipped) above the cap."""
    while True:
        delay = exponential(rng, parameters.delay_mean_seconds)
        if delay <= parameters.delay_cap_seconds:
            return delay


def _no_key() -> UserError:
    return UserError(
        "The directory has no keys for this hour of the network. Wait for a new document; nothing "
        "is sent meanwhile.",
        ExitCode.NO_CONSENSUS,
    )
