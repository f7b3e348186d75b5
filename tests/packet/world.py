"""Nodes, routes and randomness for the tests of the packet."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.simnet.fast_kem import FastKem
from hushmill.crypto import X25519_KEM, XWING_KEM, Kem
from hushmill.identifiers import DepositId, Epoch, InboxId, NodeNumber
from hushmill.packet import (
    Deliver,
    Forward,
    Hop,
    NodeKey,
    Packet,
    PacketFormat,
    Route,
    Unwrapped,
    deposit_payload,
)

EPOCH = Epoch(0x1234)
EPOCH_BYTE = 0x34
HOPS = 4
PAYLOAD_BYTES = 3608
INBOX = InboxId(bytes(range(32)))
DEPOSIT = DepositId(bytes(range(16)))


class SystemBytes:
    """The system's generator as a `Randomness`."""

    def take(self, count: int) -> bytes:
        return os.urandom(count)


RNG = SystemBytes()
FAST_KEM = FastKem(RNG)
REAL_KEMS: list[Kem] = [X25519_KEM, XWING_KEM]
ALL_KEMS: list[Kem] = [*REAL_KEMS, FAST_KEM]


def kem_name(kem: Kem) -> str:
    return kem.name


@dataclass(frozen=True)
class World:
    """As many nodes as hops, and one format."""

    format: PacketFormat
    keys: tuple[NodeKey, ...]

    def route(self, length: int, delays: Sequence[float] = ()) -> Route:
        hops = tuple(
            Hop(key.node, key.secret.public, delays[index] if delays else 0.1 * (index + 1))
            for index, key in enumerate(self.keys[:length])
        )
        return Route(hops, EPOCH)

    def payload(self) -> bytes:
        """A deposit with a random body."""
        geometry = self.format.geometry
        return deposit_payload(INBOX, DEPOSIT, os.urandom(geometry.body_bytes), geometry)

    def open(self, packet: Packet, hop: int) -> Unwrapped:
        return self.format.unwrap(packet, {EPOCH_BYTE: self.keys[hop]})

    def arriving(self, packet: Packet, hop: int) -> Packet:
        """`packet` as it comes to the node at `hop`, counted from 0."""
        for before in range(hop):
            instruction = self.open(packet, before).instruction
            assert isinstance(instruction, Forward)
            packet = instruction.packet
        return packet

    def delivered(self, packet: Packet, first: int, last: int) -> bytes:
        """The payload at `last` of a packet that arrives at `first`."""
        for hop in range(first, last):
            instruction = self.open(packet, hop).instruction
            assert isinstance(instruction, Forward)
            packet = instruction.packet
        instruction = self.open(packet, last).instruction
        assert isinstance(instruction, Deliver)
        return instruction.payload


def world(kem: Kem, hops: int = HOPS, payload_bytes: int = PAYLOAD_BYTES) -> World:
    """Fresh nodes 100, 101, …"""
    keys = tuple(NodeKey(NodeNumber(100 + index), EPOCH, kem.generate()) for index in range(hops))
    return World(PacketFormat(kem, hops, payload_bytes), keys)


def with_bit_flipped(packet: Packet, bit: int) -> Packet:
    """Bit 0 is the lowest of the first byte."""
    raw = bytearray(packet.raw)
    raw[bit // 8] ^= 1 << (bit % 8)
    return Packet(bytes(raw))


def with_bytes(packet: Packet, offset: int, replacement: bytes) -> Packet:
    raw = bytearray(packet.raw)
    raw[offset : offset + len(replacement)] = replacement
    assert len(raw) == len(packet.raw)
    return Packet(bytes(raw))
