"""A deposit from the mailbox: whose it is, and what follows from it, in one transaction.

Deposits carry no name. Loops are known by their id, everything else is tried with the secrets of
those who may write to us. Whatever a deposit is, it may be deleted afterwards.
Spec: docs/spec/traffic.md (Inbox).
"""

from client.address_book import contact_view
from client.core_events import ContactChanged, MessengerEffect
from client.courier import Courier
from client.envelope import Envelope, EnvelopeFormat
from client.inbox import PARTIAL_SECONDS, Inbox
from client.introductions import Introductions
from client.loops import Loops
from client.outbox import Outbox
from client.seal import open_fragment
from client.states import ContactState, PieceSource
from client.store import ClientStore
from client.store_invitations import StoredInvitation
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.link import MailItem


class Reception:
    """`take` is the only transaction on the way in."""

    def __init__(
        self,
        store: ClientStore,
        envelopes: EnvelopeFormat,
        inbox: Inbox,
        outbox: Outbox,
        introductions: Introductions,
        courier: Courier,
        loops: Loops,
    ) -> None:
        self._store = store
        self._envelopes = envelopes
        self._inbox = inbox
        self._outbox = outbox
        self._introductions = introductions
        self._courier = courier
        self._loops = loops

    def take(self, item: MailItem, now: float) -> tuple[list[MessengerEffect], Drop | None]:
        """Committed when it returns. What was dropped of it, and why, if anything was."""
        if self._loops.take_back(item.deposit):
            return [], None
        with self._store.transaction():
            try:
                return self._take(item, now)
            except PeerError as error:
                return [], error.reason

    def _take(self, item: MailItem, now: float) -> tuple[list[MessengerEffect], Drop | None]:
        stored = self._store.invitations.at_inbox(item.inbox)
        if stored is not None:
            secret = stored.invitation.to_inviter_secret
            return self._answer(stored, self._open(item, secret), now), None
        for contact, secret in self._store.sessions.receive_secrets():
            envelope = self._try(item, secret)
            if envelope is not None:
                return self._from_contact(contact, envelope, now)
        for contact, secret in self._store.invitations.receive_secrets(now - PARTIAL_SECONDS):
            envelope = self._try(item, secret)
            if envelope is not None:
                return self._from_inviter(contact, envelope, now)
        raise PeerError(Drop.UNKNOWN_SENDER)

    def _open(self, item: MailItem, secret: bytes) -> Envelope:
        return self._envelopes.decode(open_fragment(secret, item.deposit, item.body))

    def _try(self, item: MailItem, secret: bytes) -> Envelope | None:
        """None where another secret sealed it; raises PeerError(SESSION) for a bad envelope."""
        try:
            plaintext = open_fragment(secret, item.deposit, item.body)
        except PeerError:
            return None
        return self._envelopes.decode(plaintext)

    # the three kinds of senders

    def _answer(
        self, stored: StoredInvitation, envelope: Envelope, now: float
    ) -> list[MessengerEffect]:
        """Someone has answered our invitation."""
        self._introductions.meet(stored, envelope, now)
        secret = stored.invitation.to_invited_secret
        effects = self._outbox.encrypt_waiting(stored.contact, secret, now)
        return [self._changed(stored.contact), *effects]

    def _from_contact(
        self, contact: int, envelope: Envelope, now: float
    ) -> tuple[list[MessengerEffect], Drop | None]:
        """Sealed under the session's secret: only the contact can have made it."""
        row = self._store.contacts.numbered(contact)
        sender = envelope.sender
        self._store.contacts.move(contact, sender.provider, sender.inbox, sender.serial)
        effects = self._outbox.acknowledge(row, envelope.acknowledgement)
        if row.state is ContactState.CONFIRMING:
            self._store.sessions.drop_header(contact)
            self._store.contacts.change_state(contact, ContactState.ACTIVE)
            effects.append(self._changed(contact))
        effects += self._inbox.pass_over(row, envelope.oldest, now)
        effects_of_piece, reason = self._piece(contact, PieceSource.SESSION, envelope, now)
        self._courier.watch(contact, now)
        return effects + effects_of_piece, reason

    def _from_inviter(
        self, contact: int, envelope: Envelope, now: float
    ) -> tuple[list[MessengerEffect], Drop | None]:
        """Sealed under an invitation that we answered: anyone who holds it can have made it, so
        nothing is believed but what the handshake or the session proves."""
        stored = self._store.invitations.of_contact(contact)
        if self._store.sessions.exists(contact) or stored is None:
            return self._piece(contact, PieceSource.INVITATION, envelope, now)
        row = self._store.contacts.numbered(contact)
        if envelope.piece is None or envelope.piece.sequence == 0:
            raise PeerError(Drop.SESSION)
        reason = None
        try:
            parcel = self._inbox.take_piece(row, PieceSource.INVITATION, envelope.piece, now)
            if parcel is None:
                return [], None
            plaintext = self._introductions.welcome(stored, parcel, envelope.sender, now)
        except PeerError as error:
            return [], error.reason
        reason = self._inbox.keep(row, envelope.piece, plaintext, now)
        effects = [self._changed(contact), *self._inbox.show(contact, now)]
        effects += self._outbox.encrypt_waiting(contact, None, now)
        self._courier.watch(contact, now)
        self._courier.owe(contact)
        return effects, reason

    def _piece(
        self, contact: int, source: PieceSource, envelope: Envelope, now: float
    ) -> tuple[list[MessengerEffect], Drop | None]:
        """A fragment for a session. What it changed before it was refused stays changed: a whole
        parcel that does not open is forgotten, and may come again."""
        piece = envelope.piece
        if piece is None:
            return [], None
        row = self._store.contacts.numbered(contact)
        try:
            if piece.sequence == 0:
                raise PeerError(Drop.SESSION)
            parcel = self._inbox.take_piece(row, source, piece, now)
            if parcel is None:
                return [], None
            plaintext = self._inbox.open_parcel(row, parcel)
        except PeerError as error:
            return [], error.reason
        reason = self._inbox.keep(row, piece, plaintext, now)
        return self._inbox.show(contact, now), reason

    def _changed(self, contact: int) -> MessengerEffect:
        return ContactChanged(contact_view(self._store, self._store.contacts.numbered(contact)))
