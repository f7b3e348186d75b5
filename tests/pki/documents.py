"""Signed documents for tests, made from descriptors and the authorities' keys."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from hushmill import codec
from hushmill.crypto import Label
from hushmill.identifiers import Epoch
from pki import (
    Consensus,
    ConsensusBody,
    Descriptor,
    NodeEntry,
    SignatureShare,
    SignedConsensus,
    verify_consensus,
)
from pki.consensus import NO_DOCUMENT
from pki.descriptor import SignedDescriptor
from pki.voting import entry_of
from tests.pki.network import FIRST, Network

NO_LOADS: Mapping[int, int] = MappingProxyType({})


def opened(data: bytes) -> Descriptor:
    """A descriptor without its signature."""
    return codec.decode(codec.decode(data, SignedDescriptor, 1 << 14).body, Descriptor, 1 << 14)


def body_of(
    network: Network,
    epoch: int = FIRST,
    previous: Consensus | None = None,
    loads: Mapping[int, int] = NO_LOADS,
) -> ConsensusBody:
    entries: list[NodeEntry] = []
    for number in network.node_keys:
        descriptor = opened(network.descriptor(number, epoch, 4, load=loads.get(number, 0)))
        entry = entry_of(network.genesis, descriptor, Epoch(epoch))
        assert entry is not None
        entries.append(entry)
    return ConsensusBody(
        network_id=network.genesis.network_id,
        epoch=Epoch(epoch),
        previous_epoch=Epoch(0) if previous is None else previous.epoch,
        previous=NO_DOCUMENT if previous is None else previous.digest,
        nodes=tuple(entries),
    )


def share_of(network: Network, authority: int, body: bytes) -> SignatureShare:
    key = network.authority_keys[authority]
    return SignatureShare(authority, key.sign(Label.CONSENSUS, body))


def signed(network: Network, body: ConsensusBody | bytes, by: tuple[int, ...] = (0, 1, 2)) -> bytes:
    raw = body if isinstance(body, bytes) else codec.encode(body)
    shares = tuple(share_of(network, authority, raw) for authority in by)
    return codec.encode(SignedConsensus(raw, shares))


def chain(
    network: Network, length: int, first: int = FIRST, loads: Mapping[int, int] = NO_LOADS
) -> list[tuple[Consensus, bytes]]:
    """Consecutive documents, each linked to the one before."""
    made: list[tuple[Consensus, bytes]] = []
    for epoch in range(first, first + length):
        data = signed(network, body_of(network, epoch, made[-1][0] if made else None, loads))
        made.append((verify_consensus(network.genesis, data), data))
    return made


def replaced(body: ConsensusBody, index: int, **fields: object) -> ConsensusBody:
    """The body with some fields of one entry replaced."""
    nodes = list(body.nodes)
    nodes[index] = msgspec.structs.replace(nodes[index], **fields)
    return msgspec.structs.replace(body, nodes=tuple(nodes))
