"""Packets for `hushmill bench node`, wrapped beforehand by a process a core.

    frames       every frame as it is sent, one after the other
    packets      for each: its delay, and by what its forwarded form is known again

A packet ends at the sink, its second hop: that halves the time to wrap it, and a mix can neither
see how long a path is nor does it cost it anything. It is known at the sink by the first eight
bytes of its next ciphertext, which are random. To know them beforehand each packet is opened here
as well, with the mix's own key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.bench_node_helper import Helper, is_wanted, read_job, say
from experiments.bench_node_network import MIX, SINKS, SOURCES, BenchNetwork
from hushmill.crypto import KemPublic
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.link import NodeFrames, Relay
from hushmill.packet import Forward, Hop, NodeKey, PacketFormat, Route, packet_format
from hushmill.parameters import Parameters, SuiteName
from hushmill.randomness import Randomness, exponential
from hushmill.runtime import SystemRandomness

# The network's own delays, redrawn above this instead of above ten means, so that a trial is over
# soon after its last packet was sent.
LONGEST_DELAY_SECONDS = 1.0
HELD_DELAY_SECONDS = (4.0, 5.0)  # for packets that are to be held: up to the cap of the network
KEY_BYTES = 8
KEY_START = 1 + 2  # after a frame's command, and the packet's version and epoch
FRAMES_AT_ONCE = 100
PACKET = np.dtype([("delay", np.float64), ("key", "<u8")])
Packets: TypeAlias = NDArray[np.void]
Delays = Literal["network", "held"]


@dataclass(frozen=True, slots=True)
class Load:
    """`count` frames in `folder`."""

    folder: Path
    frame_bytes: int
    packets: Packets

    @property
    def count(self) -> int:
        return len(self.packets)


class WrapJob(msgspec.Struct, frozen=True, kw_only=True):
    """Packets `start` to `end` of the files in `folder`; keys as they stand in their files."""

    folder: str
    suite: SuiteName
    epoch: int
    start: int
    end: int
    count: int
    delays: Delays
    mix_secret: bytes
    publics: dict[int, bytes]


def wrap_load(
    network: BenchNetwork,
    folder: Path,
    count: int,
    delays: Delays,
    cores: Sequence[int],
    progress: Callable[[int, int], None],
) -> Load:
    """`count` fresh packets for the mix, in files in `folder`, which is made."""
    folder.mkdir(mode=0o700)
    form = packet_format(network.parameters)
    frame_bytes = NodeFrames(form.geometry.packet_bytes).frame_bytes
    (folder / "frames").write_bytes(b"")
    with (folder / "frames").open("r+b") as frames:
        frames.truncate(count * frame_bytes)
    packets_of(folder, count)
    bounds = [count * place // len(cores) for place in range(len(cores) + 1)]
    jobs = [
        WrapJob(
            folder=str(folder),
            suite=network.parameters.suite,
            epoch=network.epoch,
            start=start,
            end=end,
            count=count,
            delays=delays,
            mix_secret=network.secrets[MIX].raw,
            publics={number: key.public.raw for number, key in network.secrets.items()},
        )
        for start, end in pairwise(bounds)
    ]
    helpers: list[Helper] = []
    try:
        for job, core in zip(jobs, cores, strict=True):
            helpers.append(Helper.with_job("experiments.bench_node_packets", job, [core]))
        for helper, job in zip(helpers, jobs, strict=True):
            for done in range(0, job.end - job.start, FRAMES_AT_ONCE):
                helper.hear("some")
                progress(job.start + done, count)
            helper.hear("done")
    finally:
        for helper in helpers:
            helper.end()
    return Load(folder, frame_bytes, packets_of(folder, count))


def packets_of(folder: Path, count: int) -> Packets:
    """The file of packets, made if it is not there; what is written to it is in the file."""
    path = folder / "packets"
    mode: Literal["r+", "w+"] = "r+" if path.exists() else "w+"
    return np.memmap(path, PACKET, mode, shape=(count,))


class _Wrapper:
    """Makes packets, and tells by what each will be known at the sink."""

    def __init__(self, job: WrapJob) -> None:
        self._form: PacketFormat = packet_format(Parameters(suite=job.suite))
        kem = self._form.geometry.kem
        self._epoch = Epoch(job.epoch)
        self._delays = job.delays
        self._mean = Parameters(suite=job.suite).delay_mean_seconds
        self._publics: dict[int, KemPublic] = {
            number: kem.public(raw) for number, raw in job.publics.items()
        }
        key = NodeKey(MIX, self._epoch, kem.load_secret(job.mix_secret))
        self._own = {self._epoch & 0xFF: key}
        self._frames = NodeFrames(self._form.geometry.packet_bytes)
        self._rng: Randomness = SystemRandomness()

    def make(self, number: int) -> tuple[bytes, float, int]:
        """The frame of packet `number`, its delay, and its key at the sink."""
        delay = self._delay()
        sink = SINKS[number // len(SOURCES) % len(SINKS)]
        hops = (Hop(MIX, self._publics[MIX], delay), Hop(sink, self._publics[sink], 0.0))
        payload = self._rng.take(self._form.geometry.payload_bytes)
        packet = self._form.wrap(Route(hops, self._epoch), payload, self._rng)
        forward = self._form.unwrap(packet, self._own).instruction
        if not isinstance(forward, Forward):
            raise TypeError("a packet for the mix is to be forwarded")
        onward = self._frames.encode(Relay(forward.packet.raw))
        key = int.from_bytes(onward[KEY_START : KEY_START + KEY_BYTES], "little")
        return self._frames.encode(Relay(packet.raw)), forward.delay_seconds, key

    def _delay(self) -> float:
        if self._delays == "held":
            least, most = HELD_DELAY_SECONDS
            return least + (most - least) * exponential_below(self._rng, 0.2, 1.0)
        return exponential_below(self._rng, self._mean, LONGEST_DELAY_SECONDS)


def exponential_below(rng: Randomness, mean: float, limit: float) -> float:
    """Exponential, redrawn until it is below `limit`."""
    while (drawn := exponential(rng, mean)) >= limit:
        pass
    return drawn


def source_of(number: int) -> NodeNumber:
    """Over whose link packet `number` comes."""
    return SOURCES[number % len(SOURCES)]


def main() -> None:
    job = msgspec.json.decode(read_job(), type=WrapJob)
    wrapper = _Wrapper(job)
    packets = packets_of(Path(job.folder), job.count)
    frame_bytes = 1 + packet_format(Parameters(suite=job.suite)).geometry.packet_bytes
    with (Path(job.folder) / "frames").open("r+b") as frames:
        frames.seek(job.start * frame_bytes)
        for number in range(job.start, job.end):
            if (number - job.start) % FRAMES_AT_ONCE == 0:
                if not is_wanted():
                    return
                say("some")
            frame, delay, key = wrapper.make(number)
            frames.write(frame)
            packets[number] = (delay, key)
    say("done")


if __name__ == "__main__":
    main()
