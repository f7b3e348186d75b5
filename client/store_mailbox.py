"""Our own inbox ids, and what the provider is still to do with inbox ids."""

from dataclasses import dataclass

import apsw

from hushmill.identifiers import InboxId
from hushmill.link import InboxOperation


@dataclass(frozen=True, slots=True)
class OwnInbox:
    """A live inbox id of ours; `serial` rises with each new one."""

    serial: int
    inbox: InboxId
    registered_at: float | None


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """An inbox operation that no answer has confirmed."""

    id: int
    operation: InboxOperation
    inbox: InboxId
    lifetime_hours: int


class MailboxTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add_inbox(self, inbox: InboxId, now: float) -> None:
        self._db.execute("INSERT INTO own_inbox (inbox, made_at) VALUES (?, ?)", (inbox, now))

    def live(self) -> OwnInbox:
        """The newest; a founded person always has one."""
        serial, inbox, registered_at = next(
            iter(
                self._db.execute(
                    "SELECT serial, inbox, registered_at FROM own_inbox ORDER BY serial DESC"
                )
            )
        )
        return OwnInbox(serial, InboxId(inbox), registered_at)

    def mark_registered(self, inbox: InboxId, now: float) -> None:
        self._db.execute("UPDATE own_inbox SET registered_at = ? WHERE inbox = ?", (now, inbox))

    def ask(self, operation: InboxOperation, inbox: InboxId, lifetime_hours: int) -> None:
        """One row an operation and inbox, however often it is asked."""
        self._db.execute(
            "INSERT INTO inbox_operation (operation, inbox, lifetime_hours) SELECT ?1, ?2, ?3"
            " WHERE NOT EXISTS (SELECT 1 FROM inbox_operation WHERE operation = ?1 AND inbox = ?2)",
            (int(operation), inbox, lifetime_hours),
        )

    def operations(self) -> list[PendingOperation]:
        """Oldest first."""
        return [
            PendingOperation(id_, InboxOperation(operation), InboxId(inbox), hours)
            for id_, operation, inbox, hours in self._db.execute(
                "SELECT id, operation, inbox, lifetime_hours FROM inbox_operation ORDER BY id"
            )
        ]

    def finish(self, operation: PendingOperation) -> None:
        self._db.execute("DELETE FROM inbox_operation WHERE id = ?", (operation.id,))
