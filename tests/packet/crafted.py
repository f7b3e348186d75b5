"""Packets as only a hostile sender makes them: one layer that opens, whatever stands inside."""

from dataclasses import dataclass

from hushmill.crypto import KemPublic, stream_xor
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Packet
from hushmill.packet.geometry import (
    DELAY_BYTES,
    MAC_BYTES,
    NODE_BYTES,
    PREFIX_BYTES,
    VERSION,
    Geometry,
)
from hushmill.packet.hop_keys import header_mac, hop_keys
from hushmill.packet.wrapping import FORWARD, MICROSECONDS
from hushmill.randomness import Randomness

MARK_BYTES = 16


@dataclass(frozen=True, slots=True)
class Target:
    """The node that opens the layer, and its key of one epoch."""

    node: NodeNumber
    epoch: Epoch
    public: KemPublic


def crafted(geometry: Geometry, target: Target, block: bytes, rng: Randomness) -> Packet:
    """A packet with a valid MAC whose opened routing part begins with `block`; the rest is noise.

    It costs one encapsulation, so a flood of fresh ones is as cheap as a flood can be.
    """
    ciphertext, shared = target.public.encapsulate()
    keys = hop_keys(geometry.kem, target.node, ciphertext, shared)
    start = bytes((VERSION, target.epoch & 0xFF))
    noise = rng.take(geometry.routing_bytes + geometry.payload_bytes)
    inner = (block + noise)[: geometry.routing_bytes]
    routing = stream_xor(keys.stream, inner)
    mac = header_mac(keys.mac, start + ciphertext, routing)
    return Packet(b"".join((start, ciphertext, mac, routing, noise[geometry.routing_bytes :])))


def forward_block(next_node: int, delay_microseconds: int) -> bytes:
    """Command, next node and delay of a block that is to be forwarded. Behind them stands what the
    next node gets after its packet's prefix, so `mark_of` finds there whatever 16 bytes follow."""
    node = next_node.to_bytes(NODE_BYTES, "big")
    return bytes((FORWARD,)) + node + delay_microseconds.to_bytes(DELAY_BYTES, "big")


def microseconds(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def mark_of(packet: bytes) -> bytes:
    """The 16 bytes that stood behind the block of a crafted packet, from the packet that the node
    made of it."""
    return packet[PREFIX_BYTES : PREFIX_BYTES + MARK_BYTES]


def with_bad_mac(packet: Packet, geometry: Geometry) -> Packet:
    """The packet with one bit of its MAC turned."""
    raw = bytearray(packet.raw)
    raw[PREFIX_BYTES + geometry.kem.ciphertext_bytes + MAC_BYTES - 1] ^= 1
    return Packet(bytes(raw))
