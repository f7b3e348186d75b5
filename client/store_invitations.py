"""Invitations: those we made, and those we were given. Each belongs to the contact it is for."""

from dataclasses import dataclass
from typing import Any

import apsw

from client.invitation import Invitation, parse_invitation
from client.states import InvitationState
from client.store_rows import one_row
from hushmill.identifiers import InboxId

_COLUMNS = "text, contact, is_own, expires_at, state"


@dataclass(frozen=True, slots=True)
class StoredInvitation:
    invitation: Invitation
    contact: int
    is_own: bool
    expires_at: float
    state: InvitationState


class InvitationTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(self, invitation: Invitation, contact: int, expires_at: float, *, is_own: bool) -> None:
        self._db.execute(
            "INSERT INTO invitation"
            " (text, contact, inbox, receive_secret, is_own, expires_at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                invitation.text(),
                contact,
                invitation.inbox,
                invitation.to_inviter_secret if is_own else invitation.to_invited_secret,
                int(is_own),
                expires_at,
                InvitationState.OPEN.value,
            ),
        )

    def find(self, invitation: Invitation) -> StoredInvitation | None:
        return self._one("text = ?", invitation.text())

    def at_inbox(self, inbox: InboxId) -> StoredInvitation | None:
        """Our own invitation whose answer arrives at `inbox`."""
        return self._one("is_own = 1 AND inbox = ?", inbox)

    def of_contact(self, contact: int) -> StoredInvitation | None:
        return self._one("contact = ?", contact)

    def receive_secrets(self, since: float) -> list[tuple[int, bytes]]:
        """(contact, secret) of those we answered and that ran out after `since`: their inviters
        may still send under them."""
        return list(
            self._db.execute(
                "SELECT contact, receive_secret FROM invitation"
                " WHERE is_own = 0 AND expires_at > ?",
                (since,),
            )
        )

    def count_open(self) -> int:
        """How many of ours are out."""
        row = one_row(
            self._db, "SELECT count(*) FROM invitation WHERE is_own = 1 AND state = 'open'"
        )
        return int(row[0]) if row else 0

    def overdue(self, now: float) -> list[StoredInvitation]:
        return self._all("state = 'open' AND expires_at <= ?", now)

    def next_expiry(self) -> float | None:
        row = one_row(self._db, "SELECT min(expires_at) FROM invitation WHERE state = 'open'")
        return None if row is None else row[0]

    def change_state(self, contact: int, state: InvitationState) -> None:
        self._db.execute(
            "UPDATE invitation SET state = ? WHERE contact = ?", (state.value, contact)
        )

    def remove(self, contact: int) -> None:
        self._db.execute("DELETE FROM invitation WHERE contact = ?", (contact,))

    def _one(self, condition: str, binding: object) -> StoredInvitation | None:
        found = self._all(condition, binding)
        return found[0] if found else None

    def _all(self, condition: str, *bindings: Any) -> list[StoredInvitation]:
        statement = f"SELECT {_COLUMNS} FROM invitation WHERE {condition}"  # noqa: S608
        return [
            StoredInvitation(
                parse_invitation(text), contact, bool(is_own), expires_at, InvitationState(state)
            )
            for text, contact, is_own, expires_at, state in self._db.execute(statement, bindings)
        ]
