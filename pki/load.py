"""Load: what each mix says that it relayed, and the anonymity that follows for everybody.

A mix's descriptor carries the packets a second of its last whole epoch, rounded down to a power of
two. It is coarse, but public: who can pad a quiet network up to the edge of a step sees by the step
whether a few clients more are on. Loads are what mixes say of themselves: rounded down, the middle
one of a layer, and the least of the layers, so that few liars do not raise the figures.
Spec: docs/spec/directory.md (Load).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hushmill.errors import UsageError
from hushmill.parameters import Parameters
from pki.anonymity import (
    packet_entropy_bits,
    pool_packet_entropy_bits,
    pool_sender_entropy_bits,
    sender_entropy_bits,
)
from pki.consensus import Consensus, NodeEntry


@dataclass(frozen=True, slots=True)
class NetworkAnonymity:
    """What a network of this load hides from an observer of every link; all rounded towards less.

    `packet_bits` is the doubt about where a packet went among *other* people's packets,
    `sender_bits` about who sent one. Both are 0 with fewer than two clients.
    """

    load_packets_per_second: int
    clients_estimated: int
    packet_bits: float
    sender_bits: float


def coarse_load(packets: int, seconds: float) -> int:
    """Packets a second, rounded down to a power of two; 0 below one packet a second.

    Raises UsageError for a count below zero or no time.
    """
    if packets < 0 or seconds <= 0:
        raise UsageError("a load is of a count of packets and a span of time")
    rate = int(packets / seconds)
    return 1 << (rate.bit_length() - 1) if rate else 0


def network_load(consensus: Consensus) -> int:
    """Packets a second that cross the network: the least of what the layers say.

    A layer says its width times the lower median of its mixes' loads: routes are drawn uniformly,
    so honest mixes of a layer relay alike. Whoever wants to raise the figure needs more than half
    of *every* layer, or really sends packets. Many mixes that say too little, or were just started,
    lower it.
    """
    return min(_middle(layer) * len(layer) for layer in consensus.layers)


def _middle(layer: Sequence[NodeEntry]) -> int:
    """The lower median of a layer's loads."""
    loads = sorted(entry.load for entry in layer)
    return loads[(len(loads) - 1) // 2]


def is_load_known(consensus: Consensus) -> bool:
    """Whether any mix has said what it relayed; in a network's first epochs none has."""
    return any(entry.load for layer in consensus.layers for entry in layer)


def anonymity_of(consensus: Consensus, parameters: Parameters) -> NetworkAnonymity | None:
    """What the loads in `consensus` let people expect; None while `is_load_known` is false."""
    if not is_load_known(consensus):
        return None
    return anonymity_at(
        network_load(consensus), [len(layer) for layer in consensus.layers], parameters
    )


def anonymity_at(load: int, widths: list[int], parameters: Parameters) -> NetworkAnonymity:
    """The same for a load in packets a second and layers of `widths` mixes.

    Mixes' own loops cross, or begin in, each layer once, so what is left after them is clients';
    each client sends at the genesis' rate whether it talks or not. The widest layer counts, whose
    mixes hold fewest.
    """
    from_clients = load - sum(widths) * parameters.mix_loop_rate
    clients = int(max(0.0, min(from_clients / parameters.client_rate, float(load))))
    return anonymity_with(clients, widths, parameters, load)


def anonymity_with(
    clients: int, widths: list[int], parameters: Parameters, load: int | None = None
) -> NetworkAnonymity:
    """The same for a number of clients that are on. `load` is worked out where it is not given."""
    if clients < 0 or not widths:
        raise UsageError("a network has layers, and no fewer than no clients")
    rate, layers, width = parameters.client_rate, len(widths), max(widths)
    loops = sum(widths) * parameters.mix_loop_rate
    others = max(0, clients - 1) * rate
    if parameters.mixing == "poisson":
        mean = parameters.delay_mean_seconds
        packet_bits = packet_entropy_bits(others, mean, layers, width)
        sender_bits = sender_entropy_bits(clients, clients * rate, mean, layers, width)
    else:
        packet_bits = pool_packet_entropy_bits(*pool_share(others, clients, widths, parameters))
        theirs = pool_share(clients * rate, clients, widths, parameters)
        sender_bits = pool_sender_entropy_bits(clients, *theirs)
    return NetworkAnonymity(
        load_packets_per_second=int(clients * rate + loops) if load is None else load,
        clients_estimated=clients,
        packet_bits=packet_bits,
        sender_bits=sender_bits,
    )


def pool_share(
    rate: float, clients: int, widths: Sequence[int], parameters: Parameters
) -> tuple[float, float]:
    """Of traffic of `rate` packets a second: how many come to one pool of the widest layer in a
    round, and how many of those that it keeps are such. What is kept is a fair sample of what
    comes, mixes' own loops among it; an observer is granted which packets are those."""
    everything = clients * parameters.client_rate + sum(widths) * parameters.mix_loop_rate
    share = rate / everything if everything > 0 else 0.0
    arrivals = rate * parameters.pool_interval_seconds / max(widths)
    return arrivals, parameters.pool_packets * share


def hold_seconds(clients: int, widths: Sequence[int], parameters: Parameters) -> float:
    """How long a mix of the widest layer holds a packet in the mean, with so many clients on."""
    if parameters.mixing == "poisson":
        return parameters.delay_mean_seconds
    everything = clients * parameters.client_rate + sum(widths) * parameters.mix_loop_rate
    arrivals = everything * parameters.pool_interval_seconds / max(widths)
    return parameters.pool_interval_seconds * (0.5 + parameters.pool_packets / arrivals)
