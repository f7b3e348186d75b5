"""Contacts by their names: what a person calls them, whether they have met, how they are shown."""

from client.core_events import ContactChanged, ContactView
from client.limits import ClientLimits
from client.states import ContactState, InvitationState
from client.store import ClientStore
from client.store_contacts import Contact
from hushmill.errors import ExitCode, UserError


def contact_view(store: ClientStore, contact: Contact) -> ContactView:
    """The view of a row, with its invitation's end while that is open."""
    invitation = store.invitations.of_contact(contact.id)
    is_open = invitation is not None and invitation.state is InvitationState.OPEN
    return ContactView(
        name=contact.name,
        state=contact.state,
        verified=contact.verified,
        their_name=contact.their_name,
        provider=contact.provider,
        invitation_expires=invitation.expires_at if invitation is not None and is_open else None,
    )


class AddressBook:
    """Every refusal is a UserError that says what to do."""

    def __init__(self, store: ClientStore, limits: ClientLimits) -> None:
        self._store = store
        self._limits = limits

    def find(self, name: str) -> Contact:
        """Raises UserError (7) for an unknown name."""
        row = self._store.contacts.named(name)
        if row is None:
            raise UserError(
                f"You have no contact named {name}. See: hushmill contacts", ExitCode.NOT_FOUND
            )
        return row

    def find_met(self, name: str) -> tuple[Contact, bytes]:
        """With their identity, 32 bytes. Raises UserError (7) until the two have met."""
        row = self.find(name)
        if row.identity is None:
            raise UserError(
                f"You and {name} have not met yet: there is no number to compare.",
                ExitCode.NOT_FOUND,
            )
        return row, row.identity

    def add(self, name: str, state: ContactState, now: float) -> Contact:
        """A new contact, or the one of that name whose invitation ran out, to begin anew. Call it
        inside a transaction. Raises UserError (2) for a taken name and above the limit."""
        known = self._store.contacts.named(name)
        if known is not None and known.state is ContactState.EXPIRED:
            self._store.invitations.remove(known.id)
            self._store.contacts.change_state(known.id, state)
            return self._store.contacts.numbered(known.id)
        if known is not None:
            raise UserError(
                f"You have a contact named {name} already. Choose another name.", ExitCode.USAGE
            )
        if self._store.contacts.count() >= self._limits.contacts:
            raise UserError(
                f"You have {self._limits.contacts} contacts, the most there can be.",
                ExitCode.USAGE,
            )
        return self._store.contacts.add(name, state, now)

    def views(self) -> list[ContactView]:
        """By name."""
        return [contact_view(self._store, contact) for contact in self._store.contacts.all()]

    def changed(self, contact: int) -> ContactChanged:
        return ContactChanged(contact_view(self._store, self._store.contacts.numbered(contact)))
