"""Frames that a mix refuses, a method for each reason."""

from hushmill.link import NodeFrames, Relay
from tests.packet.crafted import crafted, forward_block, microseconds, with_bad_mac
from tests.processes.mix_network import ENTRY, PARAMETERS, SECOND
from tests.processes.probes import Probes


class Refused:
    """Each call makes a fresh packet, but for `replay`."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        network = probes.network
        self._geometry = network.format.geometry
        self._frames = NodeFrames(self._geometry.packet_bytes)
        self._rng = network.rng
        self._seen = b""

    def remember(self, frame: bytes) -> None:
        """`frame` has been sent: from now on it is a replay."""
        self._seen = frame

    def replay(self) -> bytes:
        """It takes as long to make as the others, so that the maker shows nothing."""
        self.bad_mac()
        return self._seen

    def bad_mac(self) -> bytes:
        packet = crafted(self._geometry, self._probes.target, forward_block(SECOND, 0), self._rng)
        return self._frames.encode(Relay(with_bad_mac(packet, self._geometry).raw))

    def unknown_command(self) -> bytes:
        return self._crafted(b"\x09")

    def long_delay(self) -> bytes:
        return self._crafted(forward_block(SECOND, microseconds(PARAMETERS.delay_cap_seconds) + 1))

    def no_route(self) -> bytes:
        return self._crafted(forward_block(ENTRY, 0))

    def wrong_epoch(self) -> bytes:
        frame = bytearray(self.bad_mac())
        frame[2] ^= 0x80
        return bytes(frame)

    def _crafted(self, block: bytes) -> bytes:
        packet = crafted(self._geometry, self._probes.target, block, self._rng)
        return self._frames.encode(Relay(packet.raw))
