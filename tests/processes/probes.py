"""Packets of a well-behaved neighbour, known again where the mix sends them, with their times."""

import statistics
import time
from dataclasses import dataclass

from hushmill.link import NodeFrames, Relay
from hushmill.runtime import FrameLink
from tests.packet.crafted import MARK_BYTES, Target, crafted, forward_block, mark_of, microseconds
from tests.processes.link_loop import Owner
from tests.processes.mix_network import MIX, SECOND, MixNetwork


@dataclass(frozen=True, slots=True)
class Late:
    """Of one stretch of probes: how many were sent and came, and seconds beyond their delay."""

    sent: int
    arrived: int
    p50: float
    p99: float
    longest: float

    @property
    def lost(self) -> int:
        return self.sent - self.arrived


class Probes:
    """Sends probes over an `Owner`'s link and hears them at the network's second layer, which must
    have been played. What else comes there is counted in `others`."""

    def __init__(self, network: MixNetwork) -> None:
        self.network = network
        self.others = 0
        self._frames = NodeFrames(network.format.geometry.packet_bytes)
        self._sent: dict[bytes, float] = {}  # when it should leave the mix
        self.late: dict[bytes, float] = {}
        network.second.on_frames = self._arrived

    @property
    def target(self) -> Target:
        network = self.network
        public = network.secrets[MIX, network.epoch].public
        return Target(MIX, network.epoch, public)

    def frame(self, delay_seconds: float) -> tuple[bytes, bytes]:
        """A probe and its mark."""
        network = self.network
        mark = network.rng.take(MARK_BYTES)
        block = forward_block(SECOND, microseconds(delay_seconds)) + mark
        packet = crafted(network.format.geometry, self.target, block, network.rng)
        return self._frames.encode(Relay(packet.raw)), mark

    def send(self, owner: Owner, delay_seconds: float) -> bytes:
        """Sends a fresh probe; its mark."""
        frame, mark = self.frame(delay_seconds)
        self.send_made(owner, frame, mark, delay_seconds)
        return mark

    def send_made(self, owner: Owner, frame: bytes, mark: bytes, delay_seconds: float) -> None:
        self.expect(mark, delay_seconds)
        owner.link.send([frame])

    def expect(self, mark: bytes, delay_seconds: float) -> None:
        """The probe with this mark is sent now."""
        self._sent[mark] = time.monotonic() + delay_seconds

    def result(self, marks: list[bytes]) -> Late:
        """What became of these probes, which are forgotten."""
        late = [self.late.pop(mark) for mark in marks if mark in self.late]
        for mark in marks:
            self._sent.pop(mark, None)
        cuts = statistics.quantiles(late, n=100) if len(late) > 1 else [float("inf")] * 99
        return Late(len(marks), len(late), cuts[49], cuts[98], max(late, default=float("inf")))

    def _arrived(self, _link: FrameLink, frames: list[bytes]) -> None:
        now = time.monotonic()
        for frame in frames:
            mark = mark_of(frame[1:])
            if mark in self._sent:
                self.late[mark] = now - self._sent[mark]
            else:
                self.others += 1
        self.network.second.batches.clear()
