"""What a person can do, each as one call: the half of the messenger that commands reach.

Every verb has reached the disk when it returns, and none waits for the network; the effects that it
leaves are fetched by the core's next event. Refusals are UserErrors that say what to do.
"""

from client.address_book import AddressBook
from client.content import File, Message, Text
from client.core_events import ContactView, MessageChanged, MessageView, MessengerEffect
from client.courier import Courier
from client.founding import fit_name
from client.identity import Identity, IdentityKey
from client.introductions import Introductions
from client.invitation import Invitation, parse_invitation
from client.limits import ClientLimits
from client.outbox import Outbox
from client.safety import safety_number
from client.states import ContactState, MessageState
from client.store import ClientStore
from client.store_person import Person
from hushmill.errors import ExitCode, UserError
from hushmill.randomness import Randomness

_PAGE = 100


class PersonsVerbs:
    """The parts are the messenger's own."""

    def __init__(
        self,
        store: ClientStore,
        person: Person,
        outbox: Outbox,
        introductions: Introductions,
        courier: Courier,
        rng: Randomness,
        limits: ClientLimits,
    ) -> None:
        self._store = store
        self._person = person
        self._identity = Identity(person.identity_seed)
        self._outbox = outbox
        self._introductions = introductions
        self._courier = courier
        self._rng = rng
        self._limits = limits
        self._book = AddressBook(store, limits)
        self._left: list[MessengerEffect] = []  # for the next event
        self._acted_at: float | None = None

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

    def _acted(self, now: float, *effects: MessengerEffect) -> None:
        self._left += effects
        self._acted_at = now
