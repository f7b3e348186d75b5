"""Whatever comes over a socket, the provider's core answers with effects and counters: an exception
there ends the process, so no client and no depositor may cause one.

The way of the bytes is the service's: a frame is decoded, which raises PeerError at most, and what
it says goes to the core in whatever state the session is. What the core answers is encoded.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from hushmill.errors import PeerError
from hushmill.identifiers import NO_NODE, Epoch, NodeNumber, ReplayTag
from hushmill.link import (
    NO_HANDLE,
    ClientFrames,
    Control,
    Hello,
    InboxOperation,
    Mail,
    MailHandle,
    RelayAndFetch,
)
from hushmill.packet import Deliver, Unwrapped
from mixnode import Arrived, ConsensusChanged
from provider import (
    ClientFrame,
    ClientGone,
    ClientHello,
    DocumentKnown,
    Limits,
    MailboxStore,
    SendToClient,
)
from provider.store import NoRoomError
from tests.mixnode.network import LAYERS, PARAMETERS
from tests.provider.harness import LAST_MIX, Client, ProviderInTime, deposit_id, inbox_id

EXPORTER = bytes(range(32))
SMALL = Limits(accounts=3, sessions=2, items_per_account=4, tombstones_per_account=2)
NAMES = ("alice", "bob", "carol", "dave")


class SwitchedReserve:
    def __init__(self) -> None:
        self.held = True

    def release(self) -> None:
        return

    def is_held(self) -> bool:
        return self.held


class ScarceStore(MailboxStore):
    """Its disk is full while `is_full` is set: then no row can be added and nothing committed."""

    is_full = False

    def add_item(self, *values: Any) -> None:
        self._refuse()
        super().add_item(*values)

    def bury(self, *values: Any) -> bool:
        self._refuse()
        return super().bury(*values)

    def commit(self) -> None:
        if self.is_dirty:
            self._refuse()
        super().commit()

    def _refuse(self) -> None:
        if self.is_full:
            raise NoRoomError


class Target:
    """A provider behind the bytes that reach it. Two accounts are there, each with an inbox."""

    def __init__(self) -> None:
        self.reserve = SwitchedReserve()
        self.store = ScarceStore(apsw.Connection(":memory:"))
        self.provider = ProviderInTime(limits=SMALL, store=self.store, reserve=self.reserve)
        geometry = self.provider.network.format.geometry
        self.frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        self.payload_bytes = geometry.payload_bytes
        self.clients = [Client(self.provider, name) for name in NAMES]
        self.handles: list[MailHandle] = [NO_HANDLE]
        self.sequences = Counter[int]()
        self._read = 0
        for session in (1, 2):
            self.greet(session, session - 1)
            self.wait(0.1)
            self.send(session, operation=InboxOperation.REGISTER_LIVE, inbox=inbox_id(session))

    def greet(self, session: int, client: int) -> None:
        self.hear(session, self.hello(client))

    def hello(self, client: int) -> bytes:
        return self.frames.encode_upstream(self.clients[client].hello(EXPORTER), self.provider.rng)

    def send(self, session: int, change: Callable[[bytes], bytes] = bytes, **fields: Any) -> None:
        """A frame with these fields in its control field, the sequence counted from the last."""
        self.sequences[session] += fields.pop("sequence", 1)
        usual: dict[str, Any] = {
            "first_mix": NO_NODE,
            "piece_epoch": Epoch(0),
            "piece_index": 0,
            "one_time_inbox": inbox_id(99),
            "operation": InboxOperation.NONE,
            "inbox": inbox_id(99),
            "lifetime_hours": 24,
            "handles": (NO_HANDLE,) * 8,
        }
        control = Control(sequence=self.sequences[session], **{**usual, **fields})
        command = RelayAndFetch(control, bytes(self.frames.packet_bytes))
        self.hear(session, change(self.frames.encode_upstream(command, self.provider.rng)))

    def hear(self, session: int, frame: bytes) -> None:
        try:
            command = self.frames.decode_upstream(frame)
        except PeerError:
            return
        match command:
            case Hello():
                self.provider.give(ClientHello(session, command, EXPORTER))
            case RelayAndFetch():
                self.provider.give(ClientFrame(session, command))
        self.say()

    def say(self) -> None:
        """Encodes what the core wants said, and learns the handles in it."""
        news = self.provider.effects[self._read :]
        self._read = len(self.provider.effects)
        for _, effect in news:
            if isinstance(effect, SendToClient):
                frame = self.frames.encode_downstream(effect.command, self.provider.rng)
                assert len(frame) == self.frames.frame_bytes
                if isinstance(effect.command, Mail) and effect.command.item is not None:
                    self.handles.append(effect.command.item.handle)

    def wait(self, seconds: float) -> None:
        self.provider.run(seconds)
        self.say()


Action = Callable[[Target], None]
sessions = st.sampled_from([1, 1, 1, 2, 2, 3, 4])
clients = st.integers(0, len(NAMES) - 1)
inboxes = st.sampled_from([1, 1, 2, 2, 3, 4, 5, 6]).map(inbox_id)


@st.composite
def changes(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What a hostile client makes of a frame: most of what means something stands in its head."""
    places = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4))
    cut = draw(st.sampled_from([0, 0, 0, 1, 100]))

    def change(frame: bytes) -> bytes:
        changed = bytearray(frame)
        for place, value in places:
            changed[place] = value
        return bytes(changed[: len(frame) - cut])

    return change


@st.composite
def greetings(draw: st.DrawFn) -> Action:
    session, client, change = draw(sessions), draw(clients), draw(changes())
    if draw(st.booleans()):
        return lambda target: target.greet(session, client)
    return lambda target: target.hear(session, change(target.hello(client)))


@st.composite
def noise(draw: st.DrawFn) -> Action:
    session, head = draw(sessions), draw(st.binary(max_size=300))
    return lambda target: target.hear(session, head.ljust(target.frames.frame_bytes, b"\x00"))


@st.composite
def frames(draw: st.DrawFn) -> Action:
    """One to many times a frame that is right, or nearly."""
    session = draw(sessions)
    fields: dict[str, Any] = {
        "sequence": draw(st.sampled_from([1] * 20 + [0, 7])),
        "first_mix": draw(st.sampled_from([NO_NODE, *LAYERS[0], LAST_MIX, NodeNumber(77)])),
        "piece_epoch": Epoch(draw(st.sampled_from([0, 1, 2**32 - 1]))),
        "piece_index": draw(st.sampled_from([0, 1, 0xFFFF])),
        "one_time_inbox": draw(inboxes),
        "operation": draw(st.sampled_from(InboxOperation)),
        "inbox": draw(inboxes),
        "lifetime_hours": draw(st.sampled_from([0, 1, 24, 0xFFFF])),
    }
    named = draw(st.lists(st.integers(1, 8), max_size=3))
    change = draw(st.one_of(*[st.just(bytes)] * 5, changes()))
    times = draw(st.sampled_from([1] * 10 + [8, 9, 160, 161]))

    def act(target: Target) -> None:
        newest = [target.handles[-number % len(target.handles)] for number in named]
        handles = (*newest, *[NO_HANDLE] * (8 - len(newest)))
        for _ in range(times):
            target.send(session, change, **fields, handles=handles)

    return act


@st.composite
def deposits(draw: st.DrawFn) -> Action:
    inbox, numbers = draw(inboxes), draw(st.lists(st.integers(0, 30), min_size=1, max_size=10))

    def act(target: Target) -> None:
        for number in numbers:
            target.provider.deposit(inbox, deposit_id(number))

    return act


@st.composite
def payloads(draw: st.DrawFn) -> Action:
    """What a packet may hold whose sender is no client of ours; its size is the network's."""
    head, tag = draw(st.binary(max_size=100)), ReplayTag(draw(st.binary(min_size=16, max_size=16)))
    source = draw(st.sampled_from([LAST_MIX, LAYERS[0][0], NodeNumber(77)]))

    def act(target: Target) -> None:
        epoch = Epoch(int(target.provider.now // PARAMETERS.epoch_seconds))
        payload = head[: target.payload_bytes].ljust(target.payload_bytes, b"\x00")
        target.provider.give(Arrived(source, Unwrapped(tag, epoch, Deliver(payload))))

    return act


@st.composite
def documents(draw: st.DrawFn) -> Action:
    data = draw(st.binary(max_size=100))
    return lambda target: target.provider.give(DocumentKnown(data))


def _goes(session: int) -> Action:
    return lambda target: target.provider.give(ClientGone(session))


def _passes(seconds: float) -> Action:
    return lambda target: target.wait(seconds)


def _fills(is_full: bool) -> Action:
    """Less room than deposits need."""
    return lambda target: setattr(target.reserve, "held", not is_full)


def _fills_wholly(is_full: bool) -> Action:
    return lambda target: setattr(target.store, "is_full", is_full)


def _agrees(target: Target) -> None:
    """A document that agrees with the clock, so that what is old is removed."""
    epoch = Epoch(int(target.provider.now // PARAMETERS.epoch_seconds))
    consensus = target.provider.network.consensus
    fields = {name: getattr(consensus, name) for name in consensus.__slots__}
    target.provider.give(ConsensusChanged(type(consensus)(**{**fields, "epoch": epoch}), epoch))


def _ages(hours: int) -> Action:
    def act(target: Target) -> None:
        target.provider.now += hours * 3600.0
        _agrees(target)
        target.wait(7200.0)

    return act


actions: st.SearchStrategy[Action] = st.one_of(
    *[frames()] * 6,
    *[deposits()] * 3,
    *[st.sampled_from([0.01, 0.06, 0.06, 1.0, 31.0]).map(_passes)] * 3,
    greetings(),
    noise(),
    payloads(),
    documents(),
    sessions.map(_goes),
    st.sampled_from([0, 50, 31 * 24, 100 * 24]).map(_ages),
    st.booleans().map(_fills),
    st.booleans().map(_fills_wholly),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(actions, min_size=20, max_size=60))
def test_nothing_that_comes_raises_in_the_core(steps: list[Action]) -> None:
    target = Target()
    for step in steps:
        step(target)
    target.wait(1.0)
    assert target.provider.core.session_count <= SMALL.sessions
    assert target.provider.store.account_count() <= SMALL.accounts


@given(st.binary(max_size=5000))
def test_decoding_raises_peer_errors_only(data: bytes) -> None:
    frames = ClientFrames(3840, 256)
    for frame in (data, data.ljust(frames.frame_bytes, b"\x00")[: frames.frame_bytes]):
        try:
            command = frames.decode_upstream(frame)
        except PeerError:
            continue
        assert isinstance(command, Hello | RelayAndFetch)
