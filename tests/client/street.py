"""Two or more people's cores in virtual time, their packets opened on the way by whoever holds all
keys. No mix, provider or link is here: what is lost, doubled or late is drawn by the test.
"""

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import apsw

from client import (
    ClientLimits,
    ClientStore,
    ContactState,
    FillSlot,
    LinkDown,
    LinkUp,
    MailArrived,
    MessageArrived,
    MessageView,
    Messenger,
    MessengerEffect,
    MessengerEvent,
    PacerCore,
    PacerStarted,
    PersonActed,
    SendFrame,
    SlotTaken,
    found_person,
)
from experiments.simnet.fast_kem import FastKem
from experiments.simnet.seeded import SeededRandomness
from hushmill import codec
from hushmill.crypto import Label
from hushmill.identifiers import NO_NODE, DepositId, Epoch, InboxId, NodeNumber
from hushmill.link import (
    NEWEST_DOCUMENT,
    NO_HANDLE,
    ClientFrames,
    Control,
    InboxOperation,
    Mail,
    MailHandle,
    MailItem,
    PieceOfDocument,
    RelayAndFetch,
)
from hushmill.packet import (
    Deliver,
    Deposit,
    Forward,
    NodeKey,
    Packet,
    PacketFormat,
    open_deposit,
)
from hushmill.parameters import Parameters
from hushmill.randomness import unit
from pki import (
    ConsensusBody,
    EpochKey,
    NodeEntry,
    SignatureShare,
    SignedConsensus,
    consensus_digest,
    epoch_at,
)
from tests.client.street_network import (
    PARAMETERS,
    PROVIDERS,
    START,
    authority_keys,
    genesis_of,
)

ANSWER_SECONDS = 0.05
REDELIVERY_SECONDS = 20.0


class PowerCutError(Exception):
    """The power goes, in the middle of something."""


@dataclass
class Weather:
    """What happens to packets after the first mix."""

    loss: float = 0.0
    doubling: float = 0.0
    lateness: float = 0.0  # mean extra seconds


@dataclass
class Parcelled:
    """An item in a mailbox."""

    item: MailItem
    handed_at: float = -1e9


class Street:
    """The clock, the documents, the mailboxes; `houses` are its people."""

    def __init__(self, seed: int = 1, parameters: Parameters = PARAMETERS, load: int = 0) -> None:
        self.now = START
        self.load = load  # of each mix, in the documents
        self.seed = seed
        self.parameters = parameters
        self.genesis = genesis_of(parameters)
        self.kem = FastKem(SeededRandomness(seed, "kem"))
        self.format = PacketFormat(self.kem, parameters.hops, parameters.payload_bytes)
        self.weather = Weather()
        self.houses: list[House] = []
        self.documents: dict[Epoch, bytes] = {}
        self._previous: tuple[Epoch, bytes] = (Epoch(0), bytes(32))
        self._rng = SeededRandomness(seed, "weather")
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count()
        self.publishes = True
        self.publish(epoch_at(self.now, parameters))

    # -- the directory

    def secret(self, node: NodeNumber, epoch: Epoch) -> NodeKey:
        raw = hashlib.sha256(b"key %d %d" % (node, epoch)).digest()
        return NodeKey(node, epoch, self.kem.load_secret(raw))

    def publish(self, epoch: Epoch) -> None:
        if epoch in self.documents:
            return
        nodes = tuple(
            NodeEntry(
                number=node.number,
                role=node.role,
                operator=node.operator,
                layer=node.layer,
                host=node.host,
                port=node.port,
                client_port=node.client_port,
                key_hash=node.key_hash,
                keys=tuple(
                    EpochKey(
                        epoch=Epoch(epoch + ahead),
                        raw=self.secret(node.number, Epoch(epoch + ahead)).secret.public.raw,
                    )
                    for ahead in range(4)
                ),
                load=self.load if node.role == "mix" else 0,
            )
            for node in self.genesis.nodes
        )
        body = codec.encode(
            ConsensusBody(
                network_id=self.genesis.network_id,
                epoch=epoch,
                previous_epoch=self._previous[0],
                previous=self._previous[1],
                nodes=nodes,
            )
        )
        self._previous = epoch, consensus_digest(body)
        shares = tuple(
            SignatureShare(authority=number, signature=key.sign(Label.CONSENSUS, body))
            for number, key in enumerate(authority_keys()[:3])
        )
        self.documents[epoch] = codec.encode(SignedConsensus(body=body, shares=shares))

    # -- the clock

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._counter), action))

    def run_for(self, seconds: float) -> None:
        self.run_until(lambda: False, seconds)

    def run_until(self, claim: Callable[[], bool], seconds: float) -> bool:
        """False if `claim` does not hold within `seconds`; looked at after each event."""
        end = self.now + seconds
        while not claim():
            candidates: list[tuple[float, House | None]] = []
            if self._events:
                candidates.append((self._events[0][0], None))
            for house in self.houses:
                deadline = house.next_deadline()
                if deadline is not None:
                    candidates.append((deadline, house))
            when, whose = min(candidates, key=lambda one: one[0], default=(end + 1, None))
            if when > end:
                self.now = end
                return claim()
            self.now = max(self.now, when)
            if self.publishes:
                self.publish(epoch_at(self.now, self.parameters))
            if whose is None:
                heapq.heappop(self._events)[2]()
            else:
                whose.advance()
        return True

    # -- packets

    def open(self, first: NodeNumber, raw: bytes) -> tuple[list[NodeNumber], float, Deposit]:
        """The way of a packet, how long its mixes hold it, and what it delivers."""
        epoch = epoch_at(self.now, self.parameters)
        packet, node, way, delay = Packet.of(raw, self.format.geometry), first, [first], 0.0
        while True:
            keys = {
                one & 0xFF: self.secret(node, one)
                for one in (Epoch(epoch - 1), epoch, Epoch(epoch + 1))
            }
            match self.format.unwrap(packet, keys).instruction:
                case Forward(next_node, seconds, inner):
                    node, packet = next_node, inner
                    way.append(node)
                    delay += seconds
                case Deliver(payload):
                    return way, delay, open_deposit(payload)

    def carry(self, first: NodeNumber, raw: bytes) -> None:
        way, delay, deposit = self.open(first, raw)
        copies = 0 if unit(self._rng) < self.weather.loss else 1
        if unit(self._rng) < self.weather.doubling:
            copies += 1
        for _ in range(copies):
            late = self.weather.lateness * 2 * unit(self._rng)
            self.after(delay + late, lambda: self._put(way[-1], deposit))

    def _put(self, provider: NodeNumber, deposit: Deposit) -> None:
        for house in self.houses:
            if house.provider == provider:
                house.put(deposit)


@dataclass
class House:
    """One person: their disk, cores and mailbox."""

    street: Street
    name: str
    provider: NodeNumber
    limits: ClientLimits = field(default_factory=ClientLimits)
    connection: apsw.Connection = field(default_factory=lambda: apsw.Connection(":memory:"))
    cover: bool = True

    def __post_init__(self) -> None:
        street = self.street
        street.houses.append(self)
        self.frames = ClientFrames(
            street.format.geometry.packet_bytes, street.format.geometry.body_bytes
        )
        self.rng = SeededRandomness(street.seed, f"{self.name} provider")
        # the mailbox
        self.inboxes: set[InboxId] = set()
        self.items: list[Parcelled] = []
        self.seen: set[tuple[InboxId, DepositId]] = set()
        self.deleted: list[MailHandle] = []
        self.sequence = 0
        # what an observer sees
        self.sent: list[tuple[float, int]] = []
        self.relayed: list[tuple[float, NodeNumber]] = []
        self.controls: list[Control] = []  # what the provider sees
        # what the person sees
        self.shown: list[MessageView] = []
        self.effects: list[MessengerEffect] = []
        self.starts = 0
        self.is_linked = True
        self.commits_left: int | None = None
        self.crashes_before_commit = True
        store = ClientStore(self.connection)
        found_person(
            store,
            self.name,
            street.genesis.network_id,
            self.provider,
            SeededRandomness(street.seed, f"{self.name} founding"),
            street.now,
        )
        self.start()

    # -- life and death

    def start(self) -> None:
        self.starts += 1
        rng = SeededRandomness(self.street.seed, f"{self.name} start {self.starts}")
        self.store = FaultyStore(self)
        self.messenger = Messenger(
            self.store,
            self.street.genesis,
            self.street.format,
            rng,
            self.street.now,
            cover=self.cover,
            limits=self.limits,
        )
        self.pacer = PacerCore(
            self.street.parameters,
            SeededRandomness(self.street.seed, f"{self.name} pacer {self.starts}"),
        )
        self.sequence = 0
        self.tell(PacerStarted())
        if self.is_linked:
            self.link_up()

    def link_up(self) -> None:
        self.is_linked = True
        self.sequence = 0
        for parcelled in self.items:
            parcelled.handed_at = -1e9
        self.pacer.receive(LinkUp(), self.street.now)
        self.tell(LinkUp())

    def link_down(self) -> None:
        self.is_linked = False
        self.pacer.receive(LinkDown(), self.street.now)
        self.tell(LinkDown())

    def crash(self) -> None:
        """The daemon and its pacer begin again with what the disk has."""
        self.commits_left = None
        self.start()

    @contextmanager
    def dying(self) -> Iterator[None]:
        """A crash inside is one of the whole program."""
        try:
            yield
        except PowerCutError:
            self.crash()

    # -- the cores

    def next_deadline(self) -> float | None:
        deadlines = [self.messenger.next_deadline(), self.pacer.next_deadline()]
        return min((one for one in deadlines if one is not None), default=None)

    def advance(self) -> None:
        now = self.street.now
        with self.dying():
            ticked = self.pacer.advance(now)
            for effect in ticked:
                match effect:
                    case SendFrame(frame):
                        self._frame(frame)
                    case SlotTaken():
                        self.tell(effect)
            deadline = self.messenger.next_deadline()
            if deadline is not None and deadline <= now:
                self._perform(self.messenger.advance(now))

    def tell(self, event: MessengerEvent) -> None:
        with self.dying():
            self._perform(self.messenger.receive(event, self.street.now))

    def acted(self) -> None:
        self.tell(PersonActed())

    def _perform(self, effects: list[MessengerEffect]) -> None:
        for effect in effects:
            if isinstance(effect, FillSlot):
                self.pacer.receive(effect, self.street.now)
                continue
            self.effects.append(effect)
            if isinstance(effect, MessageArrived):
                self.shown.append(effect.message)

    # -- the provider

    def _frame(self, frame: bytes) -> None:
        street = self.street
        self.sent.append((street.now, len(frame)))
        command = self.frames.decode_upstream(frame)
        assert isinstance(command, RelayAndFetch)
        control = command.control
        assert control.sequence == self.sequence + 1
        self.sequence = control.sequence
        self.controls.append(control)
        match control.operation:
            case InboxOperation.REGISTER_LIVE | InboxOperation.REGISTER_INVITATION:
                self.inboxes.add(control.inbox)
            case InboxOperation.REMOVE:
                self.inboxes.discard(control.inbox)
            case InboxOperation.NONE:
                pass
        for handle in control.handles:
            if handle != NO_HANDLE:
                self.deleted.append(handle)
                self.items = [one for one in self.items if one.item.handle != handle]
        if control.first_mix != NO_NODE:
            self.relayed.append((street.now, control.first_mix))
            street.carry(control.first_mix, command.packet)
        starts, answered = self.starts, self.sequence
        piece = self._piece(control.piece_epoch, control.piece_index)
        street.after(ANSWER_SECONDS, lambda: self._answer(starts, answered, piece))

    def _piece(self, epoch: Epoch, index: int) -> PieceOfDocument | None:
        documents = self.street.documents
        chosen = max(documents, default=epoch) if epoch == NEWEST_DOCUMENT else epoch
        data, room = documents.get(chosen), self.frames.piece_bytes
        if data is None or index >= -(-len(data) // room):
            return None
        part = data[index * room : (index + 1) * room]
        return PieceOfDocument(chosen, index, -(-len(data) // room), part)

    def _answer(self, starts: int, answered: int, piece: PieceOfDocument | None) -> None:
        if starts != self.starts or not self.is_linked:
            return
        now = self.street.now
        waiting = (one for one in self.items if one.handed_at < now - REDELIVERY_SECONDS)
        parcelled = next(waiting, None)
        if parcelled is not None:
            parcelled.handed_at = now
        item = None if parcelled is None else parcelled.item
        self.tell(MailArrived(Mail(item, answered, piece)))

    def put(self, deposit: Deposit) -> None:
        if deposit.inbox not in self.inboxes or (deposit.inbox, deposit.deposit) in self.seen:
            return
        self.seen.add((deposit.inbox, deposit.deposit))
        handle = MailHandle(self.rng.take(8))
        item = MailItem(handle, deposit.inbox, deposit.deposit, deposit.body)
        self.items.append(Parcelled(item))

    # -- for looking

    @property
    def texts(self) -> list[str]:
        return [view.text for view in self.shown]

    def is_ready(self) -> bool:
        """Routes can be built and mail can come."""
        status = self.messenger.status(self.street.now)
        return not status.document_stale and bool(self.inboxes)

    def state_of(self, contact: str) -> ContactState:
        return next(view.state for view in self.messenger.contacts() if view.name == contact)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.connection.execute(statement)]


class FaultyStore(ClientStore):
    """The store, of which a test can let one transaction be the last."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._depth = 0
        super().__init__(house.connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        house, outermost = self._house, self._depth == 0
        left = house.commits_left
        self._depth += 1
        try:
            with super().transaction():
                yield
                if outermost and left == 0 and house.crashes_before_commit:
                    raise PowerCutError
        finally:
            self._depth -= 1
        if outermost and left is not None:
            if left == 0:
                raise PowerCutError
            house.commits_left = left - 1


def two_people(seed: int = 1, parameters: Parameters = PARAMETERS) -> tuple[Street, House, House]:
    """A street with Alice and Bob, both ready."""
    street = Street(seed, parameters)
    alice = House(street, "alice", PROVIDERS[0])
    bob = House(street, "bob", PROVIDERS[1])
    assert street.run_until(lambda: alice.is_ready() and bob.is_ready(), 120)
    return street, alice, bob


def introduce(street: Street, alice: House, bob: House) -> None:
    """Alice invites Bob, and both meet."""
    invitation = alice.messenger.invite(bob.name, street.now)
    alice.acted()
    bob.messenger.add(invitation.text(), alice.name, street.now)
    bob.acted()
    assert street.run_until(
        lambda: alice.state_of(bob.name) is bob.state_of(alice.name) is ContactState.ACTIVE, 300
    )


def friends(seed: int = 1, parameters: Parameters = PARAMETERS) -> tuple[Street, House, House]:
    """Alice and Bob, who have met."""
    street, alice, bob = two_people(seed, parameters)
    introduce(street, alice, bob)
    return street, alice, bob
