"""Descriptors: admitted, signed by their node, of this network, with sound keys; and the book."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushmill import codec
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from pki import Descriptor, EpochKey, descriptor_of, open_descriptor, sign_descriptor
from pki.descriptor import DESCRIPTOR_KEYS_LIMIT, SignedDescriptor
from pki.descriptor_book import DescriptorBook
from pki.fields import HOST_PATTERN
from tests.pki.documents import chain, opened
from tests.pki.network import FIRST, START, signing_key, small_network

NETWORK = small_network()
GENESIS = NETWORK.genesis
ONE = NodeNumber(1)
DATA = NETWORK.descriptor(1)
OPEN = opened(DATA)


def is_refused(data: bytes) -> bool:
    try:
        open_descriptor(GENESIS, data, NETWORK.kem)
    except PeerError as error:
        return error.reason is Drop.DOCUMENT
    return False


def signed(**fields: object) -> bytes:
    return sign_descriptor(msgspec.structs.replace(OPEN, **fields), NETWORK.node_keys[ONE])


def test_reads_back_what_was_signed() -> None:
    descriptor = open_descriptor(GENESIS, DATA, NETWORK.kem)
    assert descriptor == OPEN
    assert [key.epoch for key in descriptor.keys] == [FIRST + n for n in range(5)]
    assert codec.encode(codec.decode(DATA, SignedDescriptor, 1 << 14)) == DATA


def test_refuses_a_wrong_signer() -> None:
    assert is_refused(sign_descriptor(OPEN, NETWORK.node_keys[NodeNumber(2)]))
    assert is_refused(sign_descriptor(OPEN, signing_key("stranger")))


def test_refuses_an_unadmitted_node() -> None:
    assert is_refused(signed(number=NodeNumber(99)))


def test_refuses_another_network() -> None:
    other = small_network(network="other")
    assert is_refused(other.descriptor(1))


@pytest.mark.parametrize("position", [0, 63, 64, 3372])
def test_both_kinds_of_signature_must_hold(position: int) -> None:
    parsed = codec.decode(DATA, SignedDescriptor, 1 << 14)
    broken = bytearray(parsed.signature)
    broken[position] ^= 1
    assert is_refused(codec.encode(msgspec.structs.replace(parsed, signature=bytes(broken))))


KEYS = OPEN.keys


@pytest.mark.parametrize(
    "fields",
    [
        {"keys": ()},
        {"keys": (KEYS[0], KEYS[2])},
        {"keys": KEYS[::-1]},
        {"keys": (KEYS[0], EpochKey(Epoch(FIRST + 1), KEYS[0].raw))},
        {"keys": (EpochKey(Epoch(FIRST), bytes(33)),)},
        {"keys": (*KEYS, EpochKey(Epoch(FIRST + 5), b"k" * 32))},
        {"key_hash": KeyHash(KEYS[0].raw)},  # no document with it would be valid
        {"client_port": 5},
        {"host": "a b"},
        {"host": ""},
        {"host": "a..b"},  # these three make a resolver raise
        {"host": "a" * 64},
        {"host": ".a"},
        {"host": "a." * 126 + "ab"},
        {"port": 0},
        {"made_at": -1},
        {"load": -1},
        {"load": 3},  # finer than a power of two
        {"load": 1 << 31},
    ],
)
def test_refuses_unsound_fields_though_signed(fields: dict[str, object]) -> None:
    assert is_refused(signed(**fields))


def test_takes_every_power_of_two_as_a_load() -> None:
    assert [load for load in range(20) if not is_refused(signed(load=load))] == [0, 1, 2, 4, 8, 16]
    assert not is_refused(signed(load=1 << 30))


def test_a_provider_has_no_load() -> None:
    provider = NodeNumber(5)
    for load, refused in ((0, False), (1, True)):
        assert is_refused(NETWORK.descriptor(provider, load=load)) == refused


def test_takes_as_many_keys_as_the_limit() -> None:
    assert len(KEYS) == DESCRIPTOR_KEYS_LIMIT
    assert not is_refused(signed(keys=KEYS[:1]))


def test_made_at_the_genesis_address() -> None:
    made = descriptor_of(GENESIS, ONE, {Epoch(FIRST): KEYS[0].raw}, START + 0.9, 8)
    node = GENESIS.nodes[0]
    assert (made.host, made.port, made.client_port, made.key_hash, made.made_at, made.load) == (
        *(node.host, node.port, node.client_port, node.key_hash, START, 8),
    )


@pytest.mark.parametrize(
    "host", ["a", "localhost", "mix-1.example.org", "192.0.2.7", "2001:db8::7", "::1", "a" * 63]
)
def test_takes_names_and_addresses(host: str) -> None:
    assert not is_refused(signed(host=host))


@settings(max_examples=300)
@given(st.text("a0-.:", min_size=1, max_size=140))
def test_every_host_that_is_taken_can_be_given_to_a_resolver(host: str) -> None:
    """An exception of the resolver would end each node that connects there."""
    if re.match(HOST_PATTERN, host):
        host.encode("idna")


@settings(max_examples=300)
@given(st.binary(max_size=500))
def test_any_bytes_give_a_descriptor_or_peer_error(data: bytes) -> None:
    assert is_refused(data)
    assert is_refused(codec.encode(SignedDescriptor(data, bytes(3373))))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, flip: int) -> None:
    data = bytearray(DATA)
    data[position] ^= flip
    assert is_refused(bytes(data))


def stolen(fields: dict[str, object]) -> bytes:
    """Node 2's descriptor with something of node 1's."""
    two = NodeNumber(2)
    body: Descriptor = msgspec.structs.replace(opened(NETWORK.descriptor(2)), **fields)
    return sign_descriptor(body, NETWORK.node_keys[two])


@pytest.mark.parametrize(
    "fields",
    [
        {"keys": KEYS},
        {"keys": (opened(NETWORK.descriptor(2)).keys[0], KEYS[1])},
        {"key_hash": KeyHash(OPEN.key_hash)},
    ],
)
def test_a_key_of_another_node_stays_out_of_the_book(fields: dict[str, object]) -> None:
    book = DescriptorBook(GENESIS, NETWORK.kem)
    assert book.offer(DATA, None, START) == 1
    with pytest.raises(PeerError):
        book.offer(stolen(fields), None, START)
    assert book.signed() == (DATA,)


def test_a_key_of_the_last_document_stays_its_nodes() -> None:
    """Even if the thief is quicker than its owner's next descriptor."""
    book = DescriptorBook(GENESIS, NETWORK.kem)
    published = chain(NETWORK, 1)[0][0]
    with pytest.raises(PeerError):
        book.offer(stolen({"keys": KEYS}), published, START)
    assert book.offer(DATA, published, START) == 1


def test_a_newer_descriptor_replaces_and_an_older_does_not() -> None:
    book = DescriptorBook(GENESIS, NETWORK.kem)
    newer = NETWORK.descriptor(1, made_at=START + 1)
    assert book.offer(DATA, None, START) == 1
    assert book.offer(newer, None, START) == 1
    assert book.offer(newer, None, START) is None
    with pytest.raises(PeerError) as refused:
        book.offer(DATA, None, START)
    assert refused.value.reason is Drop.STALE
    assert book.signed() == (newer,)


def test_one_from_the_future_would_lock_its_node_out() -> None:
    book = DescriptorBook(GENESIS, NETWORK.kem)
    limit = 2 * GENESIS.parameters.skew_seconds + 1
    with pytest.raises(PeerError):
        book.offer(NETWORK.descriptor(1, made_at=START + limit + 1), None, START)
    assert book.offer(NETWORK.descriptor(1, made_at=START + limit), None, START) == 1
