"""A mix's own loops: packets that go round the network and come back to it.

Spec: docs/spec/mixing.md (Own loops, The n-1 alarm). They hide which packets are relayed, and they
are how a mix notices that others drop.
"""

import math
from dataclasses import dataclass

from hushmill.errors import UserError
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Packet, PacketFormat
from hushmill.parameters import Parameters
from hushmill.randomness import Randomness, unit
from hushmill.traffic import PoissonProcess
from mixnode.counters import Counters
from mixnode.loop_alarm import LoopAlarm
from pki import Consensus, loop_route

_TOKEN_BYTES = 16
_PATIENCE_SECONDS = 30.0  # beyond the longest delay that the route can have
_OUTSTANDING_LIMIT = 4096
SETTLING_SECONDS = 30.0  # after the first document: neighbours may not have it yet, and refuse us


@dataclass(frozen=True, slots=True)
class _Ready:
    """A loop that waits for its tick, made by a document for an epoch."""

    consensus: Consensus
    epoch: Epoch
    first: NodeNumber
    packet: Packet
    token: bytes

    def serves(self, consensus: Consensus, epoch: Epoch | None) -> bool:
        return consensus is self.consensus and epoch == self.epoch


class OwnLoops:
    """A Poisson process of loops, and the memory of those still on their way."""

    def __init__(
        self,
        node: NodeNumber,
        parameters: Parameters,
        packet_format: PacketFormat,
        rng: Randomness,
        counters: Counters,
    ) -> None:
        self._node = node
        self._parameters = parameters
        self._format = packet_format
        self._rng = rng
        self._counters = counters
        self._ticks = PoissonProcess(parameters.mix_loop_rate, rng)
        self._ready: _Ready | None = None
        self._wraps_at: float | None = None
        self._patience = (
            parameters.layers * parameters.hold_limit_seconds
            + parameters.delay_cap_seconds  # at the provider
            + _PATIENCE_SECONDS
        )
        self._outstanding: dict[bytes, float] = {}  # in the order of sending
        self._judged_from = math.inf  # loops that were sent before say nothing about others
        self.alarm = LoopAlarm(parameters)

    def start(self, now: float) -> None:
        """Begins, once: later calls change nothing."""
        if self._ticks.next_tick is None:
            self._ticks.start(now)
            self._draw_wrapping(now)
            self._judged_from = now + SETTLING_SECONDS

    def stop(self) -> None:
        """No loop is sent any more; those on their way may still come back."""
        self._ticks.stop()
        self._wraps_at = None

    def next_tick(self) -> float | None:
        return self._ticks.next_tick

    def wraps_at(self) -> float | None:
        """When the next loop is to be wrapped: not when it leaves, for wrapping takes as long as
        half a tick, and what leaves in that tick would be late for all to see."""
        return self._wraps_at

    def wrap_ahead(self, consensus: Consensus, epoch: Epoch | None, now: float) -> None:
        """Wraps the next loop if it is time, or if what was wrapped would not get through now."""
        if self._ready is not None and not self._ready.serves(consensus, epoch):
            self._ready = None
            self._draw_wrapping(now)
        if self._wraps_at is not None and now >= self._wraps_at:
            self._wraps_at = None
            if epoch is not None:
                self._ready = self._wrap(consensus, epoch)

    def _draw_wrapping(self, now: float) -> None:
        """At any moment until the next loop leaves, so that it says nothing about when that is."""
        tick = self._ticks.next_tick
        self._wraps_at = None if tick is None else now + max(0.0, tick - now) * unit(self._rng)

    def due(
        self, consensus: Consensus, epoch: Epoch | None, now: float
    ) -> list[tuple[NodeNumber, Packet]]:
        """First hop and packet of every loop whose tick has come.

        With `epoch` None (the node is silent) ticks pass without a packet. After a long stall the
        process begins anew: a burst of loops would show how long the stall was. What was on its way
        then says nothing about others: it may have come back to a process that did not listen.
        """
        tick = self._ticks.next_tick
        if tick is not None and now - tick > self._parameters.delay_cap_seconds:
            self._judged_from = max(self._judged_from, now)
        while self._outstanding and next(iter(self._outstanding.values())) < now - self._patience:
            self._forget_oldest()
        loops: list[tuple[NodeNumber, Packet]] = []
        while self._ticks.is_due(now):
            if now - self._ticks.step() > self._parameters.delay_cap_seconds:
                self._ticks.start(now)
            ready, self._ready = self._ready, None
            if epoch is None:
                continue
            # Wrapped only now where two fall into one tick, or the epoch has changed since.
            if ready is None or not ready.serves(consensus, epoch):
                ready = self._wrap(consensus, epoch)
            if ready is not None:
                loops.append(self._send(ready, now))
        if tick is not None and tick != self._ticks.next_tick:
            self._draw_wrapping(now)
        return loops

    def is_own(self, payload: bytes) -> bool:
        """Whether `payload` is a loop of ours that had not come back yet; then it now has."""
        sent_at = self._outstanding.pop(payload[:_TOKEN_BYTES], None)
        if sent_at is None:
            return False
        self._counters.loops_returned += 1
        self._judge(sent_at, is_returned=True)
        return True

    def _wrap(self, consensus: Consensus, epoch: Epoch) -> "_Ready | None":
        """One loop; none while the consensus leaves this node out or has no keys for `epoch`."""
        if consensus.node(self._node) is None:
            return None
        kem = self._format.geometry.kem
        try:
            route = loop_route(consensus, self._node, epoch, self._parameters, kem, self._rng)
        except UserError:
            return None
        payload = self._rng.take(self._format.geometry.payload_bytes)
        packet = self._format.wrap(route, payload, self._rng)
        token = payload[:_TOKEN_BYTES]
        return _Ready(consensus, epoch, route.hops[0].node, packet, token)

    def _send(self, loop: "_Ready", now: float) -> tuple[NodeNumber, Packet]:
        if len(self._outstanding) >= _OUTSTANDING_LIMIT:
            self._forget_oldest()
        self._outstanding[loop.token] = now
        self._counters.loops_sent += 1
        return loop.first, loop.packet

    def _forget_oldest(self) -> None:
        sent_at = self._outstanding.pop(next(iter(self._outstanding)))
        self._counters.loops_lost += 1
        self._judge(sent_at, is_returned=False)

    def _judge(self, sent_at: float, *, is_returned: bool) -> None:
        if sent_at >= self._judged_from:
            self.alarm.learn(is_returned=is_returned)
            self._counters.loop_alarms = self.alarm.raised_times
