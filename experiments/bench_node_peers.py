"""The two processes between which the mix of `hushmill bench node` stands, and what they record.

The generator is two providers: it connects, and sends each packet at its own time whatever becomes
of the others (an open loop; a full link drops, and that is a loss). The sink is the two mixes of
the second layer: it notes when which packet came. Both look at one clock. Every record is a file in
a trial's folder, mapped into memory, so that noting costs next to nothing.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias, assert_never

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.bench_node_helper import monotonic, read_job, say
from experiments.bench_node_network import HOST, SINKS, SOURCES, link_file
from experiments.bench_node_packets import KEY_BYTES, KEY_START, source_of
from hushmill.drops import Drop
from hushmill.identifiers import KeyHash, NodeNumber
from hushmill.link import LinkClass
from hushmill.runtime import (
    Connector,
    DescriptorReader,
    FrameLink,
    LinkHandlers,
    LinkIdentity,
    Reactor,
    listen,
    run_service,
)

TICK_SECONDS = 0.005
LEAD_SECONDS = 0.05  # from the word to the first packet
SPARE_ARRIVALS = 4096  # what a sink notes beyond the load: the mix's own loops, or a fault
ARRIVAL = np.dtype([("at", np.float64), ("key", "<u8")])
Times: TypeAlias = NDArray[np.float64]
Arrivals: TypeAlias = NDArray[np.void]
Counts: TypeAlias = NDArray[np.int64]


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """`network` is the folder of the link keys, `folder` the trial's, `count` the packets'."""

    network: str
    folder: str
    frame_bytes: int
    mix_pin: bytes
    count: int


class GeneratorJob(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Sends the first packets of `load`, a Poisson process of `rate` a second."""

    where: Where
    load: str
    port: int
    rate: float
    seed: int


class SinkJob(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Listens on `ports`, and notes what arrives."""

    where: Where
    ports: tuple[int, ...]


PeerJob: TypeAlias = GeneratorJob | SinkJob
Words: TypeAlias = Iterator[Callable[[], None]]
Mode: TypeAlias = Literal["r+", "w+"]


def sent_of(folder: Path, count: int, mode: Mode = "r+") -> Times:
    """When each packet was sent: 0.0 where it has not been yet."""
    return np.memmap(folder / "sent", np.float64, mode, shape=(count,))


def arrivals_of(folder: Path, count: int, mode: Mode = "r+") -> Arrivals:
    """What arrived, in order; `arrived_of` says how much of it is written."""
    return np.memmap(folder / "arrivals", ARRIVAL, mode, shape=(count + SPARE_ARRIVALS,))


def arrived_of(folder: Path, mode: Mode = "r+") -> Counts:
    """One number: how many packets have arrived, noted or not."""
    return np.memmap(folder / "arrived", np.int64, mode, shape=(1,))


def schedule(count: int, rate: float, seed: int) -> Times:
    """Seconds from the start to each packet: a Poisson process."""
    gaps: Times = np.random.default_rng(seed).exponential(1.0 / rate, count)
    return np.cumsum(gaps)


class Generator:
    """Says `ready`; connects on a word, and says `linked`; sends on the next, and says `sent` with
    the number that its links have dropped, and by how much it was behind its schedule (ms)."""

    def __init__(self, reactor: Reactor, job: GeneratorJob) -> None:
        self._reactor = reactor
        self._frames = np.memmap(
            Path(job.load) / "frames", np.uint8, "r", shape=(job.where.count, job.where.frame_bytes)
        )
        self._sent = sent_of(Path(job.where.folder), job.where.count)
        self._due = schedule(job.where.count, job.rate, job.seed)
        self._count = job.where.count
        self._next = 0
        self._start = 0.0
        self._behind = 0.0
        self._drops: Counter[Drop] = Counter()
        self._links = {number: self._connector(number, job) for number in SOURCES}
        self._words = iter((self._connect, self._go))
        DescriptorReader(reactor, sys.stdin.fileno(), self._told)
        say("ready")

    def _connector(self, number: NodeNumber, job: GeneratorJob) -> Connector:
        return Connector(
            self._reactor,
            HOST,
            job.port,
            LinkIdentity.load(link_file(Path(job.where.network), number)),
            KeyHash(job.where.mix_pin),
            LinkClass.NODE,
            job.where.frame_bytes,
            LinkHandlers(_no_frames, self._up, _nothing, self._drop),
        )

    def _told(self, descriptor: int) -> None:
        _next_word(descriptor, self._reactor, self._words)

    def _connect(self) -> None:
        for connector in self._links.values():
            connector.start()

    def _up(self, _link: FrameLink) -> None:
        if all(connector.link is not None for connector in self._links.values()):
            say("linked")

    def _drop(self, reason: Drop, number: int) -> None:
        self._drops[reason] += number

    def _go(self) -> None:
        self._start = monotonic() + LEAD_SECONDS
        self._reactor.callLater(LEAD_SECONDS, self._send)

    def _send(self) -> None:
        """Everything that is due, a write a link."""
        time = monotonic()
        end = int(np.searchsorted(self._due, time - self._start, side="right"))
        if end > self._next:
            self._behind = max(self._behind, time - self._start - float(self._due[self._next]))
            batches: dict[NodeNumber, list[bytes]] = {}
            for number in range(self._next, end):
                batches.setdefault(source_of(number), []).append(self._frames[number].tobytes())
            self._sent[self._next : end] = monotonic()
            for source, frames in batches.items():
                self._links[source].send(frames)
            self._next = end
        if self._next < self._count:
            self._reactor.callLater(TICK_SECONDS, self._send)
        else:
            say(f"sent {self._drops.total()} {self._behind * 1000:.1f}")


class Sink:
    """Says `ready` when it listens and `linked` when the mix has come to all its ports."""

    def __init__(self, reactor: Reactor, job: SinkJob) -> None:
        self._arrivals = arrivals_of(Path(job.where.folder), job.where.count)
        self._arrived = arrived_of(Path(job.where.folder))
        self._awaited = len(SINKS)
        handlers = LinkHandlers(self._received, self._up, _nothing, _ignore)
        for number, port in zip(SINKS, job.ports, strict=True):
            listen(
                reactor,
                HOST,
                port,
                LinkIdentity.load(link_file(Path(job.where.network), number)),
                LinkClass.NODE,
                job.where.frame_bytes,
                handlers,
                is_welcome=lambda peer: peer == job.where.mix_pin,
            )
        no_words: list[Callable[[], None]] = []
        words = iter(no_words)
        DescriptorReader(
            reactor, sys.stdin.fileno(), lambda descriptor: _next_word(descriptor, reactor, words)
        )
        say("ready")

    def _up(self, _link: FrameLink) -> None:
        self._awaited -= 1
        if self._awaited == 0:
            say("linked")

    def _received(self, _link: FrameLink, frames: list[bytes]) -> None:
        time = monotonic()
        place = int(self._arrived[0])
        room = self._arrivals[place : place + len(frames)]
        keys = b"".join([frame[KEY_START : KEY_START + KEY_BYTES] for frame in frames])
        room["at"] = time
        room["key"] = np.frombuffer(keys, "<u8")[: len(room)]
        self._arrived[0] = place + len(frames)


def _next_word(descriptor: int, reactor: Reactor, words: "Words") -> None:
    """Does what comes next for each line, and ends with the input."""
    said = os.read(descriptor, 4096)
    if not said:
        reactor.stop()
    for _ in range(said.count(b"\n")):
        next(words)()


def _no_frames(_link: FrameLink, _frames: list[bytes]) -> None:
    """A mix does not answer."""


def _nothing(_link: FrameLink) -> None:
    """What is lost with a link shows in the figures."""


def _ignore(_reason: Drop, _number: int) -> None:
    """A sink loses nothing but with its link."""


def main() -> None:
    job: PeerJob = msgspec.json.decode(read_job(), type=PeerJob)
    match job:
        case GeneratorJob():
            run_service(lambda reactor: start(Generator(reactor, job)))
        case SinkJob():
            run_service(lambda reactor: start(Sink(reactor, job)))
        case _:
            assert_never(job)


def start(_peer: Generator | Sink) -> None:
    """The reactor holds on to it."""


if __name__ == "__main__":
    main()
