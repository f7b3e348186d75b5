"""The unwrap stage of a node by itself: its worker processes, fed as fast as they answer."""

import select
from collections.abc import Callable
from time import perf_counter
from typing import Protocol, cast

from experiments.bench_packet import HOPS, PAYLOAD_BYTES
from hushmill.crypto import kem_named
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Hop, NodeKey, Packet, PacketFormat, Route
from hushmill.parameters import SuiteName
from hushmill.runtime import Reactor, SystemRandomness
from mixnode import WaitingPacket, WorkerUnwrap

SPEEDUP_LIMIT = 1.6  # of two workers over one, at least
PACKETS = 64  # different ones, in turn: nothing in this stage remembers a packet
ROUNDS = 3
Row = dict[str, object]


class _Reader(Protocol):
    def fileno(self) -> int: ...

    def doRead(self) -> None: ...  # noqa: N802


class _Readers:
    """As much of a reactor as the workers need."""

    def __init__(self) -> None:
        self._readers: list[_Reader] = []

    def addReader(self, reader: _Reader) -> None:  # noqa: N802
        self._readers.append(reader)

    def removeReader(self, reader: _Reader) -> None:  # noqa: N802
        self._readers.remove(reader)

    def turn(self) -> None:
        """Waits for an answer, and hands on what there is."""
        for reader in select.select(self._readers, [], [])[0]:
            reader.doRead()


def stage_rows(
    suite: SuiteName, seconds: float, progress: Callable[[str, int, int], None]
) -> list[Row]:
    """Rows `unwrap_stage` for one and for two workers, on both cores; the best of some rounds,
    taken in turn."""
    best = {1: 0.0, 2: 0.0}
    for number in range(ROUNDS):
        progress(f"The unwrap stage of {suite}", number, ROUNDS)
        for workers in best:
            best[workers] = max(best[workers], _per_second(suite, workers, seconds))
    rows: list[Row] = [
        {
            "what": "unwrap_stage",
            "suite": suite,
            "workers": workers,
            "packets_per_second": round(per_second),
            "us_per_packet": round(1e6 / per_second, 1),
            "speedup": round(per_second / best[1], 3),
        }
        for workers, per_second in best.items()
    ]
    rows[-1]["limit_speedup"] = SPEEDUP_LIMIT
    return rows


def _per_second(suite: SuiteName, workers: int, seconds: float) -> float:
    """Packets a second that `workers` open while every one always has something to do."""
    kem = kem_named(suite)
    form = PacketFormat(kem, HOPS, PAYLOAD_BYTES)
    own = NodeKey(NodeNumber(1), Epoch(1), kem.generate())
    waiting = [WaitingPacket(NodeNumber(2), 0.0, _packet(form, own)) for _ in range(PACKETS)]
    readers, opened = _Readers(), [0]

    def count(answers: object) -> None:
        opened[0] += len(cast("list[object]", answers))

    reactor = cast("Reactor", readers)
    pool = WorkerUnwrap(reactor, form.geometry, own.node, workers, count)
    try:
        pool.use_keys({own.epoch: own})
        for is_warm in (False, True):
            opened[0], start = 0, perf_counter()
            while (passed := perf_counter() - start) < (seconds if is_warm else seconds / 4):
                pool.give(waiting[: pool.room])
                readers.turn()
        return opened[0] / passed
    finally:
        pool.stop()


def _packet(form: PacketFormat, own: NodeKey) -> Packet:
    rng = SystemRandomness()
    next_hop = Hop(NodeNumber(2), form.geometry.kem.generate().public, 0.0)
    route = Route((Hop(own.node, own.secret.public, 0.1), next_hop), own.epoch)
    return form.wrap(route, rng.take(form.geometry.payload_bytes), rng)
