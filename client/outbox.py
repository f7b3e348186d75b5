"""From a person's words to sealed fragments, and their tries until the recipient acknowledges.

A message is encrypted once, when there is a session; its ciphertext is cut and sealed at once, and
committed with the ratchet's state in one transaction. From then on only those sealed bytes exist:
every try is the same deposit in another packet. Spec: docs/spec/traffic.md (Outbox).
"""

from client.acknowledgements import (
    LARGEST_WAIT_SECONDS,
    TRIES,
    UNCONFIRMED_SECONDS,
    retry_wait_seconds,
)
from client.content import TEXT_BYTES, File, Message, Text
from client.core_events import MessageChanged, MessengerEffect
from client.envelope import (
    ENTRIES_BESIDE_FRAGMENT,
    FRAGMENTS_LIMIT,
    WHOLE,
    Acknowledgement,
    Address,
    Envelope,
    EnvelopeFormat,
    Piece,
)
from client.fragments import padded_count, split
from client.handshake_header import HANDSHAKE_HEADER_BYTES
from client.limits import ClientLimits
from client.ratchet import RATCHET_OVERHEAD_BYTES
from client.receipts import acknowledgement_for
from client.seal import deposit_id, seal_fragment
from client.states import MessageState
from client.store import ClientStore
from client.store_contacts import Contact
from client.store_outbox import DueFragment, FragmentKey, NewFragment, Parcel
from client.wording import encode_content, encode_parcel
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NodeNumber
from hushmill.parameters import Parameters

_LENGTH_BYTES = 4  # inside the first fragment
# A parcel's and a plaintext's first byte, the handshake, the ratchet, and at most 512 bytes of a
# content's fields (a file's name has at most 255).
_OVERHEAD_BYTES = 2 + HANDSHAKE_HEADER_BYTES + RATCHET_OVERHEAD_BYTES + 512


class Outbox:
    """Every method that writes is called inside the caller's transaction."""

    def __init__(
        self,
        store: ClientStore,
        parameters: Parameters,
        envelopes: EnvelopeFormat,
        provider: NodeNumber,
    ) -> None:
        self._store = store
        self._parameters = parameters
        self._envelopes = envelopes
        self._provider = provider
        self._served_last = 0

    # 1. words to fragments

    @property
    def largest_content(self) -> int:
        """How many bytes a text or file may have: what surely fits into 256 fragments."""
        room = FRAGMENTS_LIMIT * (self._envelopes.fragment_bytes - 1) - _LENGTH_BYTES
        return room - _OVERHEAD_BYTES

    def packets(self, size: int) -> int:
        """How many packets content of `size` bytes takes, at most, when none is lost."""
        return padded_count(size + _OVERHEAD_BYTES, self._envelopes.fragment_bytes)

    def padded_bytes(self, size: int) -> int:
        """What content of `size` bytes takes in the outbox, at most."""
        return self.packets(size) * self._envelopes.fragment_bytes

    def admit(self, content: Text | File, limits: ClientLimits) -> Text | File:
        """The content as it can be sent. Raises UserError (2) above a limit."""
        if isinstance(content, Text):
            # What a terminal could not decode must not stop the message.
            data = content.body.encode("utf-8", errors="replace")
            content = Text(data.decode())
            if len(data) > TEXT_BYTES:
                raise UserError(
                    f"This text has {len(data)} bytes; the most is {TEXT_BYTES}. Send it as a "
                    "file: hushmill send NAME --file PATH",
                    ExitCode.USAGE,
                )
        else:
            data = content.data
        if len(data) > self.largest_content:
            raise UserError(
                f"This file has {len(data)} bytes; the most for one message is "
                f"{self.largest_content}. Send it in parts.",
                ExitCode.USAGE,
            )
        if self.bytes_kept() + self.padded_bytes(len(data)) > limits.outbox_bytes:
            raise UserError(
                f"The outbox is full: of {limits.outbox_bytes} bytes, {self.bytes_kept()} wait for "
                "delivery. Wait until some have arrived.",
                ExitCode.USAGE,
            )
        return content

    def bytes_kept(self) -> int:
        """What waits and what is on its way, as it lies in the store."""
        sealed = self._store.parcels.count_fragments() * self._envelopes.fragment_bytes
        return sealed + self._store.messages.waiting_bytes()

    def encrypt_waiting(
        self, contact: int, invitation_secret: bytes | None, now: float
    ) -> list[MessengerEffect]:
        """Encrypts what waits for a contact with a session. Until the peer has answered, the
        handshake goes with each message, under the invitation's secret."""
        effects: list[MessengerEffect] = []
        name = self._store.contacts.numbered(contact).name
        for waiting in self._store.messages.waiting(contact):
            sequence = self._encrypt(contact, waiting.content, waiting.id, invitation_secret, now)
            self._store.messages.number(waiting.id, sequence)
            effects.append(MessageChanged(waiting.id, name, MessageState.QUEUED))
        return effects

    def _encrypt(
        self,
        contact: int,
        content: Message,
        message: int,
        invitation_secret: bytes | None,
        now: float,
    ) -> int:
        stored = self._store.sessions.load(contact)
        if stored is None:
            raise LookupError("a message is encrypted only where there is a session")
        ciphertext = stored.session.encrypt(encode_content(content))
        self._store.sessions.save(stored)
        secret = stored.session.send_secret
        if stored.header is not None and invitation_secret is not None:
            secret = invitation_secret
        parcel = encode_parcel(stored.header, ciphertext)
        return self.add_parcel(contact, secret, parcel, message, now)

    def add_parcel(
        self, contact: int, secret: bytes, parcel: bytes, message: int | None, now: float
    ) -> int:
        """Cuts, seals and keeps `parcel` under the contact's next sequence number, which it
        gives."""
        sequence = self._store.contacts.take_sequence(contact)
        self.add_numbered(contact, sequence, secret, parcel, message, now)
        return sequence

    def add_numbered(
        self,
        contact: int,
        sequence: int,
        secret: bytes,
        parcel: bytes,
        message: int | None,
        now: float,
    ) -> None:
        """The same under a given sequence number, which has not been used with this secret."""
        row = self._store.contacts.numbered(contact)
        acknowledgement = acknowledgement_for(self._store, row, ENTRIES_BESIDE_FRAGMENT)
        fragments = []
        for number, fragment in enumerate(split(parcel, self._envelopes.fragment_bytes)):
            deposit = deposit_id(secret, sequence, number)
            piece = Piece(sequence, number, fragment)
            plaintext = self._envelopes.encode(self.envelope(row, acknowledgement, piece))
            fragments.append(NewFragment(deposit, seal_fragment(secret, deposit, plaintext)))
        self._store.parcels.add(contact, sequence, message, fragments, now)

    def envelope(
        self, contact: Contact, acknowledgement: Acknowledgement, piece: Piece | None
    ) -> Envelope:
        """An envelope with our live inbox in it. The piece's own parcel need not be kept yet."""
        live = self._store.mailbox.live()
        address = Address(self._provider, live.inbox, live.serial)
        under_way = [
            self._store.parcels.oldest(contact.id),
            None if piece is None else piece.sequence,
        ]
        oldest = min((one for one in under_way if one is not None), default=contact.next_sequence)
        return Envelope(address, oldest, acknowledgement, piece)

    # 2. fragments into slots

    def next_due(
        self, in_flight: set[FragmentKey], unreachable: set[int], now: float
    ) -> DueFragment | None:
        """The fragment that is to leave next: contacts take turns, each in the order of its
        conversation."""
        due = self._store.parcels.contacts_due(TRIES, now)
        turn = [one for one in due if one > self._served_last]
        turn += [one for one in due if one <= self._served_last]
        for contact in turn:
            if contact in unreachable:
                continue
            for key in self._store.parcels.due(contact, TRIES, len(in_flight) + 1, now):
                if key not in in_flight:
                    self._served_last = contact
                    return self._store.parcels.read(key)
        return None

    def mark_sent(self, key: FragmentKey, now: float) -> list[MessengerEffect]:
        """A fragment has left in a slot; what has not been acknowledged then is tried again."""
        parcels = self._store.parcels
        tries, parcel = parcels.tries(key), parcels.parcel(key.parcel)
        if tries is None or parcel is None:
            return []
        parcels.mark_sent(key, now, now + retry_wait_seconds(tries + 1, self._parameters))
        if parcel.message is None or not parcels.is_wholly_sent(parcel.id):
            return []
        view = self._store.messages.view(parcel.message)
        if view is None or view.state is not MessageState.QUEUED:
            return []
        self._store.messages.change_state(parcel.message, MessageState.SENT)
        return [MessageChanged(view.id, view.contact, MessageState.SENT)]

    # 3. the end of a parcel

    def acknowledge(self, contact: Contact, received: Acknowledgement) -> list[MessengerEffect]:
        """What the contact (who may be hostile) says to have committed. Claims about messages that
        were never sent change nothing."""
        if received.through >= contact.next_sequence:
            return []
        effects: list[MessengerEffect] = [
            MessageChanged(message, contact.name, MessageState.DELIVERED)
            for message in self._store.messages.confirm_late(contact.id, received.through)
        ]
        for parcel in self._store.parcels.through(contact.id, received.through):
            effects += self._end(parcel, MessageState.DELIVERED)
        for entry in received.entries:
            found = self._store.parcels.with_sequence(contact.id, entry.sequence)
            if found is None or entry.sequence == 0:
                continue
            if entry.bitmap == WHOLE:
                effects += self._end(found, MessageState.DELIVERED)
                continue
            for number in range(FRAGMENTS_LIMIT):
                if entry.bitmap[number // 8] >> (number % 8) & 1:
                    self._store.parcels.remove_fragment(FragmentKey(found.id, number))
            if self._store.parcels.is_empty(found.id):
                effects += self._end(found, MessageState.DELIVERED)
        return effects

    def give_up(self, now: float) -> list[MessengerEffect]:
        """Ends what has been tried often or long enough: whether it arrived is not known."""
        self._store.parcels.pull_in(now + LARGEST_WAIT_SECONDS)
        effects: list[MessengerEffect] = []
        for parcel in self._store.parcels.given_up(now - UNCONFIRMED_SECONDS, TRIES, now):
            effects += self._end(parcel, MessageState.UNCONFIRMED)
        return effects

    def _end(self, parcel: Parcel, state: MessageState) -> list[MessengerEffect]:
        self._store.parcels.remove(parcel.id)
        if parcel.message is None:
            return []
        self._store.messages.change_state(parcel.message, state)
        view = self._store.messages.view(parcel.message)
        return [] if view is None else [MessageChanged(view.id, view.contact, state)]
