"""Ratchet states. Skipped keys are rows: a thousand in one blob cost 15 ms a message."""

from dataclasses import dataclass, field

import apsw

from client.session import Session, SessionState
from client.store_rows import one_row


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it was read. `header` is the handshake's, as long as the peer has not answered.
    `skipped` are the skipped keys in the store: `save` writes the difference."""

    contact: int
    session: Session = field(repr=False)
    header: bytes | None = field(repr=False)
    skipped: frozenset[tuple[bytes, int]] = field(repr=False)


class SessionTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(self, contact: int, session: Session, header: bytes | None, now: float) -> None:
        state = session.export()
        self._db.execute(
            "INSERT INTO session (contact, root, header, send_secret, receive_secret, made_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (contact, state.root, header, session.send_secret, session.receive_secret, now),
        )
        self._write_skipped(contact, state, frozenset())

    def load(self, contact: int) -> StoredSession | None:
        row = one_row(self._db, "SELECT root, header FROM session WHERE contact = ?", (contact,))
        if row is None:
            return None
        skipped = {
            (ratchet, number): secret
            for ratchet, number, secret in self._db.execute(
                "SELECT ratchet, number, secret FROM skipped_key WHERE contact = ?"
                " ORDER BY position",
                (contact,),
            )
        }
        session = Session.load(SessionState(row[0], skipped))
        return StoredSession(contact, session, row[1], frozenset(skipped))

    def save(self, stored: StoredSession) -> None:
        """Call it in the transaction that keeps what the session encrypted or decrypted."""
        state = stored.session.export()
        self._db.execute(
            "UPDATE session SET root = ? WHERE contact = ?", (state.root, stored.contact)
        )
        self._write_skipped(stored.contact, state, stored.skipped)

    def exists(self, contact: int) -> bool:
        return one_row(self._db, "SELECT 1 FROM session WHERE contact = ?", (contact,)) is not None

    def drop_header(self, contact: int) -> None:
        """The peer has answered: the handshake need not be attached any longer."""
        self._db.execute("UPDATE session SET header = NULL WHERE contact = ?", (contact,))

    def send_secret(self, contact: int) -> bytes | None:
        row = one_row(self._db, "SELECT send_secret FROM session WHERE contact = ?", (contact,))
        return None if row is None else row[0]

    def receive_secrets(self) -> list[tuple[int, bytes]]:
        """(contact, secret) of every session, the most recently active contact first."""
        return list(
            self._db.execute(
                "SELECT session.contact, receive_secret FROM session"
                " JOIN contact ON contact.id = session.contact ORDER BY active_at DESC"
            )
        )

    def _write_skipped(
        self, contact: int, state: SessionState, before: frozenset[tuple[bytes, int]]
    ) -> None:
        for ratchet, number in before - state.skipped.keys():
            self._db.execute(
                "DELETE FROM skipped_key WHERE contact = ? AND ratchet = ? AND number = ?",
                (contact, ratchet, number),
            )
        added = [(key, secret) for key, secret in state.skipped.items() if key not in before]
        if not added:
            return
        row = one_row(
            self._db,
            "SELECT coalesce(max(position), 0) FROM skipped_key WHERE contact = ?",
            (contact,),
        )
        first = 1 + (int(row[0]) if row else 0)
        self._db.executemany(
            "INSERT INTO skipped_key (contact, ratchet, number, secret, position)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (contact, ratchet, number, secret, first + place)
                for place, ((ratchet, number), secret) in enumerate(added)
            ],
        )
