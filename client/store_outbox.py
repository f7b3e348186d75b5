"""Parcels: sealed ciphertexts on their way, fragment by fragment, until they are acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import apsw

from client.store_rows import one_row
from hushmill.identifiers import DepositId


@dataclass(frozen=True, slots=True)
class NewFragment:
    """Sealed once, under its deposit id."""

    deposit: DepositId
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FragmentKey:
    """Which fragment: a parcel's id and the fragment's place in it."""

    parcel: int
    number: int


@dataclass(frozen=True, slots=True)
class DueFragment:
    """A fragment whose time has come."""

    key: FragmentKey
    contact: int
    deposit: DepositId
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parcel:
    id: int
    contact: int
    sequence: int
    message: int | None
    first_sent_at: float | None


class ParcelTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(
        self,
        contact: int,
        sequence: int,
        message: int | None,
        fragments: Sequence[NewFragment],
        now: float,
    ) -> int:
        """A parcel whose fragments are all due at once."""
        self._db.execute(
            "INSERT INTO parcel (contact, sequence, message) VALUES (?, ?, ?)",
            (contact, sequence, message),
        )
        parcel = self._db.last_insert_rowid()
        self._db.executemany(
            "INSERT INTO fragment (parcel, number, deposit, sealed, due_at) VALUES (?, ?, ?, ?, ?)",
            [
                (parcel, number, fragment.deposit, fragment.sealed, now)
                for number, fragment in enumerate(fragments)
            ],
        )
        return parcel

    def due(self, contact: int, tries: int, limit: int, now: float) -> list[FragmentKey]:
        """The first `limit` keys of one contact's fragments that are due and had fewer than
        `tries` tries, in the order of the conversation."""
        return [
            FragmentKey(parcel, number)
            for parcel, number in self._db.execute(
                "SELECT fragment.parcel, fragment.number FROM parcel"
                " JOIN fragment ON fragment.parcel = parcel.id"
                " WHERE parcel.contact = ? AND due_at <= ? AND tries < ?"
                " ORDER BY parcel.sequence, fragment.number LIMIT ?",
                (contact, now, tries, limit),
            )
        ]

    def contacts_due(self, tries: int, now: float) -> list[int]:
        """Contacts for whom something is due, by id."""
        return [
            contact
            for (contact,) in self._db.execute(
                "SELECT DISTINCT parcel.contact FROM fragment"
                " JOIN parcel ON parcel.id = fragment.parcel"
                " WHERE due_at <= ? AND tries < ? ORDER BY 1",
                (now, tries),
            )
        ]

    def next_due(self, now: float) -> float | None:
        """When the first fragment that is not due yet falls due."""
        row = one_row(self._db, "SELECT min(due_at) FROM fragment WHERE due_at > ?", (now,))
        return None if row is None else row[0]

    def read(self, key: FragmentKey) -> DueFragment | None:
        """None once it was acknowledged or given up."""
        row = one_row(
            self._db,
            "SELECT parcel.contact, deposit, sealed FROM fragment"
            " JOIN parcel ON parcel.id = fragment.parcel WHERE parcel = ? AND number = ?",
            (key.parcel, key.number),
        )
        return None if row is None else DueFragment(key, row[0], DepositId(row[1]), row[2])

    def tries(self, key: FragmentKey) -> int | None:
        row = one_row(
            self._db,
            "SELECT tries FROM fragment WHERE parcel = ? AND number = ?",
            (key.parcel, key.number),
        )
        return None if row is None else int(row[0])

    def mark_sent(self, key: FragmentKey, now: float, due_at: float) -> None:
        """One try more; the next one is due at `due_at`."""
        self._db.execute(
            "UPDATE fragment SET tries = tries + 1, due_at = ? WHERE parcel = ? AND number = ?",
            (due_at, key.parcel, key.number),
        )
        self._db.execute(
            "UPDATE parcel SET first_sent_at = ? WHERE id = ? AND first_sent_at IS NULL",
            (now, key.parcel),
        )

    def pull_in(self, latest: float) -> None:
        """No fragment waits beyond `latest`: a clock that was once far ahead would hold it."""
        self._db.execute("UPDATE fragment SET due_at = ?1 WHERE due_at > ?1", (latest,))

    def is_wholly_sent(self, parcel: int) -> bool:
        return (
            one_row(self._db, "SELECT 1 FROM fragment WHERE parcel = ? AND tries = 0", (parcel,))
            is None
        )

    def parcel(self, id_: int) -> Parcel | None:
        row = one_row(
            self._db,
            "SELECT id, contact, sequence, message, first_sent_at FROM parcel WHERE id = ?",
            (id_,),
        )
        return None if row is None else Parcel(*row)

    def with_sequence(self, contact: int, sequence: int) -> Parcel | None:
        row = one_row(
            self._db,
            "SELECT id, contact, sequence, message, first_sent_at FROM parcel"
            " WHERE contact = ? AND sequence = ?",
            (contact, sequence),
        )
        return None if row is None else Parcel(*row)

    def through(self, contact: int, sequence: int) -> list[Parcel]:
        """Parcels 1 … `sequence` that are still on their way."""
        return [
            Parcel(*row)
            for row in self._db.execute(
                "SELECT id, contact, sequence, message, first_sent_at FROM parcel"
                " WHERE contact = ? AND sequence BETWEEN 1 AND ? ORDER BY sequence",
                (contact, sequence),
            )
        ]

    def oldest(self, contact: int) -> int | None:
        """The lowest sequence still on its way to the contact."""
        row = one_row(
            self._db,
            "SELECT min(sequence) FROM parcel WHERE contact = ? AND sequence > 0",
            (contact,),
        )
        return None if row is None else row[0]

    def given_up(self, before: float, tries: int, now: float) -> list[Parcel]:
        """Parcels first sent before `before`, or with a fragment that is due again after `tries`
        tries."""
        return [
            Parcel(*row)
            for row in self._db.execute(
                "SELECT id, contact, sequence, message, first_sent_at FROM parcel"
                " WHERE first_sent_at <= ?1 OR EXISTS (SELECT 1 FROM fragment"
                " WHERE fragment.parcel = parcel.id AND tries >= ?2 AND due_at <= ?3) ORDER BY id",
                (before, tries, now),
            )
        ]

    def remove_fragment(self, key: FragmentKey) -> None:
        self._db.execute(
            "DELETE FROM fragment WHERE parcel = ? AND number = ?", (key.parcel, key.number)
        )

    def is_empty(self, parcel: int) -> bool:
        return one_row(self._db, "SELECT 1 FROM fragment WHERE parcel = ?", (parcel,)) is None

    def remove(self, parcel: int) -> None:
        self._db.execute("DELETE FROM parcel WHERE id = ?", (parcel,))

    def count_fragments(self) -> int:
        row = one_row(self._db, "SELECT count(*) FROM fragment")
        return int(row[0]) if row else 0
