"""The mix: a packet comes in, is remembered, waits as its sender drew, and leaves among others.

Spec: docs/spec/mixing.md. The way of a packet, and the order in which the methods stand:
1. `_arrive` — of a neighbour, under an open key, to an allowed next node, delay within the cap;
2. its replay tag is admitted to the key's table (`replay.py`), or the packet is dropped;
3. it waits by the genesis' strategy (`strategies.py`), within the byte budget (`held.py`), and its
   tag waits for the next tick;
4. `_log` — the tick's tags leave together as one `LogTags`; `TagsSynced` frees their packets;
5. `_leave` — it leaves at the first tick at which the strategy lets it, shuffled with all of that
   tick.

`now` is wall time in Unix seconds that never steps back.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, assert_never

from hushmill.drops import Drop
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.packet import Deliver, Forward, PacketFormat
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness, shuffled
from mixnode.counters import Counters
from mixnode.events import (
    Arrived,
    ConsensusChanged,
    DeliverPayload,
    Drain,
    EraseKeys,
    LogTags,
    MixEffect,
    MixEvent,
    SendPacket,
    TagsSynced,
)
from mixnode.key_schedule import KeySchedule
from mixnode.limits import HELD_OVERHEAD_BYTES, MixLimits
from mixnode.load_meter import LoadMeter
from mixnode.neighbours import Neighbours, neighbours_of
from mixnode.own_loops import OwnLoops
from mixnode.replay import SECRET_BYTES, ReplayTable
from mixnode.strategies import Strategy, keeps_delays, strategy_of
from pki import Consensus


class MixCore:
    """One node's mixing; a provider has one too, with `role` "provider".

    `known_tags` come from the logs of the keys that survived a restart. In `silent_epochs` (may be
    set) the network has other keys of this node than it holds, and it sends no loops of its own.
    """

    def __init__(
        self,
        node: NodeNumber,
        role: Literal["mix", "provider"],
        parameters: Parameters,
        packet_format: PacketFormat,
        rng: Randomness,
        limits: MixLimits,
        known_tags: Mapping[Epoch, Iterable[ReplayTag]] | None = None,
        silent_epochs: Collection[Epoch] = (),
    ) -> None:
        self.counters = Counters()
        self._node = node
        self._role = role
        self._cap = parameters.delay_cap_seconds if keeps_delays(parameters, role) else math.inf
        self._rng = rng
        self._limits = limits
        self._schedule = KeySchedule(parameters)
        self._tables = {
            epoch: ReplayTable(limits.tags_per_key, rng.take(SECRET_BYTES), tags)
            for epoch, tags in (known_tags or {}).items()
        }
        self.silent_epochs = frozenset(silent_epochs)
        self._held: Strategy[SendPacket | DeliverPayload] = strategy_of(
            parameters, role, limits.held_bytes, rng
        )
        self._cost = packet_format.geometry.packet_bytes + HELD_OVERHEAD_BYTES
        self._loops = OwnLoops(node, parameters, packet_format, rng, self.counters)
        self._load = LoadMeter(parameters)
        self._consensus: Consensus | None = None
        self._neighbours = Neighbours()
        self._welcome = Neighbours()  # by the document in force, and by the one before it
        self._first_kept: Epoch | None = None
        self._last_batch = 0
        self._unlogged: dict[Epoch, tuple[int, list[ReplayTag]]] = {}
        self._log_at: float | None = None
        self._freed_at = 0.0  # when tags were synced last: what they free leaves at the next tick
        self._drain_until = math.inf

    @property
    def bytes_used(self) -> int:
        """Held packets and replay tables, as accounted against the budget."""
        return self._held.used + sum(table.memory_bytes for table in self._tables.values())

    @property
    def is_alarmed(self) -> bool:
        """Whether fewer of the node's own loops return than the published loss allows."""
        return self._loops.alarm.is_raised

    @property
    def is_spent(self) -> bool:
        """Nothing more will leave unless something comes."""
        return self._held.is_spent

    @property
    def held_share(self) -> float:
        """How full the memory for held packets is, from 0 to 1."""
        return self._held.used / self._limits.held_bytes

    @property
    def replay_share(self) -> float:
        """How full the fullest table of replay tags is, from 0 to 1."""
        fullest = max((len(table) for table in self._tables.values()), default=0)
        return fullest / self._limits.tags_per_key

    def load(self, now: float) -> int:
        """What a descriptor made at `now` says: packets relayed a second, own loops among them, in
        the epoch before; coarse, and 0 for a provider. A node calls it when it starts as well, so
        that counting begins then."""
        return self._load.load(now) if self._role == "mix" else 0

    def receive(self, event: MixEvent, now: float) -> list[MixEffect]:
        """Nothing at once: what an event leads to comes out of `advance`, at a tick."""
        match event:
            case Arrived():
                refused = self._arrive(event, now)
                if refused is not None:
                    self.counters.drops[refused] += 1
            case TagsSynced():
                self._held.synced(event.batch)
                self._freed_at = now
            case ConsensusChanged():
                self._consensus = event.consensus
                earlier, self._neighbours = (
                    self._neighbours,
                    neighbours_of(event.consensus, self._node),
                )
                self._welcome = self._neighbours.joined(earlier)
                if self._role == "mix" and self._drain_until == math.inf:
                    self._loops.start(now)
            case Drain(until):
                self._drain_until = until
                self._loops.stop()
                self.counters.drops[Drop.SHUTDOWN] += self._held.drop_due_after(until)
            case _:
                assert_never(event)
        if self._first_kept is None:
            self._first_kept = self._schedule.first_kept(now)
            self._forget_before(self._first_kept)
        return []

    def next_deadline(self) -> float | None:
        """The next tick that has something to do."""
        times = [self._log_at, self._leaves_at(), self._loops.next_tick()]
        if self._first_kept is not None:
            times.append(self._schedule.erased_at(self._first_kept))
        known = [self._tick_after(time) for time in times if time is not None]
        wrapping = self._loops.wraps_at()  # off the ticks: what it takes must not show on them
        return min([*known, *([] if wrapping is None else [wrapping])], default=None)

    def _leaves_at(self) -> float | None:
        """Never before the tags were there: a packet that fell due meanwhile leaves at a tick too,
        not at the moment of the sync, which would tell it from others."""
        earliest = self._held.earliest()
        return None if earliest is None else max(earliest, self._freed_at)

    def advance(self, now: float) -> list[MixEffect]:
        """Everything that is due at `now`."""
        if self._consensus is not None:
            epoch = self._unless_silent(self._schedule.current(now))
            self._loops.wrap_ahead(self._consensus, epoch, now)
        return [*self._erase(now), *self._log(now), *self._leave(now)]

    def _arrive(self, event: Arrived, now: float) -> Drop | None:
        """Why the packet is dropped; None when it waits or was a loop of our own."""
        unwrapped = event.unwrapped
        came = now if event.at is None else event.at
        sources = self._welcome.before
        if event.source not in sources:
            return Drop.NO_ROUTE
        kept = self._first_kept is None or unwrapped.epoch >= self._first_kept
        if not kept or not self._schedule.accepts(unwrapped.epoch, now):
            return Drop.KEY_EPOCH
        content: SendPacket | DeliverPayload | None
        match unwrapped.instruction:
            case Forward(next_node, delay_seconds, packet):
                if delay_seconds > self._cap:
                    return Drop.DELAY
                if next_node not in self._welcome.after:
                    return Drop.NO_ROUTE
                content, due = SendPacket(next_node, packet), came + delay_seconds
            case Deliver(payload):
                content = DeliverPayload(payload) if self._role == "provider" else None
                due = came
            case _:
                assert_never(unwrapped.instruction)
        if content is not None and due > self._drain_until:
            return Drop.SHUTDOWN
        refused = self._table(unwrapped.epoch).admit(unwrapped.tag, event.source, len(sources))
        if refused is not None:
            return refused
        batch = self._tag(unwrapped.epoch, unwrapped.tag, now)
        if content is not None:
            evicted = self._held.hold(content, event.source, due, self._cost, batch)
            self.counters.drops[Drop.OVERFLOW] += evicted
            return None
        own = isinstance(unwrapped.instruction, Deliver) and self._loops.is_own(
            unwrapped.instruction.payload
        )
        return None if own else Drop.NOT_OWN_LOOP

    def _table(self, epoch: Epoch) -> ReplayTable:
        if epoch not in self._tables:
            secret = self._rng.take(SECRET_BYTES)
            self._tables[epoch] = ReplayTable(self._limits.tags_per_key, secret)
        return self._tables[epoch]

    def _tag(self, epoch: Epoch, tag: ReplayTag, now: float) -> int:
        """The batch in which the tag will be logged."""
        if epoch not in self._unlogged:
            self._last_batch += 1
            self._unlogged[epoch] = (self._last_batch, [])
        if self._log_at is None:
            self._log_at = self._tick_after(now)
        batch, tags = self._unlogged[epoch]
        tags.append(tag)
        return batch

    def _log(self, now: float) -> list[MixEffect]:
        if self._log_at is None or now < self._log_at:
            return []
        effects: list[MixEffect] = [
            LogTags(batch, epoch, tuple(tags)) for epoch, (batch, tags) in self._unlogged.items()
        ]
        self._unlogged.clear()
        self._log_at = None
        return effects

    def _leave(self, now: float) -> list[MixEffect]:
        self._hold_own_loops(now)
        leaving: list[MixEffect] = []
        for content in self._held.release(now):
            leaving.append(content)
            match content:
                case SendPacket():
                    self.counters.relayed += content.kind == "relay"
                case DeliverPayload():
                    self.counters.delivered += 1
                case _:
                    assert_never(content)
        self._load.count(len(leaving), now)
        return shuffled(self._rng, leaving)

    def _hold_own_loops(self, now: float) -> None:
        """They go through the strategy like everything else, as if they had come over a link of
        their own with no delay left."""
        if self._consensus is None:
            return
        epoch = self._schedule.current(now)
        for first, packet in self._loops.due(self._consensus, self._unless_silent(epoch), now):
            content = SendPacket(first, packet, "own_loop")
            evicted = self._held.hold(content, self._node, now, self._cost, batch=None)
            self.counters.drops[Drop.OVERFLOW] += evicted

    def _unless_silent(self, epoch: Epoch) -> Epoch | None:
        return None if epoch in self.silent_epochs else epoch

    def _erase(self, now: float) -> list[MixEffect]:
        """Once, when the first kept epoch moves; a clock that steps back does not move it."""
        first = self._schedule.first_kept(now)
        if self._first_kept is not None and first <= self._first_kept:
            return []
        self._first_kept = first
        self._forget_before(first)
        return [EraseKeys(first)]

    def _forget_before(self, first: Epoch) -> None:
        """A key's tags live no longer than the key. Those that wait to be logged still do: the
        disk answers once the key is gone from it, and only then can nothing be replayed."""
        for epoch in [epoch for epoch in self._tables if epoch < first]:
            self._tables.pop(epoch).close()

    def _tick_after(self, moment: float) -> float:
        """The first tick at or after `moment`: never early, and many packets leave together."""
        tick = self._limits.tick_seconds
        grid = math.ceil(moment / tick) * tick
        return grid if grid >= moment else grid + tick
