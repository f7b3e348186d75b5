"""The frozen bytes of docs/spec/directory.md, read by the product and by a reader made from the
spec alone (hashlib and plain MessagePack)."""

import base64
import json
from hashlib import shake_256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hushmill.crypto import kem_named
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from pki import open_descriptor, open_signed, read_genesis, verify_consensus, write_genesis
from pki.voting import document_of, open_vote

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "directory.json").read_text(encoding="utf-8")
)


def bytes_of(name: str) -> bytes:
    return base64.b64decode(VECTORS[name], validate=True)


GENESIS = read_genesis(bytes_of("genesis"))
KEM = kem_named("x25519")


def digest_by_the_spec(label: bytes, data: bytes) -> str:
    """SHAKE-256 of: label length 1, label, output length 4, part length 4, part."""
    sizes = (32).to_bytes(4, "big"), len(data).to_bytes(4, "big")
    return shake_256(bytes([len(label)]) + label + sizes[0] + sizes[1] + data).digest(32).hex()


def test_genesis() -> None:
    data = bytes_of("genesis")
    assert write_genesis(GENESIS) == data
    body = data[: data.index(b"[[signature]]\n")]
    assert digest_by_the_spec(b"hushmill/directory/network", body) == VECTORS["network_id"]
    assert GENESIS.network_id.hex() == VECTORS["network_id"]


def test_documents() -> None:
    first, signers = open_signed(GENESIS, bytes_of("document"))
    second = verify_consensus(GENESIS, bytes_of("next_document"))
    assert signers == (0, 1, 2)
    assert (first.epoch, second.epoch) == (VECTORS["epoch"], VECTORS["epoch"] + 1)
    assert first.digest.hex() == VECTORS["digest"]
    assert second.digest.hex() == VECTORS["next_digest"]
    assert second.previous == first.digest


def test_documents_by_the_spec_alone() -> None:
    body, shares = msgspec.msgpack.decode(bytes_of("next_document"))
    label = b"hushmill/directory/consensus-digest"
    assert digest_by_the_spec(label, body) == VECTORS["next_digest"]
    network, epoch, previous_epoch, previous, nodes = msgspec.msgpack.decode(body)
    assert network.hex() == VECTORS["network_id"]
    assert (epoch, previous_epoch) == (VECTORS["epoch"] + 1, VECTORS["epoch"])
    assert previous.hex() == VECTORS["digest"]
    assert [len(signature) for _, signature in shares] == [3373] * 3
    number, role, operator, layer, _host, _port, client_port, key_hash, keys, load = nodes[0]
    assert (number, role, operator, layer, client_port) == (1, "mix", "operator0", 1, 0)
    assert len(key_hash) == 32
    assert [key[0] - epoch for key in keys] == [0, 1, 2, 3]
    assert [load, *(node[9] for node in nodes[1:])] == [64, 16, 0, 0]


def test_descriptor() -> None:
    descriptor = open_descriptor(GENESIS, bytes_of("descriptor"), KEM)
    assert (descriptor.number, len(descriptor.keys), descriptor.load) == (1, 5, 64)


def test_vote_makes_the_document() -> None:
    vote = open_vote(GENESIS, bytes_of("vote"), KEM, {})
    assert (vote.authority, len(vote.descriptors)) == (2, 4)
    made = document_of(GENESIS, Epoch(VECTORS["epoch"]), {0: vote, 1: vote, 2: vote})
    assert made == msgspec.msgpack.decode(bytes_of("document"))[0]


@pytest.mark.parametrize("why", list(VECTORS["refused"]))
def test_refuses(why: str) -> None:
    with pytest.raises(PeerError):
        verify_consensus(GENESIS, base64.b64decode(VECTORS["refused"][why], validate=True))


def test_there_are_refused_vectors() -> None:
    assert len(VECTORS["refused"]) >= 13
