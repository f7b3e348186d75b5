"""Votes and the document they make."""

from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushmill import codec
from hushmill.errors import PeerError
from hushmill.identifiers import NODE_NUMBER_LIMIT, Epoch, KeyHash, NetworkId, NodeNumber
from pki import ConsensusBody, Descriptor, EpochKey, sign_descriptor
from pki.admission import NODES_LIMIT
from pki.descriptor import DESCRIPTOR_KEYS_LIMIT, SignedDescriptor
from pki.fields import KEM_KEY_BYTES_LIMIT, SIGNATURE_BYTES
from pki.voting import (
    NO_HEAD,
    VOTE_BYTES_LIMIT,
    Head,
    OpenVote,
    SignedVote,
    VoteBody,
    document_of,
    open_vote,
    sign_vote,
)
from tests.pki.documents import opened
from tests.pki.network import FIRST, START, signing_key, small_network

NETWORK = small_network()
GENESIS = NETWORK.genesis
ALL = [NETWORK.descriptor(number) for number in NETWORK.node_keys]
HEAD = Head(Epoch(FIRST - 1), b"h" * 32)


def body(
    authority: int = 0,
    descriptors: list[bytes] | None = None,
    published: Head = HEAD,
    signed: Head = NO_HEAD,
) -> VoteBody:
    return VoteBody(
        network_id=GENESIS.network_id,
        authority=authority,
        epoch=Epoch(FIRST),
        published=published,
        signed=signed,
        descriptors=tuple(ALL if descriptors is None else descriptors),
    )


def opened_vote(vote: VoteBody) -> OpenVote:
    data = sign_vote(vote, NETWORK.authority_keys[vote.authority])
    return open_vote(GENESIS, data, NETWORK.kem, {})


def document(*votes: VoteBody) -> ConsensusBody | None:
    made = document_of(GENESIS, Epoch(FIRST), {v.authority: opened_vote(v) for v in votes})
    return None if made is None else codec.decode(made, ConsensusBody, 1 << 20)


def is_refused(data: bytes) -> bool:
    try:
        open_vote(GENESIS, data, NETWORK.kem, {})
    except PeerError:
        return True
    return False


def signed_by(authority: int, vote: VoteBody) -> bytes:
    return sign_vote(vote, NETWORK.authority_keys[authority])


def test_any_three_of_four_votes_make_the_same_bytes() -> None:
    votes = {number: opened_vote(body(number)) for number in range(4)}
    made = {
        document_of(GENESIS, Epoch(FIRST), {number: votes[number] for number in some})
        for count in (3, 4)
        for some in combinations(range(4), count)
    }
    assert len(made) == 1
    assert None not in made


def test_two_votes_make_nothing() -> None:
    assert document(body(0), body(1)) is None


def test_a_descriptor_counts_when_two_votes_carry_it() -> None:
    older = ALL[0]
    newer = NETWORK.descriptor(1, count=3, made_at=START + 1)
    with_newer = [newer, *ALL[1:]]
    once = document(body(0, with_newer), body(1), body(2))
    twice = document(body(0, with_newer), body(1, with_newer), body(2))
    assert once is not None
    assert twice is not None
    assert once.nodes[0].keys == opened(older).keys[:4]
    assert twice.nodes[0].keys == opened(newer).keys


def test_a_load_is_what_two_votes_carry_and_no_older_than_the_epoch_before() -> None:
    def load(epoch: int) -> int:
        told = [NETWORK.descriptor(1, FIRST, load=64), *ALL[1:]]
        votes = {
            number: opened_vote(body(number, told if number < 2 else None)) for number in range(3)
        }
        made = document_of(GENESIS, Epoch(epoch), votes)
        assert made is not None
        return codec.decode(made, ConsensusBody, 1 << 20).nodes[0].load

    assert [load(FIRST + ahead) for ahead in range(3)] == [64, 64, 0]


def test_previous_is_the_newest_that_two_votes_know() -> None:
    newer = Head(Epoch(FIRST - 1), b"n" * 32)
    older = Head(Epoch(FIRST - 2), b"o" * 32)

    def previous(*votes: VoteBody) -> Head | None:
        made = document(*votes)
        return None if made is None else Head(made.previous_epoch, made.previous)

    split = (body(0, published=newer), body(1, published=older), body(2, published=older))
    assert previous(*split) == older
    # One holds it and another has signed it: it may be out.
    signed = (split[0], body(1, published=older, signed=newer), split[2])
    assert previous(*signed) == newer


def test_the_first_document_needs_every_genesis_node() -> None:
    some = ALL[1:]
    assert document(*(body(number, published=NO_HEAD) for number in range(3))) is not None
    assert document(*(body(number, some, published=NO_HEAD) for number in range(3))) is None


def test_a_node_without_a_key_for_the_epoch_is_left_out() -> None:
    wide = small_network(width=3)
    late = wide.descriptor(1, FIRST + 1, 3)
    descriptors = [late, *(wide.descriptor(number) for number in list(wide.node_keys)[1:])]
    votes = {}
    for number in range(3):
        vote = VoteBody(
            network_id=wide.genesis.network_id,
            authority=number,
            epoch=Epoch(FIRST),
            published=HEAD,
            signed=NO_HEAD,
            descriptors=tuple(descriptors),
        )
        data = sign_vote(vote, wide.authority_keys[number])
        votes[number] = open_vote(wide.genesis, data, wide.kem, {})
    made = document_of(wide.genesis, Epoch(FIRST), votes)
    assert made is not None
    numbers = [entry.number for entry in codec.decode(made, ConsensusBody, 1 << 20).nodes]
    assert numbers == [2, 3, 4, 5, 6, 7, 8]


def test_no_document_when_a_layer_would_have_one_node() -> None:
    votes = [body(number, ALL[1:]) for number in range(3)]
    assert document(*votes) is None


def test_both_claimants_of_a_key_are_left_out_across_votes() -> None:
    """Two authorities each saw one of them first."""
    wide = small_network(width=3)
    two = opened(wide.descriptor(2))
    thief = sign_descriptor(
        msgspec.structs.replace(two, keys=opened(wide.descriptor(1)).keys),
        wide.node_keys[NodeNumber(2)],
    )
    rest = [wide.descriptor(number) for number in list(wide.node_keys)[2:]]
    votes = {}
    for number, first in enumerate([wide.descriptor(1), wide.descriptor(1), thief, thief]):
        vote = VoteBody(
            network_id=wide.genesis.network_id,
            authority=number,
            epoch=Epoch(FIRST),
            published=HEAD,
            signed=NO_HEAD,
            descriptors=(first, *rest),
        )
        data = sign_vote(vote, wide.authority_keys[number])
        votes[number] = open_vote(wide.genesis, data, wide.kem, {})
    # Layer 1 keeps one node of three, so there is no sound network at all.
    assert document_of(wide.genesis, Epoch(FIRST), votes) is None


def test_refuses_a_vote_with_an_unadmitted_node() -> None:
    stranger = msgspec.structs.replace(opened(ALL[0]), number=NodeNumber(99))
    data = sign_descriptor(stranger, signing_key("stranger"))
    assert is_refused(signed_by(0, body(0, [*ALL, data])))


def test_refuses_a_vote_with_a_wrong_signer_of_a_descriptor() -> None:
    forged = sign_descriptor(opened(ALL[0]), signing_key("stranger"))
    assert is_refused(signed_by(0, body(0, [forged, *ALL[1:]])))


def test_refuses_a_vote_with_a_duplicate_key() -> None:
    two = msgspec.structs.replace(opened(ALL[1]), keys=opened(ALL[0]).keys)
    data = sign_descriptor(two, NETWORK.node_keys[NodeNumber(2)])
    assert is_refused(signed_by(0, body(0, [ALL[0], data, *ALL[2:]])))


@pytest.mark.parametrize(
    "vote",
    [
        body(0, [*ALL[:2], ALL[1], *ALL[2:]]),
        body(0, ALL[::-1]),
        body(0, published=Head(Epoch(FIRST), b"h" * 32)),
        body(0, signed=Head(Epoch(FIRST + 1), b"h" * 32)),
        msgspec.structs.replace(body(), network_id=b"x" * 32),
    ],
)
def test_refuses_an_unsound_vote_though_signed(vote: VoteBody) -> None:
    assert is_refused(signed_by(0, vote))


def test_refuses_a_vote_that_another_signed() -> None:
    assert is_refused(signed_by(1, body(0)))
    assert is_refused(sign_vote(body(0), signing_key("stranger")))
    ghost = msgspec.structs.replace(body(0), authority=4)
    assert is_refused(signed_by(0, ghost))


def test_a_known_descriptor_is_known_by_all_its_bytes() -> None:
    """The shortcut over verified descriptors must not let a forged one through."""
    forged = sign_descriptor(opened(ALL[0]), signing_key("stranger"))
    known = {ALL[0]: opened(ALL[0])}
    with pytest.raises(PeerError):
        open_vote(GENESIS, signed_by(0, body(0, [forged, *ALL[1:]])), NETWORK.kem, known)


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_vote_or_peer_error(data: bytes) -> None:
    assert is_refused(data)
    assert is_refused(codec.encode(SignedVote(data, bytes(3373))))


def test_vote_of_the_largest_network_fits_a_message() -> None:
    """With the longest host, five keys of the longest suite, and the largest numbers."""
    top = 0xFFFF
    keys = tuple(EpochKey(Epoch(0xFFFFFFFF), bytes(KEM_KEY_BYTES_LIMIT)) for _ in range(5))
    longest = Descriptor(
        network_id=NetworkId(bytes(32)),
        number=NodeNumber(NODE_NUMBER_LIMIT - 1),
        host="h" * 253,
        port=top,
        client_port=top,
        key_hash=KeyHash(bytes(32)),
        keys=keys,
        made_at=0xFFFFFFFFFF,
        load=1 << 30,
    )
    data = codec.encode(SignedDescriptor(codec.encode(longest), bytes(SIGNATURE_BYTES)))
    assert len(keys) == DESCRIPTOR_KEYS_LIMIT
    full = msgspec.structs.replace(body(0, ALL), descriptors=(data,) * NODES_LIMIT)
    vote = codec.encode(SignedVote(codec.encode(full), bytes(SIGNATURE_BYTES)))
    assert len(vote) <= VOTE_BYTES_LIMIT
