"""The packet: one KEM-Sphinx construction for two suites. Spec: docs/spec/packet.md."""

from hushmill.packet.deposit import Deposit, deposit_payload, open_deposit
from hushmill.packet.format import PacketFormat, packet_format
from hushmill.packet.geometry import Geometry
from hushmill.packet.route import (
    Deliver,
    Forward,
    Hop,
    Instruction,
    NodeKey,
    Packet,
    Route,
    Unwrapped,
)
from hushmill.packet.wrapping import MICROSECONDS

__all__ = [
    "MICROSECONDS",
    "Deliver",
    "Deposit",
    "Forward",
    "Geometry",
    "Hop",
    "Instruction",
    "NodeKey",
    "Packet",
    "PacketFormat",
    "Route",
    "Unwrapped",
    "deposit_payload",
    "open_deposit",
    "packet_format",
]
