"""The product's packet under the oracle, one subject a suite."""

import inspect
import os
from time import perf_counter

from experiments.oracle.low_order import ForgedKey, honest_key, low_order_keys
from experiments.oracle.scenarios import (
    DELIVERED,
    DROPPED,
    EPOCH_BYTE,
    FLIPS_A_HOP,
    HOPS,
    NOBODYS_KEY,
    OTHER_ENCODING,
    OTHER_TAG,
    PADDING,
    PADDINGS,
    PAYLOAD_BYTES,
    REFUSED_AT_EXIT,
    SAME_TAG,
    UNEXPECTED,
    VERSION_BYTE,
    Scenario,
    padding_verdict,
)
from hushmill.crypto import LIONESS_KEY_BYTES, Label, derive, kem_named, stream_xor
from hushmill.errors import PeerError
from hushmill.identifiers import REPLAY_TAG_BYTES, DepositId, Epoch, InboxId, NodeNumber
from hushmill.packet import (
    Forward,
    Hop,
    NodeKey,
    Packet,
    PacketFormat,
    Route,
    Unwrapped,
    deposit_payload,
    open_deposit,
)
from hushmill.parameters import SuiteName
from hushmill.runtime import SystemRandomness

EPOCH = Epoch(7)
DELIVER = 2
LAST_BLOCK_BYTES = 17  # docs/spec/packet.md (Layout)
MAC_BYTES = 16


class Ours:
    """One suite at the default geometry."""

    def __init__(self, suite: SuiteName) -> None:
        kem = kem_named(suite)
        self.suite: SuiteName = suite
        self.format = PacketFormat(kem, HOPS, PAYLOAD_BYTES)
        self.keys = [NodeKey(NodeNumber(number), EPOCH, kem.generate()) for number in range(HOPS)]
        self.public_end = 2 + kem.ciphertext_bytes
        self.header_end = self.format.geometry.header_bytes

    def packet(self, length: int) -> tuple[Packet, bytes]:
        """(packet, message)."""
        geometry = self.format.geometry
        message = os.urandom(geometry.body_bytes)
        inbox, deposit = InboxId(os.urandom(32)), DepositId(os.urandom(16))
        hops = tuple(Hop(key.node, key.secret.public, 0.5) for key in self.keys[:length])
        payload = deposit_payload(inbox, deposit, message, geometry)
        return self.format.wrap(Route(hops, EPOCH), payload, SystemRandomness()), message

    def open(self, packet: Packet, hop: int) -> Unwrapped:
        """The node would find its key under every epoch byte."""
        return self.format.unwrap(packet, dict.fromkeys(range(256), self.keys[hop]))

    def arriving(self, packet: Packet, hop: int) -> Packet:
        for before in range(hop):
            instruction = self.open(packet, before).instruction
            if not isinstance(instruction, Forward):
                raise AssertionError("the route is too short")
            packet = instruction.packet
        return packet

    def is_dropped(self, raw: bytes, hop: int) -> bool:
        try:
            self.open(Packet.of(raw, self.format.geometry), hop)
        except PeerError:
            return True
        return False

    def has_words(self, words: str) -> bool:
        return words in inspect.getsource(PacketFormat.unwrap)

    def verdict(self, scenario: Scenario) -> str:
        if scenario.what == NOBODYS_KEY:
            return self.without_a_key()
        if scenario.what == PADDING:
            return padding_verdict([self.padding(scenario.length) for _ in range(PADDINGS)])
        packet, message = self.packet(scenario.length)
        if scenario.what == "send":
            return self.carry(packet.raw, 0, scenario.length, message)
        hop = scenario.hop
        second, _ = self.packet(scenario.length)
        raw, other = self.arriving(packet, hop).raw, self.arriving(second, hop).raw
        public, header = self.public_end, self.header_end
        match scenario.what:
            case "flip header bits":
                changed = self.flipped(raw)
            case "send to another node's key":
                return DROPPED if self.is_dropped(raw, (hop + 1) % HOPS) else UNEXPECTED
            case "replace the public element":
                changed = [raw[:2] + other[2:public] + raw[public:]]
            case what if what == OTHER_ENCODING:
                changed = [raw[: public - 1] + bytes([raw[public - 1] | 0x80]) + raw[public:]]
            case what if what == VERSION_BYTE:
                changed = [bytes([raw[0] ^ 1]) + raw[1:]]
            case what if what == EPOCH_BYTE:
                changed = [raw[:1] + bytes([raw[1] ^ 1]) + raw[2:]]
            case "take another packet's routing":
                changed = [raw[: public + 16] + other[public + 16 : header] + raw[header:]]
            case "cut a byte off the header":
                changed = [raw[: header - 1] + raw[header:]]
            case "flip a payload bit":
                damaged = raw[:-1] + bytes([raw[-1] ^ 1])
                return self.carry(damaged, hop, scenario.length, message)
            case "take another packet's payload":
                return self.carry(raw[:header] + other[header:], hop, scenario.length, message)
            case "send again":
                same = self.open(Packet(raw), hop).tag == self.open(Packet(raw), hop).tag
                return SAME_TAG if same else UNEXPECTED
            case "send a second packet":
                differ = self.open(Packet(raw), hop).tag != self.open(Packet(other), hop).tag
                return OTHER_TAG if differ else UNEXPECTED
            case what:
                raise AssertionError(what)
        dropped = all(self.is_dropped(each, hop) for each in changed)
        return DROPPED if dropped else UNEXPECTED

    def without_a_key(self) -> str:
        """For each node a packet of every element of low order."""
        for hop, key in enumerate(self.keys):
            real = key.secret.public
            if self.made_with(honest_key(self.suite, real), hop) != DELIVERED:
                return UNEXPECTED
            forged = low_order_keys(self.suite, real)
            if any(self.made_with(each, hop) != DROPPED for each in forged):
                return UNEXPECTED
        return DROPPED

    def made_with(self, forged: ForgedKey, hop: int) -> str:
        geometry = self.format.geometry
        message = os.urandom(geometry.body_bytes)
        payload = deposit_payload(
            InboxId(os.urandom(32)), DepositId(os.urandom(16)), message, geometry
        )
        route = Route((Hop(self.keys[hop].node, forged, 0.0),), EPOCH)
        raw = self.format.wrap(route, payload, SystemRandomness()).raw
        return DROPPED if self.is_dropped(raw, hop) else self.carry(raw, hop, hop + 1, message)

    def padding(self, length: int) -> bytes:
        """What the last hop can read behind its own block, by the spec's derivation."""
        hop = length - 1
        raw = self.arriving(self.packet(length)[0], hop).raw
        ciphertext = raw[2 : self.public_end]
        key, geometry = self.keys[hop], self.format.geometry
        material = derive(
            Label.PACKET_HOP,
            64 + LIONESS_KEY_BYTES + REPLAY_TAG_BYTES,
            geometry.kem.code.to_bytes(1, "big"),
            key.node.to_bytes(2, "big"),
            ciphertext,
            key.secret.decapsulate(ciphertext),
        )
        opened = stream_xor(material[32:64], raw[self.public_end + MAC_BYTES : self.header_end])
        if opened[0] != DELIVER:
            raise AssertionError("this is not how the last block is read")
        return opened[LAST_BLOCK_BYTES:]

    def flipped(self, raw: bytes) -> list[bytes]:
        """Packets with one bit of the header changed."""
        found = []
        step = self.header_end * 8 // FLIPS_A_HOP
        for bit in range(0, self.header_end * 8, step):
            changed = bytearray(raw)
            changed[bit // 8] ^= 1 << bit % 8
            found.append(bytes(changed))
        return found

    def carry(self, raw: bytes, hop: int, length: int, message: bytes) -> str:
        """From `hop` to the exit."""
        packet = Packet(raw)
        for each in range(hop, length):
            instruction = self.open(packet, each).instruction
            if isinstance(instruction, Forward):
                packet = instruction.packet
                continue
            if each != length - 1:
                return UNEXPECTED
            try:
                body = open_deposit(instruction.payload).body
            except PeerError:
                return REFUSED_AT_EXIT
            return DELIVERED if body == message else UNEXPECTED
        return UNEXPECTED

    def time_unwrap(self, calls: int) -> float:
        packet, _ = self.packet(HOPS)
        own = {int(EPOCH): self.keys[0]}
        start = perf_counter()
        for _ in range(calls):
            self.format.unwrap(packet, own)
        return (perf_counter() - start) / calls * 1e6

    def time_wrap(self, calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            self.packet(HOPS)
        return (perf_counter() - start) / calls * 1e6
