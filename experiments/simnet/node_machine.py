"""A mix or a provider of the simulated network: the shipped core, its links, its disk.

The disk is what survives `crash`: keys, synced replay tags, the directory state and the mailboxes.
A batch of tags is on disk only when its sync is done, a moment after it was asked for.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw

from experiments.simnet.authority_machine import MESSAGE_BYTES
from experiments.simnet.clockwork import CoreRunner
from experiments.simnet.seeded import SeededRandomness
from experiments.trace import Kind, Row
from hushmill.core import Core
from hushmill.crypto import SigningKey
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.link import (
    Accepted,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    Hello,
    Mail,
    PublishDescriptor,
    Refusal,
    Refused,
    RelayAndFetch,
    Welcome,
)
from hushmill.packet import Deliver, NodeKey, Packet
from mixnode import (
    Arrived,
    ConsensusChanged,
    DeliverPayload,
    EraseKeys,
    KeySchedule,
    LogTags,
    MixCore,
    MixLimits,
    SendPacket,
    TagsSynced,
    wire_of,
)
from pki import (
    ConsensusLost,
    ConsensusServes,
    DirectoryClientCore,
    DirectoryClientEffect,
    DirectoryClientEvent,
    DocumentAccepted,
    DocumentKeeper,
    DocumentRefused,
    Fetch,
    FetchAnswered,
    GenesisNode,
    KeepState,
    Publish,
    PublishAnswered,
    PublishOutcome,
    descriptor_of,
    sign_descriptor,
)
from provider import (
    Admission,
    ClientFrame,
    ClientGone,
    ClientHello,
    CloseSession,
    DocumentKnown,
    Limits,
    Mailboxes,
    MailboxStore,
    NoReserve,
    ProviderCore,
    ProviderEffect,
    ProviderEvent,
    SendToClient,
)

if TYPE_CHECKING:
    from experiments.simnet.world import World

SYNC_SECONDS = 0.001
TAGS_PER_KEY = 200_000  # many nodes share this machine's memory


class NodeMachine:
    """One node. `start` and `crash` may alternate as often as the simulation likes."""

    def __init__(self, world: "World", entry: GenesisNode, signing_key: SigningKey) -> None:
        self._world = world
        self._entry = entry
        self._signing_key = signing_key
        self._rng = SeededRandomness(world.plan.seed, entry.name)
        self._crash_rng = SeededRandomness(world.plan.seed, f"{entry.name} crashes")
        self._schedule = KeySchedule(world.genesis.parameters)
        # The disk:
        self._keys: dict[Epoch, NodeKey] = {}
        self._tags: dict[Epoch, list[ReplayTag]] = {}
        self._documents: bytes | None = None
        self._changes = 0
        self._connection = apsw.Connection(":memory:") if entry.role == "provider" else None
        if self._connection is not None:
            self._connection.set_commit_hook(self._commit)
        # What a crash takes:
        self._runner: CoreRunner[ProviderEvent, ProviderEffect] | None = None
        self._directory: CoreRunner[DirectoryClientEvent, DirectoryClientEffect] | None = None
        self._store: MailboxStore | None = None
        self._listeners: dict[int, Callable[[Welcome | Mail | None], None]] = {}
        self._sessions = 0
        self.crashes = 0
        self.core: MixCore | None = None
        self.has_consensus = False  # since this start
        self.packets_sent: list[Packet] | None = None  # kept only when a test asks for them

    @property
    def name(self) -> str:
        return self._entry.name

    @property
    def number(self) -> NodeNumber:
        return NodeNumber(self._entry.number)

    @property
    def is_provider(self) -> bool:
        return self._entry.role == "provider"

    @property
    def is_up(self) -> bool:
        return self._runner is not None

    # -- life and death

    def start(self) -> None:
        """Begins from what is on disk, as the service does."""
        now = self._world.clock.now
        self.has_consensus = False
        first = self._schedule.first_kept(now)
        self._erase_before(first)
        self._make_keys(now)
        self.core = MixCore(
            self.number,
            self._entry.role,
            self._world.genesis.parameters,
            self._world.packet_format,
            self._rng,
            MixLimits(tags_per_key=TAGS_PER_KEY),
            known_tags={epoch: tags for epoch, tags in self._tags.items() if tags},
        )
        self._runner = self._world.run(self._with_mailboxes(self.core), self._perform, self.crash)
        self._world.observe(Row(now, self.number, True, self.number, Kind.START))
        keeper = DocumentKeeper(self._world.genesis, self._documents)
        if self.is_provider and keeper.newest_data is not None:
            self._receive(DocumentKnown(keeper.newest_data))
        directory = DirectoryClientCore(
            self._world.genesis, keeper, self._make_descriptor, self._rng
        )
        self._directory = self._world.run(directory, self._perform_directory, self.crash)

    def crash(self) -> None:
        """kill -9: everything that is not on disk is gone; it begins again a little later."""
        if self._runner is None:
            return
        self.crashes += 1
        self._runner.stop()
        self._runner = None
        if self._directory is not None:
            self._directory.stop()
            self._directory = None
        if self._store is not None:
            self._store.abandon()
        listeners, self._listeners = self._listeners, {}
        for hear in listeners.values():
            hear(None)
        self._world.restart_later(self.start)

    def _commit(self) -> bool:
        """Every commit of the mailboxes may be the moment of a crash: it then did not happen. (Not
        those of one row, which only note that a tick answered someone.)"""
        changes, self._changes = self._changes, self._rows_changed()
        if self._changes - changes <= 1:
            return False
        self._world.maybe_crash(self._crash_rng, at_commit=True)
        return False

    def _rows_changed(self) -> int:
        return 0 if self._connection is None else self._connection.total_changes()

    def _with_mailboxes(self, mix: MixCore) -> Core[Any, Any]:
        """The core that runs: a mix's takes and gives fewer kinds than a provider's, hence Any."""
        if self._connection is None:
            return mix
        self._store = MailboxStore(self._connection)
        mailboxes = Mailboxes(self._store, Limits(), self._rng, mix.counters.drops, NoReserve())
        return ProviderCore(
            mix,
            mailboxes,
            self._world.genesis.parameters,
            self._world.packet_format,
            Admission(self._world.genesis.network_id, self.number, code=None),
            Limits(),
        )

    # -- packets of other nodes

    def packet_arrives(self, source: NodeNumber, raw: bytes) -> None:
        """One frame of the node link; what is wrong with it is counted and dropped."""
        if self._runner is None or self.core is None:
            return
        now = self._world.clock.now
        open_epochs = [epoch for epoch in self._schedule.accepted(now) if epoch in self._keys]
        keys = {epoch & 0xFF: self._keys[epoch] for epoch in open_epochs}
        geometry = self._world.packet_format.geometry
        try:
            unwrapped = self._world.packet_format.unwrap(Packet.of(raw, geometry), keys)
        except PeerError as error:
            self.core.counters.drops[error.reason] += 1
            self._world.observe(Row(now, self.number, True, source, Kind.DROP, wire=wire_of(raw)))
            return
        kind, onward = Kind.RELAY, ""
        if isinstance(unwrapped.instruction, Deliver):
            kind = Kind.DELIVER if self.is_provider else Kind.LOOP_END
        else:
            onward = wire_of(unwrapped.instruction.packet.raw)
        counted = self.core.counters.drops.total()
        self._receive(Arrived(source, unwrapped))
        if self.core.counters.drops.total() > counted:  # the core refused it, as a replay say
            kind, onward = Kind.DROP, ""
        row = Row(now, self.number, True, source, kind, wire=wire_of(raw), onward=onward)
        self._world.observe(row)

    # -- clients, of a provider

    def client_connects(
        self, hello: Hello, exporter: bytes, hear: Callable[[Welcome | Mail | None], None]
    ) -> int:
        """A session number; `hear` gets every command for this client, and None at the end."""
        self._sessions += 1
        session = self._sessions
        self._listeners[session] = hear
        self._receive(ClientHello(session, hello, exporter))
        return session

    def client_frame(self, session: int, frame: RelayAndFetch, client: int) -> None:
        if session in self._listeners:
            self._entry_client = client
            self._receive(ClientFrame(session, frame))
            self._entry_client = 0

    def client_leaves(self, session: int) -> None:
        if self._listeners.pop(session, None) is not None:
            self._receive(ClientGone(session))

    _entry_client = 0  # whose frame is being handled: what it relays is an entry

    # -- effects

    def _receive(self, event: ProviderEvent) -> None:
        if self._runner is not None:
            self._runner.receive(event)

    def _perform(self, effect: ProviderEffect) -> None:
        self._world.maybe_crash(self._crash_rng, at_commit=False)
        match effect:
            case LogTags():
                self._world.clock.after(SYNC_SECONDS, self._sync(effect))
            case SendPacket(to, packet, kind):
                self._send(to, packet, Kind(kind))
            case EraseKeys(before):
                self._erase_before(before)
            case SendToClient(session, command):
                if session in self._listeners:
                    self._listeners[session](command)
            case CloseSession(session):
                if (hear := self._listeners.pop(session, None)) is not None:
                    hear(None)
            case DeliverPayload():
                raise AssertionError("a mix delivers nothing")

    def _sync(self, effect: LogTags) -> Callable[[], None]:
        """The end of the sync, unless the machine died before it."""
        runner = self._runner

        def synced() -> None:
            if self._runner is runner and runner is not None:
                self._tags.setdefault(effect.epoch, []).extend(effect.tags)
                runner.receive(TagsSynced(effect.batch))

        return synced

    def _send(self, to: NodeNumber, packet: Packet, kind: Kind) -> None:
        if self.packets_sent is not None:
            self.packets_sent.append(packet)
        client = self._entry_client
        row_kind = Kind.ENTRY if client else kind
        now = self._world.clock.now
        row = Row(now, self.number, False, to, row_kind, client, wire_of(packet.raw))
        self._world.observe(row)
        target = self._world.nodes[to]
        self._world.network.carry(
            self.name,
            target.name,
            len(packet.raw) + 1,
            lambda: target.packet_arrives(self.number, packet.raw),
        )

    def _erase_before(self, first: Epoch) -> None:
        for epoch in [epoch for epoch in self._keys if epoch < first]:
            del self._keys[epoch]
            self._tags.pop(epoch, None)

    # -- the directory

    def _make_descriptor(self, now: float) -> bytes:
        """A signed descriptor of the keys on disk, made first where they are missing."""
        self._make_keys(now)
        epochs = self._schedule.published(now)
        public = {epoch: self._keys[epoch].secret.public.raw for epoch in epochs}
        load = 0 if self.core is None else self.core.load(now)
        body = descriptor_of(self._world.genesis, self.number, public, now, load)
        return sign_descriptor(body, self._signing_key)

    def _make_keys(self, now: float) -> None:
        for epoch in self._schedule.published(now):
            if epoch not in self._keys:
                secret = self._world.packet_format.geometry.kem.generate()
                self._keys[epoch] = NodeKey(self.number, epoch, secret)
                self._tags[epoch] = []

    def directory_answers(self, authority: int, message: DirectoryMessage) -> None:
        """What an authority said to a descriptor or to a request for a document."""
        match message:
            case Accepted():
                self._tell_directory(PublishAnswered(authority, PublishOutcome.ACCEPTED))
            case Refused(Refusal.TOO_OLD):
                self._tell_directory(PublishAnswered(authority, PublishOutcome.TOO_OLD))
            case Refused():
                self._tell_directory(PublishAnswered(authority, PublishOutcome.FAILED))
            case DocumentFound(data):
                self._tell_directory(FetchAnswered(authority, data))
            case _:
                self._tell_directory(FetchAnswered(authority, None))

    def _tell_directory(self, event: DirectoryClientEvent) -> None:
        if self._directory is not None:
            self._directory.receive(event)

    def _perform_directory(self, effect: DirectoryClientEffect) -> None:
        match effect:
            case Publish(authority, data):
                self._ask(authority, PublishDescriptor(data))
            case Fetch(authority, epoch):
                self._ask(authority, FetchDocument(epoch))
            case KeepState(state):
                self._documents = state
            case DocumentAccepted(data):
                if self.is_provider:
                    self._receive(DocumentKnown(data))
            case ConsensusServes(consensus, epoch):
                self.has_consensus = True
                self._receive(ConsensusChanged(consensus, epoch))
            case ConsensusLost() | DocumentRefused():
                pass

    def _ask(self, authority: int, message: DirectoryMessage) -> None:
        machine = self._world.authorities[authority]
        self._world.network.carry_surely(
            self.name, machine.name, MESSAGE_BYTES, lambda: machine.asked_by(self, message)
        )
