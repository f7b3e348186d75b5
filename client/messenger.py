"""The one door of a person's client, and its core: the person's verbs, and what the network says.

Every verb has reached the disk when it returns, and none waits for the network. The way of a
message out: `send` (outbox: encrypted, cut, sealed, committed) → a payload slot (courier) → the
pacer's tick; the way in: a mail frame → reception (one transaction) → the screen, and only then
the handle by which the provider may delete it. Spec: docs/spec/traffic.md.
"""

from collections import Counter
from typing import assert_never

from client.acknowledgements import AcknowledgementClock
from client.address_book import AddressBook
from client.content import File, Message, Text
from client.controls import ControlDesk
from client.core_events import (
    ConsensusAccepted,
    ContactView,
    LinkDown,
    LinkUp,
    MailArrived,
    MessageChanged,
    MessageView,
    MessengerEffect,
    MessengerEvent,
    PacerStarted,
    PersonActed,
    SlotTaken,
    StatusView,
)
from client.courier import Courier
from client.directory_pieces import DocumentPieces
from client.envelope import EnvelopeFormat
from client.founding import fit_name
from client.identity import Identity, IdentityKey
from client.inbox import Inbox
from client.introductions import Introductions
from client.invitation import Invitation, parse_invitation
from client.limits import CLIENT_LIMITS, ClientLimits
from client.loops import Loops
from client.network_view import NetworkView
from client.outbox import Outbox
from client.reception import Reception
from client.safety import safety_number
from client.slots import SlotBoard
from client.states import ContactState, MessageState
from client.store import ClientStore
from client.upkeep import Upkeep
from hushmill.drops import Drop
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.link import ClientFrames, Mail
from hushmill.packet import PacketFormat
from hushmill.randomness import Randomness
from pki import Genesis, epoch_at

_SECRET_BYTES = 32
_PAGE = 100


class Messenger:
    """`now` is Unix time throughout. `cover` False is for experiments: cover is then random bytes
    that no mix sees."""

    def __init__(
        self,
        store: ClientStore,
        genesis: Genesis,
        packet_format: PacketFormat,
        rng: Randomness,
        now: float,
        *,
        cover: bool = True,
        limits: ClientLimits = CLIENT_LIMITS,
    ) -> None:
        # First, so that whatever else is drawn, slots are the same for one seed.
        schedule_secret = rng.take(_SECRET_BYTES)
        person = store.person.read()
        geometry = packet_format.geometry
        frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        envelopes = EnvelopeFormat(geometry.body_bytes)
        self._store = store
        self._book = AddressBook(store, limits)
        self._genesis = genesis
        self._rng = rng
        self._limits = limits
        self._person = person
        self._identity = Identity(person.identity_seed)
        self._network = NetworkView(genesis, store.person.keeper())
        self._pieces = DocumentPieces(self._network.keeper, frames.piece_bytes)
        self._desk = ControlDesk(store.mailbox, self._pieces, rng)
        self._loops = Loops(person.loop_secret)
        self._board = SlotBoard(
            genesis.parameters,
            packet_format,
            schedule_secret,
            person.provider,
            lambda: store.mailbox.live().inbox,
            self._desk,
            self._loops,
            rng,
            cover=cover,
        )
        self._outbox = Outbox(store, genesis.parameters, envelopes, person.provider)
        self._inbox = Inbox(store)
        self._introductions = Introductions(store, self._outbox, person, self._identity)
        clock = AcknowledgementClock(genesis.parameters, rng)
        self._clock = clock
        self._courier = Courier(store, envelopes, self._outbox, self._board, clock)
        self._reception = Reception(
            store,
            envelopes,
            self._inbox,
            self._outbox,
            self._introductions,
            self._courier,
            self._loops,
        )
        self._upkeep = Upkeep(store, self._outbox, self._introductions, now)
        self._link_is_up = False
        self._left: list[MessengerEffect] = []  # by verbs, for the next event
        self._acted_at: float | None = None
        self._drops: Counter[Drop] = Counter()
        self._packets: Counter[str] = Counter()
        for contact in store.contacts.all():
            self._courier.watch(contact.id, now)

    # 1. the person's verbs

    def invite(self, name: str, now: float) -> Invitation:
        """An invitation for someone whom we call `name`; what is sent to them waits until they
        have answered. Raises UserError (2) for a taken or unfit name and above the limits."""
        if self._store.invitations.count_open() >= self._limits.invitations:
            raise UserError(
                f"{self._limits.invitations} invitations are open. Wait until one is used or runs "
                "out.",
                ExitCode.USAGE,
            )
        person = self._person
        invitation = Invitation.create(
            person.network, person.provider, self._identity.public, now, self._rng
        )
        with self._store.transaction():
            contact = self._book.add(fit_name(name), ContactState.INVITED, now)
            self._introductions.invite(contact.id, invitation, now)
        self._acted(now, self._book.changed(contact.id))
        return invitation

    def add(self, text: str, name: str, now: float) -> ContactView:
        """Whoever made the invitation in `text`, as our contact `name`. Raises UserError: (6) for
        one that is used, expired or our own, (2) for what is none, or a taken name."""
        invitation = parse_invitation(text)
        self._introductions.require_fresh(invitation, now)
        with self._store.transaction():
            contact = self._book.add(fit_name(name), ContactState.ADDED, now)
            self._introductions.answer(contact.id, invitation, now)
        changed = self._book.changed(contact.id)
        self._acted(now, changed)
        return changed.contact

    def send(self, contact: str, content: Text | File, now: float) -> int:
        """The id of a message that is now in the outbox. Raises UserError: (7) for an unknown
        contact, (6) for one whom we never met in time, (2) for a message above the limits."""
        row = self._book.find(contact)
        if row.state is ContactState.EXPIRED:
            raise UserError(
                f"The invitation between you and {contact} ran out. Invite them again: "
                f"hushmill invite {contact}",
                ExitCode.SECURITY_STOP,
            )
        message = Message(self._outbox.admit(content, self._limits), int(now))
        with self._store.transaction():
            id_ = self._store.messages.add_own(row.id, message)
            self._store.contacts.touch(row.id, now)
            effects: list[MessengerEffect] = []
            if self._store.sessions.exists(row.id):
                stored = self._store.invitations.of_contact(row.id)
                secret = stored.invitation.to_invited_secret if stored and stored.is_own else None
                effects = self._outbox.encrypt_waiting(row.id, secret, now)
            else:
                effects = [MessageChanged(id_, contact, MessageState.WAITING)]
        self._courier.watch(row.id, now)
        self._acted(now, *effects)
        return id_

    def mark_verified(self, contact: str) -> None:
        """The person has compared the safety number. Raises UserError as it does."""
        row, _ = self._book.find_met(contact)
        with self._store.transaction():
            self._store.contacts.mark_verified(row.id)
        self._left.append(self._book.changed(row.id))

    def safety_number_of(self, contact: str) -> str:
        """60 digits, the same on both sides. Raises UserError (7) until the two have met."""
        _, identity = self._book.find_met(contact)
        return safety_number(self._identity.public, IdentityKey(identity))

    def contacts(self) -> list[ContactView]:
        """By name."""
        return self._book.views()

    def inbox(
        self, after: int = 0, contact: str | None = None, limit: int = _PAGE
    ) -> list[MessageView]:
        """Received messages whose `order` is above `after`, in order; of one contact, or of all."""
        number = None if contact is None else self._book.find(contact).id
        return self._store.messages.shown_after(after, number, limit)

    def sent(self, contact: str | None = None, limit: int = _PAGE) -> list[MessageView]:
        """The newest own messages, in the order in which they were written."""
        number = None if contact is None else self._book.find(contact).id
        return self._store.messages.own(number, limit)

    def message(self, id_: int) -> MessageView | None:
        return self._store.messages.view(id_)

    def packets(self, size: int) -> int:
        """How many packets a message of `size` bytes takes, at most, when none is lost."""
        return self._outbox.packets(size)

    def attachment(self, id_: int) -> bytes | None:
        """A file's bytes; None for a text."""
        return self._store.messages.file(id_)

    def status(self, now: float) -> StatusView:
        return StatusView(
            name=self._person.name,
            provider=self._person.provider,
            link_up=self._link_is_up,
            epoch=epoch_at(now, self._genesis.parameters),
            document_epoch=self._network.document_epoch,
            document_stale=self._network.at(now) is None,
            contacts=self._store.contacts.count(),
            messages=self._store.messages.count_own(),
            outbox_bytes=self._outbox.bytes_kept(),
            loops_sent=self._loops.sent,
            loops_returned=self._loops.returned,
            packets=tuple(sorted(self._packets.items())),
            drops=tuple(sorted((reason.value, count) for reason, count in self._drops.items())),
        )

    def count_drop(self, reason: Drop) -> None:
        """For what whoever runs this core has dropped (a frame that does not decode)."""
        self._drops[reason] += 1

    # 2. the core's verbs

    def receive(self, event: MessengerEvent, now: float) -> list[MessengerEffect]:
        effects: list[MessengerEffect] = []
        match event:
            case LinkUp():
                self._link_is_up = True
                self._desk.link_up()
            case LinkDown():
                self._link_is_up = False
                self._desk.link_down()
            case PacerStarted():
                self._link_is_up = False
                self._desk.link_down()
                self._courier.forget_frames()
            case SlotTaken():
                effects = self._slot_taken(event, now)
            case MailArrived(mail):
                effects = self._mail(mail, now)
            case PersonActed():
                pass
            case _:
                assert_never(event)
        return effects + self.advance(now)

    def next_deadline(self) -> float | None:
        if self._acted_at is not None:
            return self._acted_at
        deadlines = [
            self._upkeep.next_at,
            self._network.next_change,
            self._clock.next_tick,
            self._store.parcels.next_due(self._network.looked_at),
            self._inbox.next_gap_deadline(),
        ]
        return min(deadline for deadline in deadlines if deadline is not None)

    def advance(self, now: float) -> list[MessengerEffect]:
        effects, self._left, self._acted_at = self._left, [], None
        if self._upkeep.next_at <= now:
            effects += self._upkeep.run(now)
        gap = self._inbox.next_gap_deadline()
        if gap is not None and gap <= now:
            with self._store.transaction():
                effects += self._inbox.show_over_gaps(now)
        self._courier.tick(now)
        network = self._network.at(now)
        effects += self._courier.renew(network, epoch_at(now, self._genesis.parameters), now)
        if self._link_is_up:
            effects += self._board.top_up(now)
            effects += self._courier.load(now)
            effects += self._board.refresh(now)
        return effects

    # events

    def _slot_taken(self, event: SlotTaken, now: float) -> list[MessengerEffect]:
        taken = self._board.take(event)
        if taken is None:
            return []
        load, left_behind = taken
        self._packets[load.kind.value] += 1
        if load.loop is not None:
            self._loops.mark_sent(load.loop)
        return self._courier.mark_taken(load, left_behind, now)

    def _mail(self, mail: Mail, now: float) -> list[MessengerEffect]:
        effects: list[MessengerEffect] = []
        with self._store.transaction():
            self._desk.answer(mail.answered_sequence, now)
        if mail.piece is not None:
            try:
                document = self._pieces.take(mail.piece, now)
                if document is not None and self._network.accept(document, now):
                    with self._store.transaction():
                        self._store.person.keep_documents(self._network.keeper.state())
                    epoch = self._network.document_epoch
                    effects += [] if epoch is None else [ConsensusAccepted(epoch)]
            except PeerError as error:
                self.count_drop(error.reason)
        if mail.item is not None and not self._desk.knows(mail.item.handle):
            shown, reason = self._reception.take(mail.item, now)
            self._desk.add_committed(mail.item.handle)  # the transaction has ended
            effects += shown
            if reason is not None:
                self.count_drop(reason)
        return effects

    # what verbs share

    def _acted(self, now: float, *effects: MessengerEffect) -> None:
        self._left += effects
        self._acted_at = now
