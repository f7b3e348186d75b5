"""From a frame on a node link to what it tells the node. Spec: docs/spec/mixing.md."""

from collections.abc import Mapping

from hushmill.link import NodeFrames
from hushmill.packet import NodeKey, Packet, PacketFormat, Unwrapped


def packet_in(frame: bytes) -> bytes:
    """The bytes of the packet that a frame carries which `open_frame` could read."""
    return frame[1:]


def open_frame(frame: bytes, packet_format: PacketFormat, keys: Mapping[int, NodeKey]) -> Unwrapped:
    """One layer of the packet that `frame` carries, opened with `keys` (by low byte of epoch).

    Raises PeerError: FRAME when the carrier is at fault, KEY_EPOCH or PACKET for the packet, which
    the carrier could not read.
    """
    geometry = packet_format.geometry
    relay = NodeFrames(geometry.packet_bytes).decode(frame)
    return packet_format.unwrap(Packet.of(relay.packet, geometry), keys)
