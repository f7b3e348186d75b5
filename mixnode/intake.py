"""Packets that wait to be opened: a queue a link, emptied in turn.

Spec: docs/spec/mixing.md (Intake). Opening a packet costs more than sending one, so whoever sends
faster than the node can open must lose what is its own. Each link has a queue, every round takes
one packet of each, and when there is no room left the longest queue loses its newest packet: a link
whose queue is no longer than others' loses none, and waits for one round. Pure.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from hushmill.errors import UsageError
from hushmill.identifiers import NodeNumber
from hushmill.packet import Packet


class WaitingPacket(NamedTuple):
    """A packet that came over the link of `source` at `at`, in Unix seconds."""

    source: NodeNumber
    at: float
    packet: Packet


class Intake:
    """At most `limit` packets."""

    __slots__ = ("_length", "_limit", "_queues")

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise UsageError("an intake has room for one packet at least")
        self._limit = limit
        self._length = 0
        # In the order in which they are served; a link with an empty queue has none.
        self._queues: dict[NodeNumber, deque[WaitingPacket]] = {}

    def __len__(self) -> int:
        return self._length

    def offer(self, source: NodeNumber, packets: Iterable[Packet], at: float) -> int:
        """How many packets were dropped for want of room, whosever they were."""
        queue = self._queues.setdefault(source, deque())
        dropped = 0
        for packet in packets:
            queue.append(WaitingPacket(source, at, packet))
            if self._length < self._limit:
                self._length += 1
            else:
                # Of queues of one length the newcomer's is the longest: it never displaces others'.
                max(self._queues.values(), key=lambda held: (len(held), held is queue)).pop()
                dropped += 1
        if not queue:
            del self._queues[source]
        return dropped

    def take(self, count: int) -> list[WaitingPacket]:
        """The next `count` packets, fewer if there are fewer: one of each link in turn, each link's
        in their order."""
        taken: list[WaitingPacket] = []
        while self._queues and len(taken) < count:
            source = next(iter(self._queues))
            queue = self._queues.pop(source)
            taken.append(queue.popleft())
            if queue:
                self._queues[source] = queue  # behind the others
        self._length -= len(taken)
        return taken
