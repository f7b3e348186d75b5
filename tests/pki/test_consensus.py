"""A document counts with 2f + 1 distinct authorities, both kinds of signature, canonical bytes."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushmill import codec
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from pki import (
    ConsensusBody,
    EpochKey,
    SignedConsensus,
    open_signed,
    verify_consensus,
)
from tests.pki.documents import body_of, chain, replaced, share_of, signed
from tests.pki.network import FIRST, small_network

NETWORK = small_network()
GENESIS = NETWORK.genesis
BODY = body_of(NETWORK)
RAW = codec.encode(BODY)
DATA = signed(NETWORK, BODY)


def is_refused(data: bytes) -> bool:
    try:
        verify_consensus(GENESIS, data)
    except PeerError:
        return True
    return False


def test_three_of_four_suffice() -> None:
    consensus, signers = open_signed(GENESIS, DATA)
    assert signers == (0, 1, 2)
    assert consensus.epoch == FIRST
    assert [len(layer) for layer in consensus.layers] == [2, 2]
    assert len(consensus.providers) == 2
    assert consensus == verify_consensus(GENESIS, signed(NETWORK, BODY, (0, 1, 2, 3)))


def test_encoding_is_the_only_one() -> None:
    parsed = codec.decode(DATA, SignedConsensus, 1 << 20)
    assert codec.encode(parsed) == DATA
    assert codec.encode(codec.decode(RAW, ConsensusBody, 1 << 20)) == RAW


def test_two_of_four_do_not_suffice() -> None:
    assert is_refused(signed(NETWORK, BODY, (0, 1)))


def test_one_signature_three_times_is_refused() -> None:
    share = share_of(NETWORK, 0, RAW)
    assert is_refused(codec.encode(SignedConsensus(RAW, (share, share, share))))


def test_one_signature_under_three_numbers_is_refused() -> None:
    share = share_of(NETWORK, 0, RAW)
    shares = tuple(msgspec.structs.replace(share, authority=number) for number in range(3))
    assert is_refused(codec.encode(SignedConsensus(RAW, shares)))


def test_three_signatures_of_one_authority_are_refused() -> None:
    shares = tuple(share_of(NETWORK, 0, RAW) for _ in range(3))
    assert len({share.signature for share in shares}) == 3  # hedged: all are valid and differ
    assert is_refused(codec.encode(SignedConsensus(RAW, shares)))


def test_unordered_shares_are_refused() -> None:
    assert is_refused(signed(NETWORK, BODY, (1, 0, 2)))


def test_an_authority_that_is_not_there_is_refused() -> None:
    shares = (*(share_of(NETWORK, n, RAW) for n in (0, 1)), share_of(NETWORK, 2, RAW))
    ghost = msgspec.structs.replace(shares[2], authority=4)
    assert is_refused(codec.encode(SignedConsensus(RAW, (*shares[:2], ghost))))


@pytest.mark.parametrize("position", [0, 63, 64, 3372])
def test_both_kinds_must_hold(position: int) -> None:
    """0 and 63 are in the Ed25519 part, 64 and 3372 in the ML-DSA part."""
    shares = [share_of(NETWORK, number, RAW) for number in range(3)]
    broken = bytearray(shares[1].signature)
    broken[position] ^= 1
    shares[1] = msgspec.structs.replace(shares[1], signature=bytes(broken))
    assert is_refused(codec.encode(SignedConsensus(RAW, tuple(shares))))


@pytest.mark.parametrize("part", [slice(0, 64), slice(64, None)])
def test_a_stripped_signature_is_refused(part: slice) -> None:
    shares = [share_of(NETWORK, number, RAW) for number in range(3)]
    shares[2] = msgspec.structs.replace(shares[2], signature=shares[2].signature[part])
    assert is_refused(codec.encode(SignedConsensus(RAW, tuple(shares))))


def test_equal_but_not_canonical_is_refused_though_signed() -> None:
    """A two-byte form of a small integer decodes to the same value."""
    epoch = codec.encode(BODY).index(b"\xce" + FIRST.to_bytes(4, "big"))
    wide = RAW[:epoch] + b"\xcf" + FIRST.to_bytes(8, "big") + RAW[epoch + 5 :]
    assert msgspec.msgpack.decode(wide, type=ConsensusBody) == BODY
    assert is_refused(signed(NETWORK, wide))
    parsed = msgspec.msgpack.decode(DATA)
    as_map = msgspec.msgpack.encode({"body": parsed[0], "shares": parsed[1]})
    assert is_refused(as_map)
    assert is_refused(DATA + b"\x00")


def test_another_networks_document_is_refused() -> None:
    other = small_network(network="other")
    assert is_refused(signed(other, body_of(other)))


KEYS = BODY.nodes[0].keys


@pytest.mark.parametrize(
    "body",
    [
        msgspec.structs.replace(BODY, previous_epoch=Epoch(5)),
        msgspec.structs.replace(BODY, previous=b"\x01" * 32, previous_epoch=Epoch(FIRST)),
        msgspec.structs.replace(BODY, nodes=BODY.nodes[1:]),
        msgspec.structs.replace(BODY, nodes=BODY.nodes[:4]),
        msgspec.structs.replace(BODY, nodes=BODY.nodes[::-1]),
        msgspec.structs.replace(BODY, nodes=(BODY.nodes[0], *BODY.nodes)),
        replaced(BODY, 0, layer=2),
        replaced(BODY, 0, operator="operator1"),
        replaced(BODY, 0, number=99),
        replaced(BODY, 0, keys=()),
        replaced(BODY, 0, keys=KEYS[1:]),
        replaced(BODY, 0, keys=(KEYS[0], *KEYS[2:])),
        replaced(BODY, 0, keys=(*KEYS, EpochKey(Epoch(FIRST + 4), b"k" * 32))),
        replaced(BODY, 0, keys=BODY.nodes[1].keys),
        replaced(BODY, 0, keys=(KEYS[0], EpochKey(Epoch(FIRST + 1), KEYS[0].raw))),
        replaced(BODY, 0, load=3),
        replaced(BODY, 0, load=1 << 31),
        replaced(BODY, 0, load=-1),
        replaced(BODY, 4, load=1),  # a provider's
        replaced(BODY, 0, key_hash=BODY.nodes[1].key_hash),
    ],
)
def test_an_unsound_document_is_refused_though_signed(body: ConsensusBody) -> None:
    assert is_refused(signed(NETWORK, body))


def test_a_layered_network_does_not_become_a_cascade() -> None:
    """One mix left in every layer is no document, unless the genesis was made so."""
    left = tuple(entry for entry in BODY.nodes if entry.number not in (1, 3))
    assert is_refused(signed(NETWORK, msgspec.structs.replace(BODY, nodes=left)))
    cascade = small_network(layers=2, width=1)
    assert verify_consensus(cascade.genesis, signed(cascade, body_of(cascade)))


def test_serves_for_three_more_epochs() -> None:
    consensus = chain(NETWORK, 1)[0][0]
    assert [consensus.serves(Epoch(FIRST + n)) for n in range(-1, 5)] == [
        *(False, True, True, True, True, False)
    ]


def test_keys_are_parsed_once() -> None:
    consensus = chain(NETWORK, 1)[0][0]
    number = consensus.nodes[0].number
    first = consensus.public_key(number, Epoch(FIRST), NETWORK.kem)
    assert first is not None
    assert first is consensus.public_key(number, Epoch(FIRST), NETWORK.kem)
    assert consensus.public_key(number, Epoch(FIRST + 4), NETWORK.kem) is None


@settings(max_examples=300)
@given(st.binary(max_size=600))
def test_any_bytes_give_a_document_or_peer_error(data: bytes) -> None:
    assert is_refused(data)
    assert is_refused(codec.encode(SignedConsensus(data, ())))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, flip: int) -> None:
    data = bytearray(DATA)
    data[position] ^= flip
    assert is_refused(bytes(data))
