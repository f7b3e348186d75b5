"""A pinned neighbour that floods: a process of its own, so that it takes none of the test's time.

`python -m tests.processes.hostile_neighbour` reads its orders as one line of JSON from stdin, sends
what they say until stdin ends, and says in JSON how many frames it handed to the kernel.
"""

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from hushmill.crypto import kem_named
from hushmill.drops import Drop
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from hushmill.link import LinkClass, NodeFrames, Relay
from hushmill.packet import Packet, PacketFormat
from hushmill.runtime import Connector, LinkIdentity, SystemRandomness
from tests.packet.crafted import Target, crafted, forward_block, microseconds
from tests.processes.link_loop import Owner, running_loop

BURST_SECONDS = 0.01  # how often it sends what has come due
MOST_AT_ONCE = 16


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom to flood and with what: `frames_per_second` (0: as many as go) of fresh packets for
    `next_node`, to be held for `delay_seconds`; where `distinct` is not 0 only so many are made and
    then sent over and over, as replays."""

    port: int
    identity: bytes
    pin: bytes
    suite: str
    hops: int
    payload_bytes: int
    node: int
    epoch: int
    public: bytes
    next_node: int
    delay_seconds: float
    frames_per_second: float
    distinct: int = 0


class Flood:
    """The orders carried out, a burst at a time."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        kem = kem_named(orders.suite)  # type: ignore[arg-type]
        self._format = PacketFormat(kem, orders.hops, orders.payload_bytes)
        self.frames = NodeFrames(self._format.geometry.packet_bytes)
        node, epoch = NodeNumber(orders.node), Epoch(orders.epoch)
        self._target = Target(node, epoch, kem.public(orders.public))
        delay = microseconds(orders.delay_seconds)
        self._block = forward_block(orders.next_node, delay)
        self._rng = SystemRandomness()
        self._stock = [self._fresh() for _ in range(orders.distinct)]
        self._sent = 0

    def next(self, count: int) -> list[bytes]:
        """The next `count` frames."""
        self._sent += count
        if not self._stock:
            return [self._fresh() for _ in range(count)]
        return [self._stock[(self._sent + n) % len(self._stock)] for n in range(count)]

    def _fresh(self) -> bytes:
        packet: Packet = crafted(self._format.geometry, self._target, self._block, self._rng)
        return self.frames.encode(Relay(packet.raw))


def run(orders: Orders) -> int:
    """Floods until stdin ends; how many frames were sent."""
    flood, owner = Flood(orders), Owner()
    with running_loop() as loop:
        connector = Connector(
            loop.reactor,
            "127.0.0.1",
            orders.port,
            LinkIdentity(orders.identity),
            KeyHash(orders.pin),
            LinkClass.NODE,
            flood.frames.frame_bytes,
            owner.handlers,
        )
        connector.start()
        loop.at_end(connector.stop)
        loop.until(lambda: owner.links, 20.0)
        sys.stdout.write("up\n")
        sys.stdout.flush()
        begin, offered, missed = time.monotonic(), 0, 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            loop.run_for(BURST_SECONDS if orders.frames_per_second else 0.0)
            if not owner.links:
                continue
            full = owner.drops[Drop.OVERFLOW]
            due = int((time.monotonic() - begin) * orders.frames_per_second) - offered - missed
            count = min(due, MOST_AT_ONCE) if orders.frames_per_second else MOST_AT_ONCE
            missed += max(0, due - count)  # a machine that is too slow for the rate sends less
            owner.link.send(flood.next(count))
            offered += count
            if owner.drops[Drop.OVERFLOW] > full and not orders.frames_per_second:
                loop.run_for(BURST_SECONDS)  # the node takes no more
        return offered - owner.drops[Drop.OVERFLOW]


@contextmanager
def flooding(orders: Orders) -> Iterator["FloodProcess"]:
    """A process that carries out `orders` until the block ends; `sent` is known after it."""
    command = [sys.executable, "-m", "tests.processes.hostile_neighbour"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    flood = FloodProcess(process)
    try:
        process.stdin.write(msgspec.json.encode(orders).decode() + "\n")
        process.stdin.flush()
        yield flood
    finally:
        process.stdin.close()
        last = process.stdout.read().strip().split("\n")[-1]
        process.stdout.close()
        process.wait(30)
        flood.report = json.loads(last)


class FloodProcess:
    """The running flood."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.report: dict[str, Any] = {}

    def wait_until_up(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "up\n"

    @property
    def sent(self) -> int:
        return int(self.report["sent"])


def main() -> None:
    orders = msgspec.json.decode(sys.stdin.readline(), type=Orders)
    sent = run(orders)
    sys.stdout.write(json.dumps({"sent": sent}) + "\n")


if __name__ == "__main__":
    main()
