"""From envelopes to messages: pieces kept, put together, decrypted once, shown once and in order.

Everything that one envelope changes, the ratchet's state included, is in the caller's one
transaction; the provider is told to delete it only after that. Spec: docs/spec/traffic.md (Inbox).
"""

from client.content import DIRECT_CONVERSATION, Message
from client.core_events import MessageArrived, MessengerEffect
from client.envelope import FRAGMENTS_LIMIT, Piece
from client.fragments import fragment_count, reassemble
from client.limits import ClientLimits
from client.states import PieceSource
from client.store import ClientStore
from client.store_contacts import Contact
from client.store_messages import UnshownMessage
from client.wording import Hello, decode_parcel, decode_plaintext
from hushmill.drops import Drop
from hushmill.errors import PeerError

GAP_SECONDS = 600.0  # then later messages are shown, with a mark
WINDOW = 1024  # sequences above the last one received without a gap
# Fragments of unfinished messages, a contact and source; the next expected message is free.
PARTIALS_LIMIT = 1024
PARTIAL_SECONDS = 30 * 24 * 3600.0


class Inbox:
    """Every method that writes is called inside the caller's transaction."""

    def __init__(self, store: ClientStore, limits: ClientLimits) -> None:
        self._store = store
        self._limits = limits

    # 1. pieces

    def take_piece(
        self, contact: Contact, source: PieceSource, piece: Piece, now: float
    ) -> bytes | None:
        """Keeps a fragment (from a hostile contact); the parcel, if it was the last one missing.
        Only pieces of one source are put together.

        Raises PeerError: DUPLICATE, OVERFLOW outside the limits, SESSION for one that does not fit
        the others.
        """
        partials = self._store.partials
        sequence, number = piece.sequence, piece.number
        if sequence <= contact.received_through or partials.is_received(contact.id, sequence):
            raise PeerError(Drop.DUPLICATE)
        if sequence > contact.received_through + WINDOW:
            raise PeerError(Drop.OVERFLOW)
        count = fragment_count(piece.fragment)
        if not number < count <= FRAGMENTS_LIMIT:
            raise PeerError(Drop.SESSION)
        self._require_room(contact, source, sequence, count, len(piece.fragment))
        if count == 1:
            return reassemble([piece.fragment])
        if partials.count_of(contact.id, source, sequence) not in (None, count):
            raise PeerError(Drop.SESSION)
        is_next = sequence == contact.received_through + 1
        if not is_next and partials.count(contact.id, source) >= PARTIALS_LIMIT:
            raise PeerError(Drop.OVERFLOW)
        if not partials.add(contact.id, source, sequence, number, count, piece.fragment, now):
            raise PeerError(Drop.DUPLICATE)
        pieces = partials.pieces(contact.id, source, sequence)
        if len(pieces) < count:
            return None
        partials.remove(contact.id, source, sequence)
        return reassemble([fragment for _, fragment in pieces])

    def _require_room(
        self, contact: Contact, source: PieceSource, sequence: int, count: int, size: int
    ) -> None:
        """Refuses a message that would not fit whole into what one contact may store here. Raises
        PeerError(OVERFLOW): the sender learns that it is unconfirmed."""
        partials = self._store.partials
        waiting = partials.count(contact.id, source)
        missing = count - partials.count_here(contact.id, source, sequence)
        if contact.stored_bytes + (waiting + missing) * size > self._limits.contact_bytes:
            raise PeerError(Drop.OVERFLOW)

    # 2. plaintext

    def open_parcel(self, contact: Contact, parcel: bytes) -> bytes:
        """The plaintext of a whole parcel under the contact's session, whose new state is kept.

        Raises PeerError(SESSION), after which nothing has changed.
        """
        _, ciphertext = decode_parcel(parcel)
        stored = self._store.sessions.load(contact.id)
        if stored is None:
            raise PeerError(Drop.SESSION)
        plaintext = stored.session.decrypt(ciphertext)
        self._store.sessions.save(stored)
        return plaintext

    def keep(self, contact: Contact, last: Piece, plaintext: bytes, now: float) -> Drop | None:
        """Keeps what a message says, whose last fragment was `last`. The reason for which it shows
        nothing, if it does not: its sequence is used up all the same."""
        sequence, reason = last.sequence, None
        self._store.contacts.charge(contact.id, fragment_count(last.fragment) * len(last.fragment))
        try:
            said = decode_plaintext(plaintext)
            match said:
                case Hello(name):
                    self._store.contacts.name_themselves(contact.id, name)
                case Message():
                    if said.conversation != DIRECT_CONVERSATION:
                        raise PeerError(Drop.SESSION)
                    self._store.messages.add_received(contact.id, said, sequence, now)
                    self._store.contacts.touch(contact.id, now)
        except PeerError as error:
            reason = error.reason
        self._store.partials.mark_received(contact.id, sequence)
        self._advance(contact.id, contact.received_through)
        return reason

    def pass_over(self, contact: Contact, oldest: int, now: float) -> list[MessengerEffect]:
        """The contact no longer tries anything below `oldest`: what is missing there never comes.
        What came after it is shown."""
        through = oldest - 1
        if not contact.received_through < through <= contact.received_through + WINDOW:
            return []
        self._store.partials.remove_through(contact.id, through)
        effects = self.show(contact.id, now, passed_through=through)
        self._advance(contact.id, through)
        return effects

    def _advance(self, contact: int, through: int) -> None:
        """Moves `received_through` over everything that follows without a gap."""
        for sequence in self._store.partials.received(contact):
            if sequence == through + 1:
                through = sequence
        self._store.contacts.receive_through(contact, through)
        self._store.partials.forget_received_through(contact, through)

    # 3. the screen

    def show(self, contact: int, now: float, passed_through: int = 0) -> list[MessengerEffect]:
        """Shows what may be shown: in order, over a gap only when it is old enough or will not be
        filled, and what fills such a gap at once, with its own mark."""
        row = self._store.contacts.numbered(contact)
        through, owes_mark = row.shown_through, row.owes_gap_mark
        effects: list[MessengerEffect] = []
        for message in self._store.messages.unshown(contact):
            through = self._over_received(row, through, message.sequence)
            is_late = message.sequence <= through
            is_gap = message.sequence > through + 1
            if is_gap and not self._may_pass(message, now, passed_through):
                break
            has_mark = is_gap or (owes_mark and not is_late)
            effects.append(
                MessageArrived(self._store.messages.show(message.id, gap=has_mark, late=is_late))
            )
            owes_mark = owes_mark and is_late
            through = max(through, message.sequence)
        through = self._over_received(row, through, None)
        if passed_through > through:
            through, owes_mark = passed_through, True
        if (through, owes_mark) != (row.shown_through, row.owes_gap_mark):
            self._store.contacts.show_through(contact, through, owes_gap_mark=owes_mark)
        return effects

    def next_gap_deadline(self) -> float | None:
        """When the first gap is old enough."""
        oldest = [arrived for _, arrived in self._store.messages.oldest_unshown()]
        return min(oldest) + GAP_SECONDS if oldest else None

    def show_over_gaps(self, now: float) -> list[MessengerEffect]:
        effects: list[MessengerEffect] = []
        for contact, arrived in self._store.messages.oldest_unshown():
            if arrived + GAP_SECONDS <= now:
                effects += self.show(contact, now)
        return effects

    def _over_received(self, contact: Contact, through: int, before: int | None) -> int:
        """`through`, moved over messages that were received and show nothing (hellos)."""
        received = set(self._store.partials.received(contact.id))
        while before is None or through + 1 < before:
            following = through + 1
            if following > contact.received_through and following not in received:
                break
            if self._store.messages.is_unshown(contact.id, following):
                break
            through = following
        return through

    @staticmethod
    def _may_pass(message: UnshownMessage, now: float, passed_through: int) -> bool:
        return message.sequence <= passed_through + 1 or message.arrived_at + GAP_SECONDS <= now
