"""What has arrived of messages that are not whole yet, and which ones are."""

import apsw

from client.states import PieceSource
from client.store_rows import one_row


class PartialTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(
        self,
        contact: int,
        source: PieceSource,
        sequence: int,
        number: int,
        count: int,
        piece: bytes,
        now: float,
    ) -> bool:
        """False for a fragment that is here already: the first one stays."""
        self._db.execute(
            "INSERT INTO partial (contact, source, sequence, number, count, piece, arrived_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (contact, source.value, sequence, number, count, piece, now),
        )
        return self._db.changes() == 1

    def pieces(self, contact: int, source: PieceSource, sequence: int) -> list[tuple[int, bytes]]:
        """(number, piece), by number."""
        return list(
            self._db.execute(
                "SELECT number, piece FROM partial"
                " WHERE contact = ? AND source = ? AND sequence = ? ORDER BY number",
                (contact, source.value, sequence),
            )
        )

    def count_of(self, contact: int, source: PieceSource, sequence: int) -> int | None:
        """How many fragments the message has, by the first that came."""
        row = one_row(
            self._db,
            "SELECT count FROM partial WHERE contact = ? AND source = ? AND sequence = ? LIMIT 1",
            (contact, source.value, sequence),
        )
        return None if row is None else int(row[0])

    def count(self, contact: int, source: PieceSource) -> int:
        row = one_row(
            self._db,
            "SELECT count(*) FROM partial WHERE contact = ? AND source = ?",
            (contact, source.value),
        )
        return int(row[0]) if row else 0

    def count_here(self, contact: int, source: PieceSource, sequence: int) -> int:
        """How many fragments of one message are here."""
        row = one_row(
            self._db,
            "SELECT count(*) FROM partial WHERE contact = ? AND source = ? AND sequence = ?",
            (contact, source.value, sequence),
        )
        return int(row[0]) if row else 0

    def remove(self, contact: int, source: PieceSource, sequence: int) -> None:
        self._db.execute(
            "DELETE FROM partial WHERE contact = ? AND source = ? AND sequence = ?",
            (contact, source.value, sequence),
        )

    def remove_through(self, contact: int, sequence: int) -> None:
        """Everything partial up to `sequence`, whoever sealed it."""
        self._db.execute(
            "DELETE FROM partial WHERE contact = ? AND sequence <= ?", (contact, sequence)
        )

    def remove_older(self, before: float) -> None:
        self._db.execute("DELETE FROM partial WHERE arrived_at < ?", (before,))

    def mark_received(self, contact: int, sequence: int) -> None:
        """The message is committed whole; what else claimed to be a part of it is gone."""
        self._db.execute(
            "DELETE FROM partial WHERE contact = ? AND sequence = ?", (contact, sequence)
        )
        self._db.execute(
            "INSERT INTO received (contact, sequence) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (contact, sequence),
        )

    def is_received(self, contact: int, sequence: int) -> bool:
        return (
            one_row(
                self._db,
                "SELECT 1 FROM received WHERE contact = ? AND sequence = ?",
                (contact, sequence),
            )
            is not None
        )

    def received(self, contact: int) -> list[int]:
        """Sequences above the contact's `received_through` that are committed, rising."""
        return [
            sequence
            for (sequence,) in self._db.execute(
                "SELECT sequence FROM received WHERE contact = ? ORDER BY sequence", (contact,)
            )
        ]

    def forget_received_through(self, contact: int, sequence: int) -> None:
        self._db.execute(
            "DELETE FROM received WHERE contact = ? AND sequence <= ?", (contact, sequence)
        )

    def incomplete(self, contact: int, source: PieceSource) -> list[tuple[int, int]]:
        """(sequence, fragment number) of everything partial, rising."""
        return list(
            self._db.execute(
                "SELECT sequence, number FROM partial WHERE contact = ? AND source = ?"
                " ORDER BY sequence, number",
                (contact, source.value),
            )
        )
