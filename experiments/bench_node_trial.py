"""One trial of `hushmill bench node`: a fresh node, a load of one rate, and what came of it.

Each trial starts the node anew from a copy of its directory, so that one load of packets serves
all of them: a node that has never run has seen none.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from experiments.bench_node_helper import Helper, monotonic, running_on
from experiments.bench_node_network import BenchNetwork
from experiments.bench_node_packets import Load, Packets
from experiments.bench_node_peers import (
    Arrivals,
    GeneratorJob,
    SinkJob,
    Times,
    Where,
    arrivals_of,
    arrived_of,
    sent_of,
)
from hushmill.crypto import public_key_floor
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import SuiteName
from mixnode import read_status

LATE_SECONDS = 0.25  # beyond its delay: a packet that is later was not relayed at this rate
QUIET_SECONDS = 1.25  # with nothing arriving: more than the longest delay, so nothing is coming
POLL_SECONDS = 0.05
FILLING_SECONDS = 1.0  # until what leaves is as much as what comes: the longest delay
IDLE_LOOK_SECONDS = 0.25
IDLE_SHARE = 0.09  # of a core
IDLE_WAIT_SECONDS = 10.0
STATUS_WAIT_SECONDS = 5.0
TRIAL_MARGIN_SECONDS = 20.0  # a trial's own time beside its load
FLOOR_CALLS = 3000  # a third of a second


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the node runs, and where the generator and the sink do."""

    node: tuple[int, ...]
    peers: tuple[int, ...]

    def __str__(self) -> str:
        return "one core" if len(self.node) == 1 else f"{len(self.node)} cores"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial counted. `late` packets arrived, but long after they were due; `served` is how
    many a second left the node while the load was on. Each `_cpu` is a share of a core while it was
    on, `node_cpu_seconds` lasts until nothing more came. `added_ms` has an entry for each packet
    that arrived: how much later than it was due."""

    offered_per_second: float
    served_per_second: float
    sent: int
    received: int
    late: int
    repeated: int
    own_loops: int
    refused_at_link: int
    behind_ms: float
    seconds: float
    node_cpu_seconds: float
    node_cpu: float
    generator_cpu: float
    sink_cpu: float
    rss_bytes: int
    processes: int
    drops: dict[str, int]
    added_ms: NDArray[np.float64]
    floor_us: float = 0.0  # the public-key floor around it

    @property
    def lost(self) -> int:
        return self.sent - self.received

    @property
    def loss(self) -> float:
        """The share of packets that never arrived."""
        return self.lost / self.sent

    @property
    def failed(self) -> float:
        """The share that never arrived or was late."""
        return (self.lost + self.late) / self.sent

    @property
    def us_of_cpu(self) -> float:
        """Of all the node's processes, for a packet that left."""
        return self.node_cpu_seconds * 1e6 / max(1, self.received)

    def added(self, percent: float) -> float:
        """A percentile of the added latency, in ms; infinite if nothing arrived."""
        if not len(self.added_ms):
            return float("inf")
        return float(np.percentile(self.added_ms, percent))


def two_cores() -> tuple[int, int]:
    """Raises UserError(CONFIGURATION) where this process may not use two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise UserError(
            "This bench needs two cores: one for the node, one for who sends to it.",
            ExitCode.CONFIGURATION,
        )
    return cores[0], cores[1]


def cores_for(count: int) -> Cores:
    """One core for the node and another for its peers, or two for all of them."""
    first, second = two_cores()
    return Cores((first,), (second,)) if count == 1 else Cores((first, second), (first, second))


class Floor:
    """The public-key floor of a suite, on the node's own core, whenever the node is not running.

    A node's figure is a mean over seconds, and so is this: a virtual machine's core is at times
    half as fast again as at others, for seconds, and the best of one moment would say nothing
    about the node of another. A trial is held against the floor before and after it.
    """

    def __init__(self, suite: SuiteName) -> None:
        self._calls = public_key_floor(suite).opening
        self.us = 0.0  # of the last measurement

    def measure(self, core: int) -> float:
        with running_on([core]):
            start = perf_counter()
            for _ in range(FLOOR_CALLS):
                for call in self._calls:
                    call()
            self.us = (perf_counter() - start) / FLOOR_CALLS * 1e6
        return self.us


class Stage:
    """The node, the generator and the sink of one trial, linked; ended with the block."""

    def __init__(
        self, network: BenchNetwork, load: Load, folder: Path, cores: Cores, count: int, rate: float
    ) -> None:
        self.folder = folder
        self._count = count
        self.sent = sent_of(folder, count, "w+")
        self.arrivals = arrivals_of(folder, count, "w+")
        self.arrived = arrived_of(folder, "w+")
        network.fresh_node(folder / "mix")
        where = Where(
            network=str(network.folder),
            folder=str(folder),
            frame_bytes=load.frame_bytes,
            mix_pin=network.mix_pin,
            count=count,
        )
        sending = GeneratorJob(
            where=where, load=str(load.folder), port=network.port, rate=rate, seed=count
        )
        self._helpers: list[Helper] = []
        try:
            self.sink = self._peer(SinkJob(where=where, ports=network.sink_ports), cores)
            self.node = Helper("hushmill", ["mix", "run", str(folder / "mix")], cores.node)
            self._helpers.append(self.node)
            self.generator = self._peer(sending, cores)
            for helper in (self.sink, self.node, self.generator):
                helper.hear("ready")
            self.sink.hear("linked")
            self.generator.tell("connect")
            self.generator.hear("linked")
            self._wait_until_idle()
        except BaseException:
            self.end()
            raise

    def _peer(self, job: SinkJob | GeneratorJob, cores: Cores) -> Helper:
        helper = Helper.with_job("experiments.bench_node_peers", job, cores.peers)
        self._helpers.append(helper)
        return helper

    def end(self) -> None:
        for helper in self._helpers:
            helper.end()

    def _wait_until_idle(self) -> None:
        """Until the node has begun with all its processes: it is ready before its workers are, and
        what they take to start is no packet's cost."""
        before, end = self.node.cpu_seconds, monotonic() + IDLE_WAIT_SECONDS
        while monotonic() < end:
            time.sleep(IDLE_LOOK_SECONDS)
            now = self.node.cpu_seconds
            if now - before < IDLE_SHARE * IDLE_LOOK_SECONDS:
                return
            before = now

    def require_running(self) -> None:
        """Raises UserError(BUG) if the node has ended by itself."""
        if self.node.process.poll() is not None:
            raise UserError(
                "The node ended in the middle of a trial. Its own words stand above.", ExitCode.BUG
            )

    def wait_until_quiet(self) -> None:
        """Until all has arrived that was sent, or nothing has arrived for a while."""
        last, since = -1, monotonic()
        while last < self._count and monotonic() - since < QUIET_SECONDS:
            if int(self.arrived[0]) != last:
                last, since = int(self.arrived[0]), monotonic()
            time.sleep(POLL_SECONDS)


@contextmanager
def stage(
    network: BenchNetwork, load: Load, folder: Path, cores: Cores, count: int, rate: float
) -> Iterator[Stage]:
    """A stage in `folder`, which is made, and is gone with everything on the stage after."""
    if not network.has_key_for(count / rate + TRIAL_MARGIN_SECONDS):
        raise UserError(
            "The key that the packets were wrapped for is about to expire: start the bench again, "
            "with fewer --seconds if it comes to this twice.",
            ExitCode.TIMEOUT,
        )
    folder.mkdir(mode=0o700)
    try:
        built = Stage(network, load, folder, cores, count, rate)
        try:
            yield built
        finally:
            built.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_trial(
    network: BenchNetwork,
    load: Load,
    folder: Path,
    cores: Cores,
    rate: float,
    seconds: float,
    *,
    has_drops: bool = False,
) -> Outcome:
    """The outcome of `rate` packets a second for `seconds`, or for as long as the load lasts.

    `has_drops` waits for the node to say what it dropped, which it does every few seconds and in
    steps of 50.
    """
    count = max(1, min(load.count, round(rate * seconds)))
    with stage(network, load, folder, cores, count, rate) as built:
        before = [helper.cpu_seconds for helper in (built.node, built.generator, built.sink)]
        built.generator.tell("go")
        refused, behind = built.generator.hear(
            "sent", 2 * count / rate + TRIAL_MARGIN_SECONDS
        ).split()
        built.require_running()
        memory = built.node.memory_bytes
        processes = len(built.node.processes())
        after = [helper.cpu_seconds for helper in (built.node, built.generator, built.sink)]
        built.wait_until_quiet()
        built.require_running()
        node_cpu = built.node.cpu_seconds - before[0]
        drops = _drops(folder / "mix") if has_drops else {}
        sent, arrivals = np.array(built.sent), np.array(built.arrivals[: int(built.arrived[0])])
    matched = match_arrivals(load.packets[:count], sent, arrivals)
    lasted = float(sent[-1] - sent[0]) or 1.0
    return Outcome(
        offered_per_second=count / lasted,
        served_per_second=_served(sent, arrivals["at"]),
        sent=count,
        received=len(matched.added),
        late=int((matched.added > LATE_SECONDS).sum()),
        repeated=matched.repeated,
        own_loops=matched.strange,
        refused_at_link=int(refused),
        behind_ms=float(behind),
        seconds=lasted,
        node_cpu_seconds=node_cpu,
        node_cpu=(after[0] - before[0]) / lasted,
        generator_cpu=(after[1] - before[1]) / lasted,
        sink_cpu=(after[2] - before[2]) / lasted,
        rss_bytes=memory,
        processes=processes,
        drops=drops,
        added_ms=matched.added * 1000,
    )


def _served(sent: Times, at: Times) -> float:
    """How many left a second: once as much leaves as comes, or in a short trial over all of it."""
    if not len(at):
        return 0.0
    begin, end = float(sent[0]) + FILLING_SECONDS, float(sent[-1])
    if end - begin < FILLING_SECONDS / 2:
        begin, end = float(sent[0]), float(at[-1])
    return float(((at >= begin) & (at < end)).sum()) / (end - begin)


@dataclass(frozen=True, slots=True)
class Matched:
    """`added` seconds of each packet that arrived; how many arrivals were of one that had come
    already, and how many of packets that are none of the load's."""

    added: NDArray[np.float64]
    repeated: int
    strange: int


def match_arrivals(packets: Packets, sent: Times, arrivals: Arrivals) -> Matched:
    """What came of `packets`, each sent when `sent` says."""
    order = np.argsort(packets["key"])
    keys = packets["key"][order]
    places = np.minimum(np.searchsorted(keys, arrivals["key"]), len(keys) - 1)
    known = keys[places] == arrivals["key"]
    numbers, first = np.unique(order[places[known]], return_index=True)
    at = arrivals["at"][known][first]
    added = at - sent[numbers] - packets["delay"][numbers]
    return Matched(added, int(known.sum()) - len(numbers), int((~known).sum()))


def _drops(mix: Path) -> dict[str, int]:
    """What the node says that it dropped, once it has written its status anew."""
    asked, end = time.time(), monotonic() + STATUS_WAIT_SECONDS
    while (mix / "status.json").stat().st_mtime < asked and monotonic() < end:
        time.sleep(POLL_SECONDS)
    counters = read_status(mix).counters
    return {
        name.removeprefix("drop_"): count
        for name, count in counters.items()
        if name.startswith("drop_") and count
    }
