"""The hot path: the way of every packet through a running node.

Spec: docs/spec/mixing.md; what each step costs: docs/performance.md. The methods stand in the order
of the steps:
1. `received` — the packets of one read of a link (`links.py`: a frame that carries none ends it);
2. within its rate (`link_rate.py`) they wait in the intake, a queue a link (`intake.py`);
3. `_open_some` — as many as there is room for go to the unwrap workers, in turn (`unwrap_pool.py`);
4. `_opened` — a batch comes back, and what could be opened goes to the core in one step: replay
   table, then the hold (`mix_core.py`);
5. `_perform` — at a tick the core has the tick's tags logged (`disk_work.py`), and lets go what is
   due: it gathers by link;
6. `_settled` — one write a link.

The event loop does 1, 2, 4, 5 and 6 in one process; step 3 takes most of the time and runs on other
cores. Nothing here blocks.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from hushmill.core import Core
from hushmill.drops import Drop
from hushmill.identifiers import NodeNumber
from hushmill.packet import Deliver, Forward, NodeKey, Packet, PacketFormat, Unwrapped
from hushmill.runtime import Driver, Reactor, now
from mixnode.counters import Counters
from mixnode.events import Arrived, DeliverPayload, EraseKeys, LogTags, SendPacket
from mixnode.intake import Intake
from mixnode.key_schedule import KeySchedule
from mixnode.link_rate import LinkRates
from mixnode.node_keys import NodeKeys
from mixnode.trace_file import TraceFile, TraceKind
from mixnode.unwrap_pool import InlineUnwrap, Opened, UnwrapPool, WorkerUnwrap


class HotPath:
    """Wires intake, workers and core. `send` takes the packets for one neighbour, `submit` what the
    disk is to do, `perform_other` the effects that are not MixCore's.

    `sending_for` is for local traces only: the client's number while its frame is handled, else 0.
    """

    def __init__(
        self,
        reactor: Reactor,
        packet_format: PacketFormat,
        node: NodeNumber,
        is_provider: bool,
        workers: int,
        link_packets_per_second: int,
        intake_packets: int,
        keys: NodeKeys,
        schedule: KeySchedule,
        core: Core[Any, Any],  # a provider's takes and gives more than MixCore's
        counters: Counters,
        send: Callable[[NodeNumber, list[Packet]], None],
        submit: Callable[[LogTags | EraseKeys], None],
        perform_other: Callable[[object], None],
        trace: TraceFile | None,
    ) -> None:
        self.sending_for = 0
        self.driver = Driver(core, self._perform, reactor, settled=self._settled)
        self._is_provider = is_provider
        self._keys = keys
        self._schedule = schedule
        self._counters = counters
        self._send = send
        self._submit = submit
        self._perform_other = perform_other
        self._trace = trace
        self._leaving: dict[NodeNumber, list[Packet]] = {}
        self._rates = LinkRates(link_packets_per_second)
        self._intake = Intake(intake_packets)
        self._opening = 0  # given to the pool, and not opened yet
        self._open_keys: dict[int, NodeKey] = {}
        self._pool: UnwrapPool
        if workers:
            self._pool = WorkerUnwrap(reactor, packet_format.geometry, node, workers, self._opened)
        else:
            self._pool = InlineUnwrap(reactor, packet_format, self._opened)

    @property
    def is_idle(self) -> bool:
        """No packet is on its way from a link to the core."""
        return not self._opening and not len(self._intake)

    def stop(self) -> None:
        """What is waiting anywhere is dropped with the process, and counted."""
        self.driver.stop()
        self._pool.stop()
        self._counters.drops[Drop.SHUTDOWN] += len(self._intake) + self._opening

    def follow_neighbours(self, numbers: Collection[NodeNumber]) -> None:
        """Forgets what others than `numbers` have sent."""
        self._rates.keep_only(numbers)

    def follow_keys(self) -> None:
        """Gives the workers the keys that are open now, and takes from them those that are not."""
        keys = self._keys.by_low_byte(self._schedule.accepted(now()))
        if keys != self._open_keys:
            self._open_keys = keys
            self._pool.use_keys(keys)

    def received(self, source: NodeNumber, packets: Sequence[Packet]) -> None:
        """The packets of one read, of the neighbour `source`."""
        moment = now()
        admitted = self._rates.admit(source, len(packets), moment)
        self._counters.drops[Drop.RATE] += len(packets) - admitted
        dropped = self._intake.offer(source, packets[:admitted], moment)
        self._counters.drops[Drop.OVERFLOW] += dropped
        self._open_some()

    def _open_some(self) -> None:
        room = min(self._pool.room, len(self._intake))
        if room:
            self.follow_keys()
            self._opening += room
            self._pool.give(self._intake.take(room))

    def _opened(self, opened: Sequence[Opened]) -> None:
        self._opening -= len(opened)
        if self._trace is not None:
            for each in opened:
                self._opened_one(each, self._trace)
        else:
            self.driver.receive_all([event for each in opened if (event := self._event(each))])
        self._open_some()

    def _event(self, opened: Opened) -> Arrived | None:
        """What the core is told; None for a packet that could not be opened, which is counted."""
        waiting, answer = opened
        match answer:
            case Unwrapped():
                return Arrived(waiting.source, answer, waiting.at)
            case Drop():
                self._counters.drops[answer] += 1
                return None
            case None:
                raise RuntimeError("a worker has answered as if it had been given keys")

    def _perform(self, effect: object) -> None:
        match effect:
            case SendPacket(to, packet, kind):
                self._leaving.setdefault(to, []).append(packet)
                if self._trace is not None:
                    row_kind = "entry" if self.sending_for else kind
                    self._trace.left(to, row_kind, packet.raw, self.sending_for)
            case LogTags() | EraseKeys():
                self._submit(effect)
            case DeliverPayload():
                raise TypeError("a payload is delivered inside the provider's core")
            case _:
                self._perform_other(effect)

    def _settled(self) -> None:
        if self._leaving:
            leaving, self._leaving = self._leaving, {}
            for to, packets in leaving.items():
                self._send(to, packets)

    # -- local traces

    def _opened_one(self, opened: Opened, trace: TraceFile) -> None:
        """One at a time, to know which of them the core refuses, as a replay say."""
        waiting, _ = opened
        counted = self._counters.drops.total()
        event = self._event(opened)
        if event is not None:
            self.driver.receive(event)
        refused = self._counters.drops.total() > counted
        instruction = None if refused or event is None else event.unwrapped.instruction
        match instruction:
            case Forward():
                onward = instruction.packet.raw
                trace.arrived(waiting.source, "relay", waiting.packet.raw, onward)
            case Deliver():
                kind: TraceKind = "deliver" if self._is_provider else "loop_end"
                trace.arrived(waiting.source, kind, waiting.packet.raw)
            case None:
                trace.arrived(waiting.source, "drop", waiting.packet.raw)
