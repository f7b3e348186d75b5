"""The provider: a mix with mailboxes, as one core. Spec: docs/spec/mailbox.md.

The way of a client's frame, in the order in which the methods stand:
1. `_hello` — the account proves its key on this TLS session, once;
2. `_frame` — the token bucket; the packet leaves for the first mix at once, or is dropped;
3. `_control` — what the control field asks is applied to the mailboxes, not yet durable;
4. `_tick` — every 50 ms: one commit for everyone, and only then the answers: exactly one mail
   frame for each frame that came, with an item or filler, and a piece of the consensus.

What ends here (`DeliverPayload` of the mix) is deposited, and becomes durable at the next tick.
`now` is wall time in Unix seconds that never steps back.
"""

import math
from typing import assert_never

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import NO_NODE, AccountKey, NodeNumber
from hushmill.link import (
    LINK_VERSION,
    NO_HANDLE,
    ClientFrames,
    Control,
    InboxOperation,
    Mail,
    MailHandle,
    MailItem,
    RelayAndFetch,
    Welcome,
    WelcomeStatus,
)
from hushmill.packet import Packet, PacketFormat, open_deposit
from hushmill.parameters import KEY_EPOCHS_AHEAD, Parameters
from mixnode import (
    Arrived,
    ConsensusChanged,
    DeliverPayload,
    Drain,
    MixCore,
    MixEffect,
    SendPacket,
    TagsSynced,
)
from pki import Consensus, epoch_at
from provider.admission import Admission
from provider.documents import Documents
from provider.events import (
    ClientFrame,
    ClientGone,
    ClientHello,
    CloseSession,
    DocumentKnown,
    ProviderEffect,
    ProviderEvent,
    SendToClient,
)
from provider.limits import (
    FRAMES_A_TICK,
    OPERATIONS_A_TICK,
    RECOVERY_SECONDS,
    TICK_SECONDS,
    Limits,
)
from provider.mailboxes import (
    Delete,
    Deposit,
    Mailboxes,
    OpenAccount,
    RegisterInvitation,
    RegisterLive,
    RemoveInbox,
)
from provider.session import ClientSession, PieceRequest, TokenBuckets

HOUR_SECONDS = 3600.0


class ProviderCore:
    """`mailboxes` counts into `mix.counters.drops`, so that a provider has one set of counters."""

    def __init__(
        self,
        mix: MixCore,
        mailboxes: Mailboxes,
        parameters: Parameters,
        packet_format: PacketFormat,
        admission: Admission,
        limits: Limits,
    ) -> None:
        geometry = packet_format.geometry
        self._mix = mix
        self._mailboxes = mailboxes
        self._parameters = parameters
        self._geometry = geometry
        self._admission = admission
        self._limits = limits
        self._drops = mix.counters.drops
        piece_bytes = ClientFrames(geometry.packet_bytes, geometry.body_bytes).piece_bytes
        self._documents = Documents(piece_bytes)
        self._consensus: Consensus | None = None
        self._first_mixes: frozenset[NodeNumber] = frozenset()
        self._sessions: dict[int, ClientSession] = {}  # in order of connection
        self._session_of: dict[AccountKey, int] = {}
        self._buckets = TokenBuckets(parameters.client_rate)
        self._tick_at: float | None = None
        self._clean_at: float | None = None
        self._look_at: float | None = None

    @property
    def session_count(self) -> int:
        return len(self._sessions)

    @property
    def is_full(self) -> bool:
        """Whether deposits and new accounts are refused for want of room on the disk."""
        return self._mailboxes.is_full

    def receive(self, event: ProviderEvent, now: float) -> list[ProviderEffect]:
        if self._clean_at is None:
            self._clean_at = now
        match event:
            case Arrived() | TagsSynced() | ConsensusChanged() | Drain():
                if isinstance(event, ConsensusChanged):
                    self._learn_consensus(event.consensus)
                effects = self._deposit_delivered(self._mix.receive(event, now), now)
            case ClientHello():
                effects = self._hello(event, now)
            case ClientFrame(session, frame):
                effects = self._frame(session, frame, now)
            case ClientGone(session):
                self._forget(session, now)
                effects = []
            case DocumentKnown(data):
                self._learn_document(data)
                effects = []
            case _:
                assert_never(event)
        self._plan(now)
        return effects

    def next_deadline(self) -> float | None:
        clean_at = self._clean_at if self._tick_at is None else None  # it rides on a tick
        times = (self._mix.next_deadline(), self._tick_at, clean_at, self._look_at)
        return min((time for time in times if time is not None), default=None)

    def advance(self, now: float) -> list[ProviderEffect]:
        effects = self._deposit_delivered(self._mix.advance(now), now)
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            self._mailboxes.look_for_room()
        if self._clean_at is not None and now >= self._clean_at and self._tick_at is None:
            self._tick_at = _tick_at_or_after(now)
        if self._tick_at is not None and now >= self._tick_at:
            effects += self._tick(now)
        self._plan(now)
        return effects

    # -- 1. the account

    def _hello(self, event: ClientHello, now: float) -> list[ProviderEffect]:
        hello = event.hello
        if event.session in self._sessions:
            return self._cut_off(event.session, Drop.FRAME, now)
        if hello.version != LINK_VERSION:
            return self._refuse(event.session, WelcomeStatus.OTHER_VERSION)
        if not self._admission.proves_key(hello, event.exporter):
            return self._refuse(event.session, WelcomeStatus.REFUSED)
        replaced = self._session_of.get(hello.account)
        if replaced is None and len(self._sessions) >= self._limits.sessions:
            return self._cut_off(event.session, Drop.BUSY, now)
        if self._mailboxes.account_number(hello.account) is None:
            if not self._admission.may_open(hello):
                return self._refuse(event.session, WelcomeStatus.REFUSED)
            self._mailboxes.apply(OpenAccount(hello.account), now)
        effects: list[ProviderEffect] = []
        if replaced is not None:
            self._forget(replaced, now)
            effects.append(CloseSession(replaced))
        bucket = self._buckets.take_out(hello.account, now)
        self._sessions[event.session] = ClientSession(event.session, hello.account, bucket)
        self._session_of[hello.account] = event.session
        self._tick_at = self._tick_at or _tick_after(now)
        return effects

    def _refuse(self, session: int, status: WelcomeStatus) -> list[ProviderEffect]:
        self._drops[Drop.ACCOUNT] += 1
        return [SendToClient(session, Welcome(LINK_VERSION, status)), CloseSession(session)]

    def _cut_off(self, session: int, reason: Drop, now: float) -> list[ProviderEffect]:
        self._drops[reason] += 1
        self._forget(session, now)
        return [CloseSession(session)]

    def _forget(self, number: int, now: float) -> None:
        session = self._sessions.pop(number, None)
        if session is None:
            return
        self._buckets.put_back(session.key, session.bucket, now)
        if self._session_of.get(session.key) == number:
            del self._session_of[session.key]

    # -- 2. its packets

    def _frame(self, number: int, frame: RelayAndFetch, now: float) -> list[ProviderEffect]:
        session = self._sessions.get(number)
        if session is None:
            return self._cut_off(number, Drop.FRAME, now)
        control = frame.control
        if session.account is None or control.sequence <= session.sequence:
            return self._cut_off(number, Drop.FRAME, now)
        asks_inbox = control.operation is not InboxOperation.NONE
        if len(session.owed) >= FRAMES_A_TICK or (
            asks_inbox and session.operations >= OPERATIONS_A_TICK
        ):
            return self._cut_off(number, Drop.BUSY, now)
        session.operations += asks_inbox
        session.sequence = control.sequence
        session.owed.append(PieceRequest(control.piece_epoch, control.piece_index))
        self._tick_at = self._tick_at or _tick_after(now)
        effects = self._relay(session, frame, now)
        self._control(session, session.account, control, now)
        return effects

    def _relay(
        self, session: ClientSession, frame: RelayAndFetch, now: float
    ) -> list[ProviderEffect]:
        """Above the rate the packet is dropped, never queued; the frame is answered all the same,
        so that what its control field asks is never lost in silence."""
        if not session.bucket.take(now):
            self._drops[Drop.RATE] += 1
            return []
        first_mix = frame.control.first_mix
        if first_mix == NO_NODE:
            return []
        if first_mix not in self._first_mixes:
            self._drops[Drop.NO_ROUTE] += 1
            return []
        try:
            packet = Packet.of(frame.packet, self._geometry)
        except PeerError as error:
            self._drops[error.reason] += 1
            return []
        return [SendPacket(first_mix, packet)]

    # -- 3. its mailbox

    def _control(self, session: ClientSession, account: int, control: Control, now: float) -> None:
        handles = [handle for handle in control.handles if handle != NO_HANDLE]
        if handles or control.operation is not InboxOperation.NONE:
            session.has_pending = True  # before anything of it is done
        self._mailboxes.register_answer_inbox(account, control.one_time_inbox)
        match control.operation:
            case InboxOperation.NONE:
                pass
            case InboxOperation.REGISTER_LIVE:
                self._mailboxes.apply(RegisterLive(account, control.inbox), now)
            case InboxOperation.REGISTER_INVITATION:
                hours = control.lifetime_hours
                self._mailboxes.apply(RegisterInvitation(account, control.inbox, hours), now)
            case InboxOperation.REMOVE:
                self._mailboxes.apply(RemoveInbox(account, control.inbox), now)
            case _:
                assert_never(control.operation)
        for handle in handles:
            self._mailboxes.apply(Delete(account, handle), now)

    def _deposit_delivered(self, mix_effects: list[MixEffect], now: float) -> list[ProviderEffect]:
        effects: list[ProviderEffect] = []
        for effect in mix_effects:
            if isinstance(effect, DeliverPayload):
                self._deposit(effect.payload, now)
            else:
                effects.append(effect)
        return effects

    def _deposit(self, payload: bytes, now: float) -> None:
        try:
            opened = open_deposit(payload)
        except PeerError as error:
            self._drops[error.reason] += 1
            return
        self._mailboxes.apply(Deposit(opened.inbox, opened.deposit, opened.body), now)

    # -- 4. the tick: commit, then answer

    def _tick(self, now: float) -> list[ProviderEffect]:
        effects: list[ProviderEffect] = []
        self._tick_at = None
        owes_answers = any(
            session.owed or session.account is None for session in self._sessions.values()
        )
        is_durable = self._mailboxes.commit(now, owes_answers=owes_answers)
        for session in list(self._sessions.values()):
            if session.has_pending and not is_durable:
                # What it asked did not happen: it must ask again, on a new session.
                effects += self._cut_off(session.number, Drop.NO_ROOM, now)
                continue
            session.has_pending = False
            session.operations = 0
            if session.account is None:
                effects += self._welcome(session, now)
            effects += self._answers(session, now)
        if self._clean_at is not None and now >= self._clean_at:
            self._clean(now)
        return effects

    def _welcome(self, session: ClientSession, now: float) -> list[ProviderEffect]:
        """Only now is a new account sure to exist."""
        session.account = self._mailboxes.account_number(session.key)
        if session.account is None:
            self._forget(session.number, now)
            return self._refuse(session.number, WelcomeStatus.FULL)
        self._mailboxes.note_use(session.account, now)
        welcome = Welcome(LINK_VERSION, WelcomeStatus.ACCEPTED)
        return [SendToClient(session.number, welcome)]

    def _answers(self, session: ClientSession, now: float) -> list[ProviderEffect]:
        answers: list[ProviderEffect] = []
        if session.account is not None:
            for request in session.owed:
                item = session.next_item(session.account, self._mailboxes, now)
                mail = Mail(
                    item=None
                    if item is None
                    else MailItem(MailHandle(item.handle), item.inbox, item.deposit, item.body),
                    answered_sequence=session.sequence,
                    piece=self._documents.piece(request.epoch, request.index),
                )
                answers.append(SendToClient(session.number, mail))
        session.owed.clear()
        return answers

    # -- time and documents

    def _plan(self, now: float) -> None:
        """Sets the tick if something waits to be durable, and the search for room if there is
        none. (Frames and hellos set the tick themselves.)"""
        if self._tick_at is None and self._mailboxes.is_dirty:
            self._tick_at = _tick_after(now)
        if self._look_at is None and self._mailboxes.is_full:
            self._look_at = now + RECOVERY_SECONDS

    def _clean(self, now: float) -> None:
        """Hourly, after a commit: expires a bounded part, and comes back at the next tick while
        there is more. Not while the clock and the consensus are far apart: a wrong clock must not
        cost anyone's mail."""
        self._clean_at = now + HOUR_SECONDS
        if not self._clock_agrees(now):
            return
        self._mailboxes.forget_old_log()
        for session in self._sessions.values():
            if session.account is not None:
                self._mailboxes.note_use(session.account, now)
        if self._mailboxes.expire(now):
            self._clean_at = _tick_after(now)

    def _clock_agrees(self, now: float) -> bool:
        if self._consensus is None:
            return False
        return abs(epoch_at(now, self._parameters) - self._consensus.epoch) <= KEY_EPOCHS_AHEAD

    def _learn_consensus(self, consensus: Consensus) -> None:
        self._consensus = consensus
        self._first_mixes = frozenset(entry.number for entry in consensus.layers[0])

    def _learn_document(self, data: bytes) -> None:
        try:
            self._documents.learn(data)
        except PeerError as error:
            self._drops[error.reason] += 1


def _tick_at_or_after(now: float) -> float:
    tick = math.floor(now / TICK_SECONDS) * TICK_SECONDS
    return tick if tick >= now else _tick_after(now)


def _tick_after(now: float) -> float:
    """The next multiple of 50 ms that is later than `now`."""
    tick = (math.floor(now / TICK_SECONDS) + 1) * TICK_SECONDS
    return tick if tick > now else tick + TICK_SECONDS
