"""Bytes of a hostile node, authority or stranger: valid, mutated, and freshly signed nonsense."""

import msgspec
from hypothesis import strategies as st

from hushmill import codec
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from hushmill.link import Share, Vote
from pki import EpochKey, sign_descriptor
from pki.descriptor import SignedDescriptor
from pki.voting import NO_HEAD, Head, ShareBody, SignedVote, VoteBody, sign_vote
from tests.pki.documents import chain, opened
from tests.pki.four_authorities import FourAuthorities
from tests.pki.network import FIRST, START, small_network

NETWORK = small_network()
GENESIS = NETWORK.genesis
HOSTILE_AUTHORITY = 3
HOSTILE_NODE = NodeNumber(1)
DOCUMENTS = [data for _, data in chain(NETWORK, 3)]
DESCRIPTORS = [NETWORK.descriptor(n, FIRST + e) for n in NETWORK.node_keys for e in (0, 1)]


def said_by_four() -> tuple[list[bytes], list[bytes]]:
    """The votes and the shares of two epochs."""
    four = FourAuthorities(NETWORK)
    four.publish_descriptors()
    four.run_until(START + 2500)
    votes = [message.data for _, message in four.said if isinstance(message, Vote)]
    shares = [message.data for _, message in four.said if isinstance(message, Share)]
    return votes, shares


VOTES, SHARES = said_by_four()
VALID = [*DOCUMENTS, *DESCRIPTORS, *VOTES, *SHARES]

_epochs = st.one_of(
    st.integers(FIRST - 2, FIRST + 3), st.sampled_from([0, 1, 0xFFFFFFFE, 0xFFFFFFFF])
).map(Epoch)
_hosts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}", fullmatch=True)
_key_bytes = st.one_of(
    st.sampled_from([key.raw for key in opened(DESCRIPTORS[0]).keys[:2]]),
    st.sampled_from([key.raw for key in opened(DESCRIPTORS[2]).keys]),
    st.sampled_from([bytes(32), b"\xff" * 32, b"k" * 33, GENESIS.nodes[0].key_hash]),
    st.binary(min_size=32, max_size=32),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Valid bytes with a few flips, cut off, grown, or spliced with others."""
    data = bytearray(draw(st.sampled_from(VALID)))
    match draw(st.sampled_from(["flip", "cut", "grow", "splice"])):
        case "flip":
            for _ in range(draw(st.integers(1, 3))):
                data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
        case "cut":
            del data[draw(st.integers(0, len(data))) :]
        case "grow":
            data += draw(st.binary(min_size=1, max_size=40))
        case _:
            other = draw(st.sampled_from(VALID))
            at = draw(st.integers(0, len(data)))
            data[at:] = other[at:]
    return bytes(data)


@st.composite
def odd_descriptors(draw: st.DrawFn) -> bytes:
    """Signed by an admitted node, whatever it says."""
    first = draw(_epochs)
    keys = tuple(
        EpochKey(Epoch(min(0xFFFFFFFF, first + index)), draw(_key_bytes))
        for index in range(draw(st.integers(0, 6)))
    )
    changed = {
        "keys": st.just(keys),
        "host": _hosts,
        "port": st.integers(0, 0x10000),
        "client_port": st.integers(0, 0xFFFF),
        "key_hash": _key_bytes.map(KeyHash),
        "made_at": st.sampled_from([0, START - 1, START + 1, START + 2000, 0xFFFFFFFFFF]),
        "load": st.sampled_from([0, 1, 3, 64, 1 << 30, 1 << 31, -1]),
        "number": st.sampled_from([0, 1, 2, 0xFFFF]).map(NodeNumber),
    }
    names = draw(st.sets(st.sampled_from(sorted(changed)), max_size=2))
    fields = {name: draw(changed[name]) for name in sorted(names)}
    honest = opened(NETWORK.descriptor(HOSTILE_NODE, made_at=START + draw(st.integers(0, 3))))
    made = msgspec.structs.replace(honest, **fields)
    return sign_descriptor(made, NETWORK.node_keys[HOSTILE_NODE])


_heads = st.one_of(
    st.just(NO_HEAD), st.builds(Head, _epochs, st.sampled_from([bytes(32), b"d" * 32]))
)


@st.composite
def odd_votes(draw: st.DrawFn) -> bytes:
    """Signed by the hostile authority, whatever they say."""
    offered = st.one_of(st.sampled_from(DESCRIPTORS), odd_descriptors(), st.binary(max_size=40))
    vote = VoteBody(
        network_id=GENESIS.network_id,
        authority=draw(st.sampled_from([HOSTILE_AUTHORITY, HOSTILE_AUTHORITY, 0, 1, 99])),
        epoch=draw(_epochs),
        published=draw(_heads),
        signed=draw(_heads),
        descriptors=tuple(draw(st.lists(offered, max_size=8))),
    )
    return sign_vote(vote, NETWORK.authority_keys[HOSTILE_AUTHORITY])


@st.composite
def odd_shares(draw: st.DrawFn) -> bytes:
    share = codec.decode(draw(st.sampled_from(SHARES)), ShareBody, 1 << 13)
    return codec.encode(
        ShareBody(
            network_id=share.network_id,
            authority=draw(st.sampled_from([share.authority, HOSTILE_AUTHORITY, 0, 99])),
            epoch=draw(_epochs),
            digest=draw(st.sampled_from([share.digest, bytes(32)])),
            signature=draw(st.sampled_from([share.signature, bytes(3373)])),
        )
    )


def wrapped() -> st.SearchStrategy[bytes]:
    """Right outer forms around any bytes."""
    inner = st.binary(max_size=60)
    return st.one_of(
        inner.map(lambda data: codec.encode(SignedDescriptor(data, bytes(3373)))),
        inner.map(lambda data: codec.encode(SignedVote(data, bytes(3373)))),
    )


def hostile_bytes() -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.sampled_from(VALID),
        mutated(),
        odd_descriptors(),
        odd_votes(),
        odd_shares(),
        wrapped(),
        st.binary(max_size=200),
    )
