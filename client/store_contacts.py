"""Contacts, their addresses and the counters of what goes and comes."""

from dataclasses import dataclass, fields
from typing import Any

import apsw

from client.content import DIRECT_CONVERSATION
from client.states import ContactState
from client.store_rows import one_row
from hushmill.identifiers import InboxId, NodeNumber


@dataclass(frozen=True, slots=True)
class Contact:
    """A row, as it was when it was read. `identity` is 32 bytes once the two have met."""

    id: int
    name: str
    state: ContactState
    made_at: float
    identity: bytes | None
    their_name: str | None
    verified: bool
    provider: NodeNumber | None
    inbox: InboxId | None
    inbox_serial: int
    active_at: float
    next_sequence: int
    received_through: int
    shown_through: int
    owes_gap_mark: bool
    stored_bytes: int


_NAMES = tuple(field.name for field in fields(Contact))
_COLUMNS = ", ".join(_NAMES)


class ContactTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(self, name: str, state: ContactState, now: float) -> Contact:
        """A new contact with a conversation of two. The caller has checked that `name` is free."""
        self._db.execute(
            "INSERT INTO contact (name, state, made_at) VALUES (?, ?, ?)", (name, state.value, now)
        )
        number = self._db.last_insert_rowid()
        self._db.execute(
            "INSERT INTO conversation (name, kind, contact) VALUES (?, 'direct', ?)",
            (DIRECT_CONVERSATION, number),
        )
        return self.numbered(number)

    def all(self) -> list[Contact]:
        """By name."""
        return [
            _contact(row)
            for row in self._db.execute(f"SELECT {_COLUMNS} FROM contact ORDER BY name")  # noqa: S608
        ]

    def count(self) -> int:
        row = one_row(self._db, "SELECT count(*) FROM contact")
        return int(row[0]) if row else 0

    def named(self, name: str) -> Contact | None:
        row = one_row(self._db, f"SELECT {_COLUMNS} FROM contact WHERE name = ?", (name,))  # noqa: S608
        return None if row is None else _contact(row)

    def numbered(self, number: int) -> Contact:
        row = one_row(self._db, f"SELECT {_COLUMNS} FROM contact WHERE id = ?", (number,))  # noqa: S608
        return _contact(row or ())

    def with_identity(self, identity: bytes) -> Contact | None:
        row = one_row(
            self._db,
            f"SELECT {_COLUMNS} FROM contact WHERE identity = ?",  # noqa: S608
            (identity,),
        )
        return None if row is None else _contact(row)

    def change_state(self, number: int, state: ContactState) -> None:
        self._db.execute("UPDATE contact SET state = ? WHERE id = ?", (state.value, number))

    def meet(self, number: int, identity: bytes) -> None:
        """Their identity is known; whatever was verified before is not."""
        self._db.execute(
            "UPDATE contact SET identity = ?, verified = 0 WHERE id = ?", (identity, number)
        )

    def name_themselves(self, number: int, name: str) -> None:
        self._db.execute("UPDATE contact SET their_name = ? WHERE id = ?", (name, number))

    def move(self, number: int, provider: NodeNumber, inbox: InboxId, serial: int) -> None:
        """Where to send from now on, unless a newer address is known already."""
        self._db.execute(
            "UPDATE contact SET provider = ?, inbox = ?, inbox_serial = ?"
            " WHERE id = ? AND inbox_serial < ?",
            (provider, inbox, serial, number, serial),
        )

    def move_to_invitation(self, number: int, provider: NodeNumber, inbox: InboxId) -> None:
        """Before they have said where they are: their one-time inbox. Every serial is newer."""
        self._db.execute(
            "UPDATE contact SET provider = ?, inbox = ?, inbox_serial = 0 WHERE id = ?",
            (provider, inbox, number),
        )

    def mark_verified(self, number: int) -> None:
        self._db.execute("UPDATE contact SET verified = 1 WHERE id = ?", (number,))

    def touch(self, number: int, now: float) -> None:
        self._db.execute("UPDATE contact SET active_at = ? WHERE id = ?", (now, number))

    def take_sequence(self, number: int) -> int:
        """A sequence number that no message to this contact has had."""
        return self._take(number, "next_sequence")

    def take_acknowledgement(self, number: int) -> int:
        return self._take(number, "next_acknowledgement")

    def _take(self, number: int, column: str) -> int:
        row = one_row(
            self._db,
            f"UPDATE contact SET {column} = {column} + 1 WHERE id = ? RETURNING {column} - 1",  # noqa: S608
            (number,),
        )
        return int(row[0]) if row else 0

    def receive_through(self, number: int, sequence: int) -> None:
        self._db.execute("UPDATE contact SET received_through = ? WHERE id = ?", (sequence, number))

    def charge(self, number: int, stored: int) -> None:
        """One message of theirs more, which came in `stored` bytes of fragments."""
        self._db.execute(
            "UPDATE contact SET stored_bytes = stored_bytes + ? WHERE id = ?", (stored, number)
        )

    def show_through(self, number: int, sequence: int, *, owes_gap_mark: bool) -> None:
        self._db.execute(
            "UPDATE contact SET shown_through = ?, owes_gap_mark = ? WHERE id = ?",
            (sequence, int(owes_gap_mark), number),
        )


def _contact(row: tuple[Any, ...]) -> Contact:
    values = dict(zip(_NAMES, row, strict=True))
    values["state"] = ContactState(values["state"])
    values["verified"] = bool(values["verified"])
    values["owes_gap_mark"] = bool(values["owes_gap_mark"])
    return Contact(**values)
