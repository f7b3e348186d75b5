"""A process that opens packets for a node: `python -m mixnode.unwrap_worker`, started by
`unwrap_pool.py` and by nobody else.

It has no files, no sockets and no clock: jobs come in a ring (`unwrap_ring.py`), answers go back in
it. It ends when its standard input ends, so it never outlives its node.
"""

import os
import resource
import select
import sys
from collections.abc import Mapping
from typing import cast

from hushmill.crypto import kem_named
from hushmill.errors import PeerError
from hushmill.identifiers import NodeNumber
from hushmill.packet import Geometry, NodeKey, PacketFormat
from hushmill.parameters import SuiteName
from mixnode.unwrap_ring import Answer, Job, UnwrapRing

ANSWERS_AT_ONCE = 8  # told together: a few packets' time is far less than a tick


class UnwrapWorker:
    """Opens what its end of the ring holds."""

    def __init__(self, packet_format: PacketFormat, node: NodeNumber, ring: UnwrapRing) -> None:
        self._format = packet_format
        self._node = node
        self._ring = ring
        self._keys: Mapping[int, NodeKey] = {}

    def work(self) -> None:
        """Answers the next job. Whatever is not a PeerError is a bug, and ends the process."""
        job, start = self._ring.read_job()
        self._ring.write_answer(start, self._answer(job, start))

    def _answer(self, job: Job, start: int) -> Answer:
        if job is Job.KEYS:
            self._keys = self._ring.take_keys(start, self._format.geometry.kem, self._node)
            return None
        try:
            return self._format.unwrap(self._ring.packet_at(start), self._keys)
        except PeerError as error:
            return error.reason


def serve(worker: UnwrapWorker, jobs: int, done: int) -> None:
    """Works until standard input ends; `jobs` and `done` are eventfds that count."""
    poll = select.poll()
    poll.register(jobs, select.POLLIN)
    poll.register(sys.stdin.fileno(), select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if jobs not in ready:
            return  # nothing is ever written to standard input: this is its end
        waiting = os.eventfd_read(jobs)
        while waiting:
            count = min(waiting, ANSWERS_AT_ONCE)
            for _ in range(count):
                worker.work()
            os.eventfd_write(done, count)
            waiting -= count


def main(words: list[str]) -> None:
    suite, hops, payload_bytes, node, memory, jobs, done = words
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold every key in memory
    geometry = Geometry(kem_named(cast("SuiteName", suite)), int(hops), int(payload_bytes))
    ring = UnwrapRing(int(memory), geometry)
    packet_format = PacketFormat(geometry.kem, geometry.hops, geometry.payload_bytes)
    serve(UnwrapWorker(packet_format, NodeNumber(int(node)), ring), int(jobs), int(done))


if __name__ == "__main__":
    main(sys.argv[1:])
