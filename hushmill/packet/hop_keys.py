"""The keys of one hop, all from one derivation. Spec: docs/spec/packet.md (Keys of a hop)."""

from hashlib import blake2b
from typing import NamedTuple

from hushmill.crypto import LIONESS_KEY_BYTES, Kem, Label, derive
from hushmill.identifiers import REPLAY_TAG_BYTES, NodeNumber, ReplayTag
from hushmill.packet.geometry import MAC_BYTES, NODE_BYTES

_MAC_KEY_END = 32
_STREAM_KEY_END = _MAC_KEY_END + 32
_PAYLOAD_KEY_END = _STREAM_KEY_END + LIONESS_KEY_BYTES
_TAG_END = _PAYLOAD_KEY_END + REPLAY_TAG_BYTES


class HopKeys(NamedTuple):
    """Secret but for `tag`, which the node keeps to know a replay."""

    mac: bytes
    stream: bytes
    payload: bytes
    tag: ReplayTag


def hop_keys(kem: Kem, node: NodeNumber, ciphertext: bytes, shared: bytes) -> HopKeys:
    """MAC key 32, stream key 32, payload keys 128, replay tag 16: one call of SHAKE-256."""
    material = derive(
        Label.PACKET_HOP,
        _TAG_END,
        kem.code.to_bytes(1, "big"),
        node.to_bytes(NODE_BYTES, "big"),
        ciphertext,
        shared,
    )
    return HopKeys(
        material[:_MAC_KEY_END],
        material[_MAC_KEY_END:_STREAM_KEY_END],
        material[_STREAM_KEY_END:_PAYLOAD_KEY_END],
        ReplayTag(material[_PAYLOAD_KEY_END:]),
    )


def header_mac(key: bytes, prefix: bytes, routing: bytes) -> bytes:
    """16 bytes over all before the payload but themselves; `prefix` is version | key epoch | KEM
    ciphertext. Both parts have the network's fixed lengths, so their join is injective."""
    return blake2b(prefix + routing, digest_size=MAC_BYTES, key=key).digest()
