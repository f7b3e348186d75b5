"""What a sender chooses (`Route`) and what one layer tells a node (`Instruction`).

What is made once or more for every packet is a named tuple: a frozen dataclass is as unchangeable
and takes more than twice as long to make (1.2 µs for three fields, beside 0.5).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from hushmill.crypto import KemPublic, KemSecret
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.packet.geometry import Geometry


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet's bytes, of the network's one size when made by `Packet.of`."""

    raw: bytes

    @classmethod
    def of(cls, raw: bytes, geometry: Geometry) -> "Packet":
        """The packet. Raises PeerError(PACKET) for any but the exact size."""
        if len(raw) != geometry.packet_bytes:
            raise PeerError(Drop.PACKET)
        return cls(raw)


@dataclass(frozen=True, slots=True)
class Hop:
    """A node on the way, its key of the route's epoch, and how long it is to hold the packet. The
    last hop's delay is not sent: it delivers at once."""

    node: NodeNumber
    key: KemPublic
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Route:
    """One to `geometry.hops` hops, in the order of travel; the last one delivers."""

    hops: tuple[Hop, ...]
    key_epoch: Epoch


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node's own key of one epoch."""

    node: NodeNumber
    epoch: Epoch
    secret: KemSecret = field(repr=False)


class Forward(NamedTuple):
    """Hold `packet` for `delay_seconds`, then send it to `next_node`."""

    next_node: NodeNumber
    delay_seconds: float
    packet: Packet


@dataclass(frozen=True, slots=True)
class Deliver:
    """The packet ends here. `payload` may be noise: `open_deposit` tells."""

    payload: bytes


Instruction = Forward | Deliver


class Unwrapped(NamedTuple):
    """One layer, opened: `tag` is to be refused if seen before under the key of `epoch`."""

    tag: ReplayTag
    epoch: Epoch
    instruction: Instruction
