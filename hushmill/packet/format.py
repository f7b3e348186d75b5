"""A network's packets: `PacketFormat.wrap` for senders, `PacketFormat.unwrap` for nodes.

The way of one packet through `unwrap`, in order (spec: docs/spec/packet.md, Unwrapping):
1. version, and the key that the key-epoch byte names; never a second try with another key
2. decapsulate, and derive the hop's keys and the replay tag from the shared secret
3. compare the MAC over all of the header
4. take one layer off the routing part and off the payload, and refuse a packet whose MAC was wrong
5. its bytes are the sender's from here on: the command says what to do; a forward block holds the
   next header in its final order
"""

from collections.abc import Mapping

from hushmill.crypto import Kem, equal, kem_named, lioness_decrypt, stream_xor
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import NodeNumber
from hushmill.packet.geometry import (
    COMMAND_BYTES,
    INSTRUCTION_BYTES,
    MAC_BYTES,
    NODE_BYTES,
    PREFIX_BYTES,
    VERSION,
    Geometry,
)
from hushmill.packet.hop_keys import header_mac, hop_keys
from hushmill.packet.route import Deliver, Forward, Instruction, NodeKey, Packet, Route, Unwrapped
from hushmill.packet.wrapping import DELIVER, FORWARD, MICROSECONDS, wrap
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness

_NODE_END = COMMAND_BYTES + NODE_BYTES


class PacketFormat:
    """The packets of one suite, number of hops and payload size."""

    __slots__ = ("_ciphertext_end", "_mac_end", "_zero_block", "geometry")

    def __init__(self, kem: Kem, hops: int, payload_bytes: int) -> None:
        self.geometry = Geometry(kem, hops, payload_bytes)
        self._ciphertext_end = PREFIX_BYTES + kem.ciphertext_bytes
        self._mac_end = self._ciphertext_end + MAC_BYTES
        self._zero_block = bytes(self.geometry.block_bytes)

    def wrap(self, route: Route, payload: bytes, rng: Randomness) -> Packet:
        """A packet that takes `payload` (exactly `payload_bytes`) along `route`."""
        return wrap(self.geometry, route, payload, rng)

    def unwrap(self, packet: Packet, keys: Mapping[int, NodeKey]) -> Unwrapped:
        """What the packet says to the owner of `keys`, which stand under the low byte of their
        epoch. `packet` may be hostile; the caller refuses a replay by the tag.

        Raises PeerError(KEY_EPOCH) when no key answers to its epoch byte, and PeerError(PACKET)
        for everything else.
        """
        geometry = self.geometry
        raw = packet.raw
        if len(raw) != geometry.packet_bytes or raw[0] != VERSION:
            raise PeerError(Drop.PACKET)
        key = keys.get(raw[1])
        if key is None:
            raise PeerError(Drop.KEY_EPOCH)

        ciphertext = raw[PREFIX_BYTES : self._ciphertext_end]
        shared = key.secret.decapsulate(ciphertext)
        hop = hop_keys(geometry.kem, key.node, ciphertext, shared)

        mac = raw[self._ciphertext_end : self._mac_end]
        routing = raw[self._mac_end : geometry.header_bytes]
        is_whole = equal(mac, header_mac(hop.mac, raw[: self._ciphertext_end], routing))
        opened = stream_xor(hop.stream, routing + self._zero_block)
        payload = lioness_decrypt(hop.payload, raw[geometry.header_bytes :])
        if not is_whole:  # only now, so that a bad MAC takes as long as anything else
            raise PeerError(Drop.PACKET)
        return Unwrapped(hop.tag, key.epoch, _instruction(raw[:PREFIX_BYTES], opened, payload))


def _instruction(prefix: bytes, opened: bytes, payload: bytes) -> Instruction:
    """What the block at the front of `opened` says. Raises PeerError(PACKET) for a command that is
    unknown or reserved."""
    command = opened[0]
    if command == FORWARD:
        node = NodeNumber(int.from_bytes(opened[COMMAND_BYTES:_NODE_END], "big"))
        delay = int.from_bytes(opened[_NODE_END:INSTRUCTION_BYTES], "big") / MICROSECONDS
        following = b"".join((prefix, opened[INSTRUCTION_BYTES:], payload))
        return Forward(node, delay, Packet(following))
    if command == DELIVER:
        return Deliver(payload)
    raise PeerError(Drop.PACKET)


def packet_format(parameters: Parameters) -> PacketFormat:
    """The format that a network's genesis fixes."""
    return PacketFormat(kem_named(parameters.suite), parameters.hops, parameters.payload_bytes)
