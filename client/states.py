"""The states of a contact and of a message, as they stand in the store and before a person."""

from enum import StrEnum


class ContactState(StrEnum):
    INVITED = "invited"  # our invitation is out, nobody has answered yet
    ADDED = "added"  # we have answered an invitation, the inviter has not met us yet
    CONFIRMING = "confirming"  # we have begun the session, they have not confirmed it yet
    ACTIVE = "active"
    EXPIRED = "expired"  # the invitation ran out before both sides met


class MessageState(StrEnum):
    """An own message goes down this list; a received one is `RECEIVED` from the start."""

    WAITING = "waiting"  # no session with the contact yet
    QUEUED = "queued"  # encrypted; some fragment has not left yet
    SENT = "sent"  # every fragment has left at least once
    DELIVERED = "delivered"  # the contact's client has committed it
    UNCONFIRMED = "unconfirmed"  # our timer ran out: it may or may not have arrived
    RECEIVED = "received"


class Direction(StrEnum):
    OUT = "out"
    IN = "in"


class InvitationState(StrEnum):
    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"


class PieceSource(StrEnum):
    """Whose secret sealed a fragment. Pieces of the two are never put together, and those under an
    invitation, which whoever has read it can make, take nothing from the session's."""

    SESSION = "session"
    INVITATION = "invitation"
