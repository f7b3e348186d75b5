"""The consensus: the agreed network of one epoch, and the signatures that make it one.

`SignedConsensus` is what travels: the canonical bytes of a `ConsensusBody` and the shares of at
least 2f + 1 distinct authorities. `Consensus` is the verified value that programs use.
Spec: docs/spec/directory.md (Documents).
"""

from dataclasses import dataclass, field

import msgspec

from hushmill import codec
from hushmill.crypto import Kem, KemPublic, Label, digest
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, NetworkId, NodeNumber
from hushmill.link import DIRECTORY_MESSAGE_LIMIT
from hushmill.parameters import KEY_EPOCHS_AHEAD
from pki.admission import check_nodes
from pki.descriptor import check_keys, check_load
from pki.fields import (
    AuthorityField,
    DigestField,
    EpochField,
    EpochKey,
    HostField,
    KeyHashField,
    LabelField,
    LayerField,
    LoadField,
    NetworkField,
    NodeField,
    OptionalPortField,
    PortField,
    SignatureField,
)
from pki.genesis import Genesis, Role

DOCUMENT_BYTES_LIMIT = DIRECTORY_MESSAGE_LIMIT - 1  # a message is one byte and the document
NO_DOCUMENT = bytes(32)  # the "previous" of a network's first document


class NodeEntry(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One node in a document. `keys` begin at the document's epoch: four of them, or fewer when
    the node's last descriptor was older. `load` is a mix's, in packets a second, 0 or a power of
    two; 0 where it is not known."""

    number: NodeField
    role: Role
    operator: LabelField
    layer: LayerField
    host: HostField
    port: PortField
    client_port: OptionalPortField
    key_hash: KeyHashField
    keys: tuple[EpochKey, ...]
    load: LoadField

    def key_for(self, epoch: Epoch) -> bytes | None:
        """The raw KEM public key of `epoch`."""
        return next((key.raw for key in self.keys if key.epoch == epoch), None)


class ConsensusBody(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What authorities sign. `previous` is the digest of the document published before it, of
    `previous_epoch`; NO_DOCUMENT and 0 for the first."""

    network_id: NetworkField
    epoch: EpochField
    previous_epoch: EpochField
    previous: DigestField
    nodes: tuple[NodeEntry, ...]


class SignatureShare(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One authority's hybrid signature over a body."""

    authority: AuthorityField
    signature: SignatureField


class SignedConsensus(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The wire form: `shares` in rising order of authority, so that each counts once."""

    body: bytes
    shares: tuple[SignatureShare, ...]


@dataclass(frozen=True, slots=True)
class Consensus:
    """A verified document, indexed for use. Equal when their digests are."""

    network_id: NetworkId = field(compare=False)
    epoch: Epoch
    previous_epoch: Epoch = field(compare=False)
    previous: bytes = field(compare=False)
    digest: bytes
    nodes: tuple[NodeEntry, ...] = field(compare=False, repr=False)
    providers: tuple[NodeEntry, ...] = field(compare=False, repr=False)
    layers: tuple[tuple[NodeEntry, ...], ...] = field(compare=False, repr=False)  # layer 1 first
    _by_number: dict[NodeNumber, NodeEntry] = field(compare=False, repr=False)
    _parsed: dict[tuple[NodeNumber, Epoch], KemPublic] = field(
        compare=False, repr=False, default_factory=dict
    )

    def node(self, number: NodeNumber) -> NodeEntry | None:
        return self._by_number.get(number)

    def serves(self, epoch: Epoch) -> bool:
        """Whether routes can be built for `epoch`: not past the third epoch after its own, and
        some node with a key in every layer and among the providers."""
        return self.epoch <= epoch <= self.epoch + KEY_EPOCHS_AHEAD and all(
            any(entry.key_for(epoch) is not None for entry in group)
            for group in (self.providers, *self.layers)
        )

    def public_key(self, number: NodeNumber, epoch: Epoch, kem: Kem) -> KemPublic | None:
        """The parsed key of a node for `epoch`; each is parsed once a document (an ML-KEM key
        costs 36 µs)."""
        known = self._parsed.get((number, epoch))
        if known is None:
            entry = self._by_number.get(number)
            raw = entry.key_for(epoch) if entry is not None else None
            if raw is None:
                return None
            known = self._parsed[(number, epoch)] = kem.public(raw)
        return known


def consensus_digest(body: bytes) -> bytes:
    """The 32 bytes by which the next document names this one."""
    return digest(Label.CONSENSUS_DIGEST, body)


def open_body(genesis: Genesis, body: bytes) -> Consensus:
    """The consensus in `body`, checked against the genesis but carrying no signature yet.

    Raises PeerError(DOCUMENT).
    """
    parsed = codec.decode(body, ConsensusBody, DOCUMENT_BYTES_LIMIT)
    if parsed.network_id != genesis.network_id:
        raise PeerError(Drop.DOCUMENT)
    if parsed.previous == NO_DOCUMENT:
        if parsed.previous_epoch != 0:
            raise PeerError(Drop.DOCUMENT)
    elif parsed.previous_epoch >= parsed.epoch:
        raise PeerError(Drop.DOCUMENT)
    for entry in parsed.nodes:
        _check_entry(genesis, entry, parsed.epoch)
    owners = [key.raw for entry in parsed.nodes for key in entry.keys]
    owners += [entry.key_hash for entry in parsed.nodes]
    if len(set(owners)) != len(owners):
        raise PeerError(Drop.DOCUMENT)
    count = genesis.parameters.layers
    try:
        check_nodes(parsed.nodes, count, genesis.narrowest)
    except ValueError as error:
        raise PeerError(Drop.DOCUMENT) from error
    return Consensus(
        network_id=parsed.network_id,
        epoch=parsed.epoch,
        previous_epoch=parsed.previous_epoch,
        previous=parsed.previous,
        digest=consensus_digest(body),
        nodes=parsed.nodes,
        providers=tuple(entry for entry in parsed.nodes if entry.role == "provider"),
        layers=tuple(
            tuple(entry for entry in parsed.nodes if entry.role == "mix" and entry.layer == layer)
            for layer in range(1, count + 1)
        ),
        _by_number={entry.number: entry for entry in parsed.nodes},
    )


def verify_consensus(genesis: Genesis, data: bytes) -> Consensus:
    """The consensus in `data`, signed by 2f + 1 distinct authorities with both kinds of signature.

    Raises PeerError(DOCUMENT); a single wrong share refuses the whole, so that a document has no
    part that nobody vouches for.
    """
    return open_signed(genesis, data)[0]


def open_signed(genesis: Genesis, data: bytes) -> tuple[Consensus, tuple[int, ...]]:
    """As `verify_consensus`, with the numbers of the authorities that signed."""
    signed = codec.decode(data, SignedConsensus, DOCUMENT_BYTES_LIMIT)
    signers = tuple(share.authority for share in signed.shares)
    distinct = sorted(set(signers))
    if list(signers) != distinct or len(distinct) < genesis.quorum:
        raise PeerError(Drop.DOCUMENT)
    for share in signed.shares:
        verify_share(genesis, share, signed.body)
    return open_body(genesis, signed.body), signers


def verify_share(genesis: Genesis, share: SignatureShare, body: bytes) -> None:
    """Raises PeerError(DOCUMENT) unless the authority's both signatures hold over `body`."""
    if share.authority >= len(genesis.authority_keys):
        raise PeerError(Drop.DOCUMENT)
    genesis.authority_keys[share.authority].verify(Label.CONSENSUS, share.signature, body)


def _check_entry(genesis: Genesis, entry: NodeEntry, epoch: Epoch) -> None:
    """An entry must repeat the role, operator and layer that the genesis gave the node."""
    admitted = genesis.node(entry.number)
    if admitted is None or (admitted.role, admitted.operator, admitted.layer) != (
        entry.role,
        entry.operator,
        entry.layer,
    ):
        raise PeerError(Drop.DOCUMENT)
    check_load(entry.load, entry.role)
    check_keys(entry.keys, KEY_EPOCHS_AHEAD + 1)
    if entry.keys[0].epoch != epoch:
        raise PeerError(Drop.DOCUMENT)
