"""Mixing strategies: which of the packets that a node holds leave now.

Spec: docs/spec/mixing.md (Strategies). The genesis chooses one for all mixes. Both keep one budget,
both let nothing leave before its replay tag is on disk, and the node's own loops go through them
like what it relays.
"""

import heapq
import math
from typing import Generic, Literal, Protocol, TypeVar

from hushmill.identifiers import NodeNumber
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness, below, unit
from mixnode.held import Held, HeldPackets

Content = TypeVar("Content")


class Strategy(Protocol[Content]):
    """What waits at a node, and the rule by which it leaves."""

    @property
    def used(self) -> int:
        """Bytes of what waits, by their stated costs."""
        ...

    def __len__(self) -> int: ...

    def hold(
        self, content: Content, source: NodeNumber, due: float, cost: int, batch: int | None
    ) -> int:
        """How many packets were evicted for want of room, the newcomer among them perhaps.

        The packet waits for `synced(batch)`; with None it has no tag to wait for. `due` is when its
        sender's delay is over. `cost` is in bytes.
        """
        ...

    def synced(self, batch: int) -> None:
        """The batch's tags are on disk."""
        ...

    def earliest(self) -> float | None:
        """When `release` next has something to do."""
        ...

    def release(self, now: float) -> list[Content]:
        """What leaves at `now`. The order may say something: the caller shuffles."""
        ...

    @property
    def is_spent(self) -> bool:
        """Whether nothing will leave any more unless something comes."""
        ...

    def drop_due_after(self, until: float) -> int:
        """How many packets were dropped because they would not leave by `until`."""
        ...


def keeps_delays(parameters: Parameters, role: Literal["mix", "provider"]) -> bool:
    """Whether packets at such a node leave when their sender's delay is over. At a provider they
    always do: it holds mixes' loops only, too few for a pool."""
    return role == "provider" or parameters.mixing == "poisson"


def strategy_of(
    parameters: Parameters,
    role: Literal["mix", "provider"],
    limit_bytes: int,
    rng: Randomness,
) -> Strategy[Content]:
    """How a node of that role mixes."""
    if keeps_delays(parameters, role):
        return PoissonMix(limit_bytes, rng)
    return TimedPool(limit_bytes, rng, parameters.pool_interval_seconds, parameters.pool_packets)


class PoissonMix(Generic[Content]):
    """Each packet leaves when its sender's delay is over. One heap for all."""

    __slots__ = ("_held", "_order", "_ready")

    def __init__(self, limit_bytes: int, rng: Randomness) -> None:
        self._held: HeldPackets[Content] = HeldPackets(limit_bytes, rng)
        self._ready: list[tuple[float, int, Held[Content]]] = []
        self._order = 0

    @property
    def used(self) -> int:
        return self._held.used

    def __len__(self) -> int:
        return len(self._held)

    def hold(
        self, content: Content, source: NodeNumber, due: float, cost: int, batch: int | None
    ) -> int:
        evicted = self._held.add(content, source, due, cost, batch)
        if batch is None:
            self._free(None)
        if evicted:
            self._sweep()
        return evicted

    def synced(self, batch: int) -> None:
        self._free(batch)

    def _free(self, batch: int | None) -> None:
        for item in self._held.freed(batch):
            self._order += 1
            heapq.heappush(self._ready, (item.due, self._order, item))

    def earliest(self) -> float | None:
        while self._ready and self._ready[0][2].content is None:
            heapq.heappop(self._ready)
        return self._ready[0][0] if self._ready else None

    def release(self, now: float) -> list[Content]:
        released: list[Content] = []
        while self._ready and self._ready[0][0] <= now:
            item = heapq.heappop(self._ready)[2]
            if item.content is not None:
                released.append(item.content)
                self._held.take_off(item)
        return released

    @property
    def is_spent(self) -> bool:
        return len(self._held) == 0

    def drop_due_after(self, until: float) -> int:
        dropped = self._held.drop(lambda item: item.due > until)
        self._sweep()
        return dropped

    def _sweep(self) -> None:
        """Evicted packets leave husks in the heap; they never outnumber what is held by much."""
        if len(self._ready) - self._held.free > 64 + len(self._held):
            self._ready = [entry for entry in self._ready if entry[2].content is not None]
            heapq.heapify(self._ready)


class TimedPool(Generic[Content]):
    """Every `interval_seconds` all packets but `pool` leave together; who stays is drawn uniformly
    (Serjantov, Dingledine and Syverson, IH 2002: the timed pool mix).

    With `pool` packets or fewer none leaves. The phase of the rounds is drawn at the first
    `release`. Rounds that were missed are not made up for: one stands for all of them.
    """

    __slots__ = ("_held", "_interval", "_pool", "_rng", "_round_at")

    def __init__(
        self, limit_bytes: int, rng: Randomness, interval_seconds: float, pool: int
    ) -> None:
        self._held: HeldPackets[Content] = HeldPackets(limit_bytes, rng)
        self._rng = rng
        self._interval = interval_seconds
        self._pool = pool
        self._round_at: float | None = None

    @property
    def used(self) -> int:
        return self._held.used

    def __len__(self) -> int:
        return len(self._held)

    def hold(
        self, content: Content, source: NodeNumber, due: float, cost: int, batch: int | None
    ) -> int:
        evicted = self._held.add(content, source, due, cost, batch)
        if batch is None:
            self._held.freed(None)
        return evicted

    def synced(self, batch: int) -> None:
        self._held.freed(batch)

    def earliest(self) -> float | None:
        """The next round, whether or not anything is to leave in it: a round that nobody wakes for
        would come late, in the middle of an interval."""
        return self._round_at

    def release(self, now: float) -> list[Content]:
        if self._round_at is None:
            self._round_at = now + self._interval * unit(self._rng)
        if now < self._round_at:
            return []
        missed = math.floor((now - self._round_at) / self._interval)
        self._round_at += (missed + 1) * self._interval
        inside = list(self._held.all_free())
        if len(inside) <= self._pool:
            return []
        # The first steps of a Fisher–Yates shuffle draw who stays.
        for place in range(self._pool):
            other = place + below(self._rng, len(inside) - place)
            inside[place], inside[other] = inside[other], inside[place]
        released: list[Content] = []
        for item in inside[self._pool :]:
            if item.content is not None:
                released.append(item.content)
            self._held.take_off(item)
        return released

    @property
    def is_spent(self) -> bool:
        """What the pool keeps leaves only when more comes."""
        return len(self._held) == self._held.free <= self._pool

    def drop_due_after(self, until: float) -> int:
        """All, when there is no round until then; who would leave in one is not drawn yet."""
        is_late = self._round_at is None or self._round_at > until
        return self._held.drop(lambda _item: is_late)
