"""A provider's core in virtual time, with clients that speak to it in link commands."""

from collections import deque

import apsw

from experiments.simnet.seeded import SeededRandomness
from hushmill.crypto import Ed25519SigningKey, Label
from hushmill.identifiers import (
    NO_NODE,
    AccountKey,
    DepositId,
    Epoch,
    InboxId,
    NetworkId,
    NodeNumber,
    ReplayTag,
)
from hushmill.link import (
    LINK_VERSION,
    NO_HANDLE,
    Control,
    Hello,
    InboxOperation,
    Mail,
    MailHandle,
    MailItem,
    RelayAndFetch,
    Welcome,
    WelcomeStatus,
    exporter_challenge,
)
from hushmill.packet import Deliver, Unwrapped, deposit_payload
from mixnode import Arrived, ConsensusChanged, LogTags, TagsSynced
from provider import (
    Admission,
    ClientFrame,
    ClientHello,
    CloseSession,
    Limits,
    Mailboxes,
    MailboxStore,
    NoReserve,
    ProviderCore,
    ProviderEffect,
    ProviderEvent,
    Reserve,
    SendToClient,
)
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network

CODE = bytes(range(32))
NETWORK = NetworkId(bytes(32))
LAST_MIX = LAYERS[2][0]
FIRST_MIX = LAYERS[0][0]


class ProviderInTime:
    """One provider on `connection` (in memory by default), from START on."""

    def __init__(
        self,
        connection: apsw.Connection | None = None,
        store: MailboxStore | None = None,
        limits: Limits | None = None,
        max_pages: int | None = None,
        code: bytes | None = CODE,
        reserve: Reserve | None = None,
        seed: int = 3,
    ) -> None:
        self.network = Network()
        self.rng = SeededRandomness(seed, "provider")
        limits = limits or Limits()
        mix = self.network.core(PROVIDERS[0])
        self.drops = mix.counters.drops
        connection = connection or apsw.Connection(":memory:")
        self.store = store or MailboxStore(connection, max_pages)
        reserve = reserve or NoReserve()
        self.mailboxes = Mailboxes(self.store, limits, self.rng, self.drops, reserve)
        self.core = ProviderCore(
            mix,
            self.mailboxes,
            PARAMETERS,
            self.network.format,
            Admission(NETWORK, PROVIDERS[0], code),
            limits,
        )
        self.now = START
        self.effects: list[tuple[float, ProviderEffect]] = []
        self.give(ConsensusChanged(self.network.consensus, EPOCH))
        self._sessions = 0

    def give(self, event: ProviderEvent) -> None:
        self._keep(self.core.receive(event, self.now))

    def run(self, seconds: float) -> None:
        """Lets the time pass, through every deadline."""
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self._keep(self.core.advance(self.now))
        self.now = end

    def _keep(self, effects: list[ProviderEffect]) -> None:
        for effect in effects:
            self.effects.append((self.now, effect))
            if isinstance(effect, LogTags):
                self._keep(self.core.receive(TagsSynced(effect.batch), self.now))

    def deposit(self, inbox: InboxId, deposit: DepositId, body: bytes | None = None) -> None:
        """A packet with this deposit arrives from the last layer."""
        geometry = self.network.format.geometry
        payload = deposit_payload(
            inbox, deposit, bytes(geometry.body_bytes) if body is None else body, geometry
        )
        self.arrive(payload)

    def arrive(self, payload: bytes) -> None:
        tag = ReplayTag(self.rng.take(16))
        epoch = Epoch(int(self.now // PARAMETERS.epoch_seconds))
        self.give(Arrived(LAST_MIX, Unwrapped(tag, epoch, Deliver(payload))))

    def next_session(self) -> int:
        self._sessions += 1
        return self._sessions

    def body(self, text: bytes) -> bytes:
        return text.ljust(self.network.format.geometry.body_bytes, b".")

    def items(self) -> int:
        return self.store.counts().items


class Client:
    """An account's end of its links to one provider."""

    def __init__(self, provider: ProviderInTime, name: str) -> None:
        self.provider = provider
        self.rng = SeededRandomness(4, name)
        self.key = Ed25519SigningKey(self.rng.take(32))
        self.sequence = 0
        self.session = 0
        self._read = 0

    def hello(self, exporter: bytes, code: bytes = CODE, work: bytes = bytes(8)) -> Hello:
        signature = self.key.sign(Label.LINK_ACCOUNT, exporter_challenge(exporter))
        account = AccountKey(self.key.public.raw)
        return Hello(LINK_VERSION, account, signature, work, code)

    def connect(self, code: bytes = CODE, work: bytes = bytes(8)) -> WelcomeStatus | None:
        """The status of the welcome on a new session."""
        self.session = self.provider.next_session()
        self._read = len(self.provider.effects)
        exporter = self.rng.take(32)
        self.provider.give(ClientHello(self.session, self.hello(exporter, code, work), exporter))
        self.provider.run(0.1)
        answers = self.answers()
        return answers[0].status if answers and isinstance(answers[0], Welcome) else None

    def control(
        self,
        operation: InboxOperation = InboxOperation.NONE,
        inbox: InboxId | None = None,
        hours: int = 0,
        handles: tuple[MailHandle, ...] = (),
        first_mix: NodeNumber = NO_NODE,
        piece: tuple[Epoch, int] = (Epoch(0), 0),
        one_time: InboxId | None = None,
    ) -> Control:
        self.sequence += 1
        return Control(
            sequence=self.sequence,
            first_mix=first_mix,
            piece_epoch=piece[0],
            piece_index=piece[1],
            one_time_inbox=one_time or InboxId(self.rng.take(32)),
            operation=operation,
            inbox=inbox or InboxId(self.rng.take(32)),
            lifetime_hours=hours,
            handles=handles + (NO_HANDLE,) * (8 - len(handles)),
        )

    def send(self, control: Control | None = None) -> None:
        packet = self.rng.take(self.provider.network.format.geometry.packet_bytes)
        frame = RelayAndFetch(control or self.control(), packet)
        self.provider.give(ClientFrame(self.session, frame))

    def ask(self, control: Control | None = None) -> Mail:
        """Sends a frame; the one mail frame that answers it."""
        self.answers()
        self.send(control)
        self.provider.run(0.1)
        (mail,) = self.answers()
        assert isinstance(mail, Mail)
        return mail

    def register(self, inbox: InboxId) -> InboxId:
        self.ask(self.control(InboxOperation.REGISTER_LIVE, inbox))
        return inbox

    def invite(self, inbox: InboxId, hours: int = 168) -> InboxId:
        self.ask(self.control(InboxOperation.REGISTER_INVITATION, inbox, hours))
        return inbox

    def delete(self, *handles: MailHandle) -> Mail:
        return self.ask(self.control(handles=handles))

    def fetch(self) -> MailItem | None:
        return self.ask().item

    def fetch_all(self) -> list[MailItem]:
        """Items in the order in which they are first handed out, up to the first filler or until
        the store has no more."""
        items: dict[MailHandle, MailItem] = {}
        while (item := self.fetch()) is not None:
            items.setdefault(item.handle, item)
            if len(items) == self.provider.items():
                break
        return list(items.values())

    def answers(self) -> deque[Welcome | Mail]:
        """What was sent to this session since the last call."""
        news = self.provider.effects[self._read :]
        self._read = len(self.provider.effects)
        return deque(
            effect.command
            for _, effect in news
            if isinstance(effect, SendToClient) and effect.session == self.session
        )

    def is_cut_off(self) -> bool:
        return any(
            isinstance(effect, CloseSession) and effect.session == self.session
            for _, effect in self.provider.effects
        )


def tombstones(provider: ProviderInTime) -> int:
    """Of all accounts."""
    count = provider.store._connection.execute("SELECT count(*) FROM tombstones").get
    assert isinstance(count, int)
    return count


def inbox_id(number: int) -> InboxId:
    return InboxId(number.to_bytes(32, "big"))


def deposit_id(number: int) -> DepositId:
    return DepositId(number.to_bytes(16, "big"))


def connected(provider: ProviderInTime, name: str = "alice") -> Client:
    """A client with an accepted session."""
    client = Client(provider, name)
    assert client.connect() is WelcomeStatus.ACCEPTED
    return client
