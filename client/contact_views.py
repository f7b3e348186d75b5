"""A contact as a person sees it."""

from client.core_events import ContactView
from client.states import InvitationState
from client.store import ClientStore
from client.store_contacts import Contact


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
