"""Votes, and the document that a set of votes makes: pure functions of signed bytes.

Two authorities that hold the same vote set compute the same bytes. A descriptor and a "previous"
count when f + 1 votes carry them, so that at least one honest authority vouches for them.
Spec: docs/spec/directory.md (Voting).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from hushmill import codec
from hushmill.crypto import Kem, Label, SigningKey
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from hushmill.link import DIRECTORY_MESSAGE_LIMIT
from hushmill.parameters import KEY_EPOCHS_AHEAD
from pki.consensus import NO_DOCUMENT, ConsensusBody, NodeEntry, open_body
from pki.descriptor import Descriptor, open_descriptor
from pki.fields import AuthorityField, DigestField, EpochField, NetworkField, SignatureField
from pki.genesis import Genesis

VOTE_BYTES_LIMIT = DIRECTORY_MESSAGE_LIMIT - 1


class Head(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, order=True):
    """A document by epoch and digest."""

    epoch: EpochField
    digest: DigestField


NO_HEAD = Head(Epoch(0), NO_DOCUMENT)


class VoteBody(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """One authority's view for the document of `epoch`.

    `published` is the newest document that it holds, `signed` the newest that it signed before
    `epoch` (a document may have been published behind a partition); NO_HEAD for none.
    `descriptors` are signed ones, by rising node number.
    """

    network_id: NetworkField
    authority: AuthorityField
    epoch: EpochField
    published: Head
    signed: Head
    descriptors: tuple[bytes, ...]


class SignedVote(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The wire form."""

    body: bytes
    signature: SignatureField


class ShareBody(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """The wire form of one authority's signature over the document named by `digest`."""

    network_id: NetworkField
    authority: AuthorityField
    epoch: EpochField
    digest: DigestField
    signature: SignatureField


@dataclass(frozen=True, slots=True)
class ClaimedVote:
    """A vote whose form is right and whose signatures nobody has looked at."""

    body: VoteBody
    signed: SignedVote


@dataclass(frozen=True, slots=True)
class OpenVote:
    """A vote whose signature and descriptors hold."""

    authority: int
    epoch: Epoch
    heads: frozenset[Head]
    descriptors: tuple[Descriptor, ...]


def sign_vote(body: VoteBody, key: SigningKey) -> bytes:
    """The signed wire form."""
    data = codec.encode(body)
    return codec.encode(SignedVote(data, key.sign(Label.VOTE, data)))


def read_vote(genesis: Genesis, data: bytes) -> ClaimedVote:
    """The form of the vote in `data`, without any public-key work: enough to recognise a vote that
    is not wanted. Raises PeerError(DOCUMENT)."""
    signed = codec.decode(data, SignedVote, VOTE_BYTES_LIMIT)
    body = codec.decode(signed.body, VoteBody, VOTE_BYTES_LIMIT)
    if body.network_id != genesis.network_id or body.authority >= len(genesis.authorities):
        raise PeerError(Drop.DOCUMENT)
    if len(body.descriptors) > len(genesis.nodes):
        raise PeerError(Drop.DOCUMENT)
    for head in (body.published, body.signed):
        if head != NO_HEAD and (head.epoch >= body.epoch or head.digest == NO_DOCUMENT):
            raise PeerError(Drop.DOCUMENT)
    return ClaimedVote(body, signed)


def verify_vote(
    genesis: Genesis, claimed: ClaimedVote, kem: Kem, known: Mapping[bytes, Descriptor]
) -> OpenVote:
    """The vote, opened; descriptors in `known` were opened before and are not opened again.

    Raises PeerError(DOCUMENT) for a wrong signer, and for the whole vote when one descriptor in it
    is not valid, not admitted, out of order, or shares a key with another.
    """
    body, signed = claimed.body, claimed.signed
    genesis.authority_keys[body.authority].verify(Label.VOTE, signed.signature, signed.body)
    opened = tuple(
        known[raw] if raw in known else open_descriptor(genesis, raw, kem)
        for raw in body.descriptors
    )
    numbers = [descriptor.number for descriptor in opened]
    if numbers != sorted(set(numbers)) or has_shared_key(opened):
        raise PeerError(Drop.DOCUMENT)
    return OpenVote(body.authority, body.epoch, frozenset({body.published, body.signed}), opened)


def open_vote(
    genesis: Genesis, data: bytes, kem: Kem, known: Mapping[bytes, Descriptor]
) -> OpenVote:
    """`read_vote` and `verify_vote`."""
    return verify_vote(genesis, read_vote(genesis, data), kem, known)


def has_shared_key(descriptors: Iterable[Descriptor]) -> bool:
    """Whether a KEM key or link key stands twice in the descriptors (of different nodes)."""
    keys = [key for descriptor in descriptors for key in keys_of(descriptor)]
    return len(set(keys)) != len(keys)


def keys_of(descriptor: Descriptor) -> list[bytes]:
    """Every public key that must be this node's alone."""
    return [descriptor.key_hash, *(key.raw for key in descriptor.keys)]


def document_of(genesis: Genesis, epoch: Epoch, votes: Mapping[int, OpenVote]) -> bytes | None:
    """The canonical body for `epoch` that this vote set makes, by authority number.

    None when fewer than 2f + 1 votes are given, or no sound network follows from them. The first
    document of a network holds every node of the genesis.
    """
    if len(votes) < genesis.quorum:
        return None
    previous = _previous(genesis, votes.values())
    if previous is None:
        return None
    chosen = _without_shared_keys(_supported(genesis, votes.values()))
    entries = [entry_of(genesis, descriptor, epoch) for descriptor in chosen]
    nodes = tuple(entry for entry in entries if entry is not None)
    if previous == NO_HEAD and len(nodes) != len(genesis.nodes):
        return None
    body = codec.encode(
        ConsensusBody(
            network_id=genesis.network_id,
            epoch=epoch,
            previous_epoch=previous.epoch,
            previous=previous.digest,
            nodes=nodes,
        )
    )
    try:
        open_body(genesis, body)
    except PeerError:
        return None
    return body


def entry_of(genesis: Genesis, descriptor: Descriptor, epoch: Epoch) -> NodeEntry | None:
    """The node's entry for `epoch` and three more; None when it has no key for `epoch`.

    The load of a descriptor that is older than the epoch before is left out: a mix that is gone
    relays nothing.
    """
    admitted = genesis.node(descriptor.number)
    keys = tuple(key for key in descriptor.keys if epoch <= key.epoch <= epoch + KEY_EPOCHS_AHEAD)
    if admitted is None or not keys or keys[0].epoch != epoch:
        return None
    return NodeEntry(
        number=descriptor.number,
        role=admitted.role,
        operator=admitted.operator,
        layer=admitted.layer,
        host=descriptor.host,
        port=descriptor.port,
        client_port=descriptor.client_port,
        key_hash=descriptor.key_hash,
        keys=keys,
        load=descriptor.load if descriptor.keys[0].epoch + 1 >= epoch else 0,
    )


def _previous(genesis: Genesis, votes: Collection[OpenVote]) -> Head | None:
    """The newest document that f + 1 votes hold or signed."""
    support = Counter(head for vote in votes for head in vote.heads)
    able = [(head, count) for head, count in support.items() if count > genesis.faults]
    if not able:
        return None
    return max(able, key=lambda item: (item[0].epoch, item[1], item[0].digest))[0]


def _supported(genesis: Genesis, votes: Collection[OpenVote]) -> list[Descriptor]:
    """Of each node the newest descriptor that f + 1 votes carry, by rising number."""
    # By what is said, not by the signed bytes: a node may sign the same twice.
    support = Counter(descriptor for vote in votes for descriptor in vote.descriptors)
    newest: dict[int, Descriptor] = {}
    for descriptor in sorted(support, key=lambda one: (one.made_at, codec.encode(one))):
        if support[descriptor] > genesis.faults:
            newest[descriptor.number] = descriptor
    return [newest[number] for number in sorted(newest)]


def _without_shared_keys(descriptors: Collection[Descriptor]) -> list[Descriptor]:
    """Nodes that claim one key are all left out: which of them made it cannot be told."""
    claims = Counter(key for descriptor in descriptors for key in keys_of(descriptor))
    return [
        descriptor
        for descriptor in descriptors
        if all(claims[key] == 1 for key in keys_of(descriptor))
    ]
