"""Packets as only a hostile sender makes them: one layer that opens, whatever stands inside."""

from dataclasses import dataclass

from hushmill.crypto import KemPublic, stream_xor
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Packet
from hushmill.packet.geometry import DELAY_BYTES, MAC_BYTES, NODE_BYTES, VERSION, Geometry
from hushmill.packet.hop_keys import header_mac, hop_keys
from hushmill.packet.wrapping import FORWARD, MICROSECONDS
from hushmill.randomness import Randomness

LONGEST_DELAY_MICROSECONDS = 2 ** (8 * DELAY_BYTES) - 1


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


def forward_block(next_node: int, delay_seconds: float) -> bytes:
    """Command, next node and delay of a block that is to be forwarded."""
    delay = min(round(delay_seconds * MICROSECONDS), LONGEST_DELAY_MICROSECONDS)
    node = next_node.to_bytes(NODE_BYTES, "big")
    return bytes((FORWARD,)) + node + delay.to_bytes(DELAY_BYTES, "big")


def with_bad_mac(packet: Packet, geometry: Geometry) -> Packet:
    """The packet with one bit of its MAC turned."""
    raw = bytearray(packet.raw)
    raw[2 + geometry.kem.ciphertext_bytes + MAC_BYTES - 1] ^= 1
    return Packet(bytes(raw))
