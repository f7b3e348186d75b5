"""Writes tests/vectors/directory.json: `python -m tests.pki.make_vectors`.

Run it only when the format changes; signatures are hedged, so the bytes differ each time.
"""

import base64
import json
from pathlib import Path

import msgspec

from hushmill import codec
from hushmill.identifiers import Epoch
from pki import ConsensusBody, SignedConsensus, write_genesis
from pki.voting import NO_HEAD, VoteBody, sign_vote
from tests.pki.documents import body_of, chain, replaced, share_of, signed
from tests.pki.network import FIRST, Network, small_network

LOADS = {1: 64, 2: 16}  # of the two mixes
PATH = Path(__file__).parent.parent / "vectors" / "directory.json"


def refused_documents(network: Network) -> dict[str, bytes]:
    """Documents that must be refused, by why."""
    body = body_of(network)
    raw = codec.encode(body)
    shares = [share_of(network, number, raw) for number in range(3)]
    epoch = raw.index(b"\xce" + FIRST.to_bytes(4, "big"))
    wide = raw[:epoch] + b"\xcf" + FIRST.to_bytes(8, "big") + raw[epoch + 5 :]
    no_mldsa = bytearray(shares[2].signature)
    no_mldsa[64:] = bytes(3309)
    no_ed25519 = bytes(64) + shares[2].signature[64:]

    def with_last(signature: bytes) -> bytes:
        last = msgspec.structs.replace(shares[2], signature=signature)
        return codec.encode(SignedConsensus(raw, (*shares[:2], last)))

    other = small_network(layers=1, network="other")
    return {
        "two signatures of four": signed(network, body, (0, 1)),
        "one signature three times": codec.encode(
            SignedConsensus(raw, (shares[0], shares[0], shares[0]))
        ),
        "shares out of order": codec.encode(
            SignedConsensus(raw, (shares[1], shares[0], shares[2]))
        ),
        "no ML-DSA part in one signature": with_last(bytes(no_mldsa)),
        "no Ed25519 part in one signature": with_last(no_ed25519),
        "canonically equal but not canonical": signed(network, wide),
        "another network's": signed(other, body_of(other)),
        "a load that is no power of two": signed(network, replaced(body, 0, load=48)),
        "a load beyond the limit": signed(network, replaced(body, 0, load=1 << 31)),
        "a provider with a load": signed(network, replaced(body, 3, load=16)),
        "an entry without a load": signed(network, _without_load(body)),
        "a layer of one node": signed(network, msgspec.structs.replace(body, nodes=body.nodes[1:])),
        "a byte after the end": signed(network, body) + b"\x00",
    }


def _without_load(body: ConsensusBody) -> bytes:
    """The first form of documents: entries of nine fields."""
    fields = msgspec.msgpack.decode(codec.encode(body))
    fields[4] = [entry[:9] for entry in fields[4]]
    return msgspec.msgpack.encode(fields)


def main() -> None:
    network = small_network(layers=1)
    descriptor = network.descriptor(1, load=64)
    vote = VoteBody(
        network_id=network.genesis.network_id,
        authority=2,
        epoch=Epoch(FIRST),
        published=NO_HEAD,
        signed=NO_HEAD,
        descriptors=tuple(
            network.descriptor(number, load=LOADS.get(number, 0)) for number in network.node_keys
        ),
    )
    (first, data), (second, linked) = chain(network, 2, loads=LOADS)
    text = {
        "genesis": write_genesis(network.genesis),
        "descriptor": descriptor,
        "vote": sign_vote(vote, network.authority_keys[2]),
        "document": data,
        "next_document": linked,
    }
    record = {
        "network_id": network.genesis.network_id.hex(),
        "epoch": FIRST,
        "digest": first.digest.hex(),
        "next_digest": second.digest.hex(),
        **{name: base64.b64encode(value).decode() for name, value in text.items()},
        "refused": {
            why: base64.b64encode(value).decode()
            for why, value in refused_documents(network).items()
        },
    }
    PATH.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
