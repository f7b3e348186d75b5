"""The sender's half. Spec: docs/spec/packet.md (Wrapping).

1. encapsulate to every hop and derive its keys
2. the filler: what the earlier hops' shifting will have put behind the last hop's block
3. the header, from the last hop to the first
4. the payload, from the last hop to the first
"""

from hushmill.crypto import keystream, lioness_encrypt, stream_xor
from hushmill.errors import UsageError
from hushmill.identifiers import REPLY_ID_BYTES
from hushmill.packet.geometry import DELAY_BYTES, NODE_BYTES, VERSION, Geometry
from hushmill.packet.hop_keys import HopKeys, header_mac, hop_keys
from hushmill.packet.route import Hop, Packet, Route
from hushmill.randomness import Randomness

FORWARD = 1
DELIVER = 2
REPLY = 3  # reserved for single-use reply blocks: refused until they are built
MICROSECONDS = 1_000_000
_DELAY_LIMIT = 2 ** (8 * DELAY_BYTES)


def wrap(geometry: Geometry, route: Route, payload: bytes, rng: Randomness) -> Packet:
    """A packet that takes `payload` along `route`; all have one size and look random.

    Raises UsageError for a route without hops or with too many, for a payload of another size than
    the geometry's, and for a delay that does not fit.
    """
    if not 1 <= len(route.hops) <= geometry.hops:
        raise UsageError(f"a route has 1 to {geometry.hops} hops, not {len(route.hops)}")
    if len(payload) != geometry.payload_bytes:
        raise UsageError(f"a payload is {geometry.payload_bytes} bytes, not {len(payload)}")
    sealed = [_encapsulate(geometry, hop) for hop in route.hops]
    start = bytes((VERSION, route.key_epoch & 0xFF))

    routing = _last_routing(geometry, [keys for _, keys in sealed], rng)
    ciphertext, keys = sealed[-1]
    mac = header_mac(keys.mac, start + ciphertext, routing)
    for index in range(len(route.hops) - 2, -1, -1):
        instruction = _instruction(route.hops[index], route.hops[index + 1])
        inner = b"".join((instruction, ciphertext, mac, routing))[: geometry.routing_bytes]
        ciphertext, keys = sealed[index]
        routing = stream_xor(keys.stream, inner)
        mac = header_mac(keys.mac, start + ciphertext, routing)

    for _, keys in reversed(sealed):
        payload = lioness_encrypt(keys.payload, payload)
    return Packet(b"".join((start, ciphertext, mac, routing, payload)))


def _encapsulate(geometry: Geometry, hop: Hop) -> tuple[bytes, HopKeys]:
    ciphertext, shared = hop.key.encapsulate()
    return ciphertext, hop_keys(geometry.kem, hop.node, ciphertext, shared)


def _instruction(hop: Hop, following: Hop) -> bytes:
    """Command, next node and delay of a forward block."""
    delay = round(hop.delay_seconds * MICROSECONDS)
    if not 0 <= delay < _DELAY_LIMIT:
        raise UsageError(f"a delay of {hop.delay_seconds} s does not fit a packet")
    node = following.node.to_bytes(NODE_BYTES, "big")
    return bytes((FORWARD,)) + node + delay.to_bytes(DELAY_BYTES, "big")


def _last_routing(geometry: Geometry, keys: list[HopKeys], rng: Randomness) -> bytes:
    """The routing part as the last hop receives it: its block and *random* padding under its
    stream, then the filler.

    Zeros in place of random padding would show the last hop the path's length (Kuhn, Beck,
    Strufe: Breaking and (Partially) Fixing Provably Secure Onion Routing, 2020, 4.1).
    """
    filler = _filler(geometry, keys[:-1])
    room = geometry.routing_bytes - len(filler)
    # The block's 16 bytes after the command are room for a reply id: random in a forward packet.
    block = bytes((DELIVER,)) + rng.take(REPLY_ID_BYTES)
    padding = rng.take(room - len(block))
    return stream_xor(keys[-1].stream, block + padding) + filler


def _filler(geometry: Geometry, earlier: list[HopKeys]) -> bytes:
    """The tail of the routing part behind the last hop's own room, one block for each earlier hop.

    Every node appends a block of zeros, applies its stream to the whole and drops its own block
    from the front (Sphinx, 2009, 3.2: φ), so this is what all of them together leave behind.
    """
    whole = geometry.routing_bytes + geometry.block_bytes
    filler = b""
    for keys in earlier:
        filler += bytes(geometry.block_bytes)
        stream = keystream(keys.stream, whole)[-len(filler) :]
        mixed = int.from_bytes(filler, "big") ^ int.from_bytes(stream, "big")
        filler = mixed.to_bytes(len(filler), "big")
    return filler
