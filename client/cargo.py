"""What lies in a slot: cargo or cover, and the network by which its packet finds its way."""

from dataclasses import dataclass, field
from enum import StrEnum

from client.controls import Errand
from client.store_outbox import FragmentKey
from hushmill.identifiers import DepositId, Epoch, InboxId, NodeNumber
from pki import Consensus


class PacketKind(StrEnum):
    """What a packet was, for our own counters."""

    PAYLOAD = "payload"
    ACKNOWLEDGEMENT = "acknowledgement"
    LOOP = "loop"
    DROP = "drop"
    NOTHING = "nothing"  # random bytes that no mix sees: there was no document to route by


@dataclass(frozen=True, slots=True)
class Cargo:
    """A sealed body and where it goes. `fragment` None: an acknowledgement, not kept in the
    store."""

    contact: int
    fragment: FragmentKey | None
    provider: NodeNumber
    inbox: InboxId
    deposit: DepositId
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """A document and the epoch whose keys are used with it."""

    consensus: Consensus
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Load:
    """What one revision of a slot's frame is."""

    kind: PacketKind
    packet: bytes = field(repr=False)
    first_mix: NodeNumber
    errand: Errand
    cargo: Cargo | None
    loop: DepositId | None
