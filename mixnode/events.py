"""What a mix is told, and what it asks to be done. Spec: docs/spec/mixing.md.

Effects are carried out in their order. `LogTags` is answered by `TagsSynced` once the tags are on
disk; only then does a packet of that batch appear in a `SendPacket` or `DeliverPayload`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.packet import Packet, Unwrapped
from pki import Consensus


class Arrived(NamedTuple):
    """A packet came over the pinned link of `source` and its MAC held. `at` is when its frame was
    there, in Unix seconds, since opening it may have taken a while; None is now."""

    source: NodeNumber
    unwrapped: Unwrapped
    at: float | None = None


@dataclass(frozen=True, slots=True)
class TagsSynced:
    """The batch of that `LogTags` is on disk."""

    batch: int


@dataclass(frozen=True, slots=True)
class ConsensusChanged:
    """A verified document is in force for `epoch`."""

    consensus: Consensus
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class LogTags:
    """Append the tags to the log of the epoch's key and sync it. Batches are numbered upwards."""

    batch: int
    epoch: Epoch
    tags: tuple[ReplayTag, ...]


class SendPacket(NamedTuple):
    """The packet leaves now. `kind` is for counters and local traces: the wire shows no such
    thing."""

    to: NodeNumber
    packet: Packet
    kind: Literal["relay", "own_loop"] = "relay"


@dataclass(frozen=True, slots=True)
class DeliverPayload:
    """The payload of a packet that ended here (providers only)."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class EraseKeys:
    """Keys and logs of every epoch below `before` are destroyed, for good."""

    before: Epoch


MixEvent = Arrived | TagsSynced | ConsensusChanged
MixEffect = LogTags | SendPacket | DeliverPayload | EraseKeys
