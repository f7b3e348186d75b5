"""Who opens a node's packets: worker processes, or in a small network the event loop itself.

Spec: docs/spec/mixing.md (Workers). Both are asked in the same way: `room` says how many
packets may be given now, `give` takes them, and `on_opened` hears of each, in the order in which
they were given to one worker.
"""

import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hushmill.errors import PeerError
from hushmill.identifiers import NodeNumber
from hushmill.packet import Geometry, NodeKey, Packet, PacketFormat
from hushmill.runtime import DelayedCall, DescriptorReader, Reactor, Scheduler
from mixnode.intake import WaitingPacket
from mixnode.unwrap_ring import SLOTS, Answer, UnwrapRing, make_ring_memory

START_SECONDS = 60.0  # on a machine that is busy with others
PACKETS_A_TURN = 16  # opened by the event loop before it looks at its links again
_ROOT = Path(__file__).resolve().parent.parent

Opened = tuple[WaitingPacket, Answer]
OnOpened = Callable[[Sequence[Opened]], None]
Keys = Mapping[int, NodeKey]  # by the low byte of their epochs


class UnwrapPool(Protocol):
    """Opens packets. `keys` are those that are open now; a worker keeps them until the next ones
    come, so an owner tells it of each change."""

    @property
    def room(self) -> int: ...

    def use_keys(self, keys: Keys) -> None: ...

    def give(self, packets: Sequence[WaitingPacket]) -> None: ...

    def stop(self) -> None: ...


class InlineUnwrap:
    """Opens packets on the event loop, a few each turn: between them it looks at its links."""

    def __init__(
        self, reactor: Scheduler, packet_format: PacketFormat, on_opened: OnOpened
    ) -> None:
        self._reactor = reactor
        self._format = packet_format
        self._on_opened = on_opened
        self._keys: Keys = {}
        self._pending: list[WaitingPacket] = []
        self._turn: DelayedCall | None = None

    @property
    def room(self) -> int:
        return PACKETS_A_TURN - len(self._pending)

    def use_keys(self, keys: Keys) -> None:
        self._keys = keys

    def give(self, packets: Sequence[WaitingPacket]) -> None:
        self._pending += packets
        if self._turn is None:
            self._turn = self._reactor.callLater(0, self._work)

    def stop(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _work(self) -> None:
        self._turn = None
        pending, self._pending = self._pending, []
        self._on_opened([(waiting, self._open(waiting.packet)) for waiting in pending])

    def _open(self, packet: Packet) -> Answer:
        try:
            return self._format.unwrap(packet, self._keys)
        except PeerError as error:
            return error.reason


class WorkerUnwrap:
    """`count` worker processes; a packet goes to the one that has least to do."""

    def __init__(
        self,
        reactor: Reactor,
        geometry: Geometry,
        node: NodeNumber,
        count: int,
        on_opened: OnOpened,
    ) -> None:
        """Returns when all of them work: they load for half a second, and packets that wait for
        that would be late. Raises RuntimeError when one does not start."""
        self._on_opened = on_opened
        self._workers = [_Worker(reactor, geometry, node, self._opened) for _ in range(count)]
        for worker in self._workers:
            worker.wait_until_started()

    @property
    def room(self) -> int:
        return sum(worker.room for worker in self._workers)

    def use_keys(self, keys: Keys) -> None:
        for worker in self._workers:
            worker.use_keys(keys)

    def give(self, packets: Sequence[WaitingPacket]) -> None:
        """In runs, so that a worker is woken once for several; at most `room` of them."""
        start = 0
        while start < len(packets):
            worker = max(self._workers, key=lambda candidate: candidate.room)
            run = max(1, min(worker.room, -(-(len(packets) - start) // len(self._workers))))
            worker.give(packets[start : start + run])
            start += run

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def _opened(self, opened: Sequence[Opened]) -> None:
        self._on_opened(opened)


class _Worker:
    """One process, this end of its ring, and what it has not answered yet (None: keys)."""

    def __init__(
        self, reactor: Reactor, geometry: Geometry, node: NodeNumber, on_opened: OnOpened
    ) -> None:
        self._on_opened = on_opened
        self._pending: deque[WaitingPacket | None] = deque()
        self._keys_waiting: Keys | None = None
        self._is_stopped = False
        memory = make_ring_memory(geometry)
        self._ring = UnwrapRing(memory, geometry)
        self._jobs = os.eventfd(0, os.EFD_CLOEXEC)
        self._done = done = os.eventfd(0, os.EFD_CLOEXEC)
        self._alive, held_by_worker = os.pipe2(os.O_CLOEXEC)
        self._process = _start(geometry, node, (memory, self._jobs, done), held_by_worker)
        os.close(memory)
        os.close(held_by_worker)
        self._readers = [
            DescriptorReader(reactor, done, self._answered),
            DescriptorReader(reactor, self._alive, self._ended),
        ]

    def wait_until_started(self) -> None:
        """Blocks until it has answered once, to keys that are none."""
        self.use_keys({})
        ready, _, _ = select.select([self._done, self._alive], [], [], START_SECONDS)
        if self._done not in ready:
            raise RuntimeError("an unwrap worker has not started")
        self._answered(self._done)

    @property
    def room(self) -> int:
        """One slot stays for keys."""
        return max(0, SLOTS - 1 - len(self._pending))

    def use_keys(self, keys: Keys) -> None:
        """From the next packet on; with no slot free, as soon as one is."""
        if len(self._pending) >= SLOTS:
            self._keys_waiting = keys
            return
        self._ring.write_keys(list(keys.values()))
        self._pending.append(None)
        os.eventfd_write(self._jobs, 1)

    def give(self, packets: Sequence[WaitingPacket]) -> None:
        for waiting in packets:
            self._ring.write_packet(waiting.packet)
        self._pending.extend(packets)
        os.eventfd_write(self._jobs, len(packets))

    def stop(self) -> None:
        """What it has not answered is dropped with the process."""
        self._is_stopped = True
        for reader in self._readers:
            reader.close()
        self._process.communicate()  # its standard input ends, and so does it
        os.close(self._jobs)
        self._ring.close()

    def _answered(self, done: int) -> None:
        opened: list[Opened] = []
        for _ in range(os.eventfd_read(done)):
            waiting = self._pending.popleft()
            answer = self._ring.read_answer()
            if waiting is not None:
                opened.append((waiting, answer))
        if self._keys_waiting is not None:
            keys, self._keys_waiting = self._keys_waiting, None
            self.use_keys(keys)
        if opened:
            self._on_opened(opened)

    def _ended(self, _descriptor: int) -> None:
        if not self._is_stopped:
            raise RuntimeError("an unwrap worker has ended by itself")


def _start(
    geometry: Geometry, node: NodeNumber, shared: tuple[int, int, int], output: int
) -> "subprocess.Popen[bytes]":
    """The process, which has `shared` (memory, jobs, done) and holds `output` open while it lives.
    It finds this very code, wherever the node was started. Signals that a terminal or a service
    manager sends to the whole group are the node's to act on: the worker is born with them blocked.
    """
    numbers = [geometry.hops, geometry.payload_bytes, node, *shared]
    command = [sys.executable, "-P", "-m", "mixnode.unwrap_worker", geometry.kem.name]
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return subprocess.Popen(  # noqa: S603 (our own module, our own numbers)
            [*command, *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=output,
            pass_fds=shared,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
