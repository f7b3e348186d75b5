"""The provider's mailbox database: rows, and nothing about who may do what.

Spec: docs/spec/mailbox.md (Storage). Writes gather in one transaction that `commit` makes durable
(WAL, synchronous FULL); until then a crash, or `abandon`, takes all of them back. Times are whole
hours since 1970. An error of fsync is never retried: it ends the process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import cast

import apsw

from hushmill.crypto import Label, digest
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import AccountKey, DepositId, InboxId
from provider.store_schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION

SqlValue = None | int | float | bytes | str
_PRAGMAS = (
    "locking_mode=EXCLUSIVE",  # one process; the log's index then needs no shared memory
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",
    "foreign_keys=ON",
)
NEVER = 1 << 40  # an expires_hour that no clock reaches


class NoRoomError(Exception):
    """The disk, or the size that the operator allows, is used up. Nothing of the statement stays;
    what else was uncommitted may be gone too, so the caller abandons and begins again."""


class InboxKind(IntEnum):
    LIVE = 1
    INVITATION = 2
    CLOSED = 3  # takes nothing; kept so that no other account takes the id


@dataclass(frozen=True, slots=True)
class Inbox:
    """`age` counts an account's registrations upwards: the newest has the highest."""

    inbox: InboxId
    account: int
    kind: InboxKind
    expires_hour: int
    age: int
    accepted: int  # items it ever took


@dataclass(frozen=True, slots=True)
class Item:
    """`arrival` rises with every item; `handle` is 8 random bytes, the account's name for it."""

    arrival: int
    handle: bytes
    inbox: InboxId
    deposit: DepositId
    body: bytes


@dataclass(frozen=True, slots=True)
class StoreCounts:
    accounts: int
    items: int


class MailboxStore:
    """Owns the schema of `connection`, which may be `:memory:`; one process, one thread."""

    def __init__(self, connection: apsw.Connection, max_pages: int | None = None) -> None:
        """`max_pages` of 4 KiB bound the file; beyond them writes raise NoRoomError.

        Raises UserError (6) for a database that is not a provider's or has another version.
        """
        self._connection = connection
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count={max_pages:d}")
        self._prepare_schema()

    def _prepare_schema(self) -> None:
        application, version = (
            self._number("PRAGMA application_id"),
            self._number("PRAGMA user_version"),
        )
        if (application, version) == (APPLICATION_ID, SCHEMA_VERSION):
            return
        if (application, version) != (0, 0) or self._number("SELECT count(*) FROM sqlite_schema"):
            raise UserError(
                "The mailbox store is not one that this version can read. Restore a backup, or run"
                " the version that wrote it.",
                ExitCode.SECURITY_STOP,
            )
        self._connection.execute(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID};"
            f" PRAGMA user_version={SCHEMA_VERSION}; COMMIT"
        )

    # -- transactions

    @property
    def is_dirty(self) -> bool:
        """Whether something waits for `commit`."""
        return self._connection.in_transaction

    def commit(self) -> None:
        """Makes all writes since the last commit durable. Raises NoRoomError, then still dirty."""
        if self._connection.in_transaction:
            with _disk_errors():
                self._connection.execute("COMMIT")

    def note_tick(self) -> None:
        """A write of one row in the page that every deposit writes too, so that the next commit
        syncs whether or not there is anything else in it."""
        self._write("UPDATE totals SET ticks = ticks + 1")

    def abandon(self) -> None:
        """Takes back all writes since the last commit: what a crash would do."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Abandons what is uncommitted and closes the file."""
        self.abandon()
        self._connection.close()

    def free_pages(self) -> int:
        """Pages that may still be used before the size limit."""
        return (
            self._number("PRAGMA max_page_count")
            - self._number("PRAGMA page_count")
            + self._number("PRAGMA freelist_count")
        )

    def is_sound(self) -> bool:
        """Whether the engine finds nothing wrong with the file; reads all of it."""
        row = self._row("PRAGMA quick_check(1)")
        return row is not None and row[0] == "ok"

    def reuse_log(self) -> None:
        """Moves the write-ahead log's pages into the database, so that the next writes take its
        place on the disk instead of new one. Raises NoRoomError where the database must grow."""
        with _disk_errors():
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def forget_old_log(self) -> None:
        """Empties the write-ahead log, which keeps copies of deleted rows until it is reused."""
        if not self._connection.in_transaction:
            with _disk_errors():
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- accounts

    def account_number(self, key: AccountKey) -> int | None:
        row = self._row("SELECT account FROM accounts WHERE key = ?", key)
        return None if row is None else cast(int, row[0])

    def account_count(self) -> int:
        return self._number("SELECT accounts FROM totals")

    def add_account(self, key: AccountKey, hour: int) -> int:
        """The new account's number; the key must be new."""
        self._write("INSERT INTO accounts (key, used_hour) VALUES (?, ?)", key, hour)
        return self._connection.last_insert_rowid()

    def touch_account(self, account: int, hour: int) -> None:
        """Notes that the account was used in this hour."""
        self._write(
            "UPDATE accounts SET used_hour = ?2 WHERE account = ?1 AND used_hour < ?2",
            account,
            hour,
        )

    def used_hour(self, account: int) -> int:
        return self._number("SELECT used_hour FROM accounts WHERE account = ?", account)

    # -- inboxes

    def inbox(self, inbox: InboxId) -> Inbox | None:
        row = self._row(f"{_INBOX} WHERE inbox = ?", inbox)
        return None if row is None else _inbox(row)

    def inboxes_of(self, account: int) -> list[Inbox]:
        """The account's inboxes, oldest registration first."""
        rows = self._connection.execute(f"{_INBOX} WHERE account = ? ORDER BY age", (account,))
        return [_inbox(row) for row in rows]

    def add_inbox(self, account: int, inbox: InboxId, kind: InboxKind, expires_hour: int) -> None:
        """Registers a new inbox as the account's newest; the id must be free. From now on the
        account counts as used."""
        self._write(
            "INSERT INTO inboxes (inbox, account, kind, expires_hour, age) VALUES (?1, ?2, ?3, ?4,"
            " (SELECT coalesce(max(age), 0) + 1 FROM inboxes WHERE account = ?2))",
            inbox,
            account,
            int(kind),
            expires_hour,
        )
        self._write("UPDATE accounts SET is_used = 1 WHERE account = ? AND NOT is_used", account)

    def change_inbox(self, inbox: InboxId, kind: InboxKind, expires_hour: int) -> None:
        self._write(
            "UPDATE inboxes SET kind = ?, expires_hour = ? WHERE inbox = ?",
            int(kind),
            expires_hour,
            inbox,
        )

    def remove_inbox(self, inbox: InboxId) -> None:
        self._write("DELETE FROM inboxes WHERE inbox = ?", inbox)

    # -- items

    def is_taken(self, inbox: InboxId, deposit: DepositId) -> bool:
        """Whether an item, or the tombstone of one, is at (inbox, deposit)."""
        return bool(
            self._number(
                "SELECT EXISTS (SELECT 1 FROM items WHERE inbox = ?1 AND deposit = ?2)"
                " OR EXISTS (SELECT 1 FROM tombstones WHERE place = ?3)",
                inbox,
                deposit,
                _place(inbox, deposit),
            )
        )

    def item_count(self, account: int) -> int:
        return self._number("SELECT items FROM accounts WHERE account = ?", account)

    def add_item(
        self,
        account: int,
        inbox: InboxId,
        deposit: DepositId,
        handle: bytes,
        body: bytes,
        expires_hour: int,
    ) -> None:
        """Stores an item at a free (inbox, deposit) under a free (account, handle)."""
        self._write(
            "INSERT INTO items (account, inbox, deposit, handle, expires_hour, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            account,
            inbox,
            deposit,
            handle,
            expires_hour,
            body,
        )
        self._write("UPDATE accounts SET items = items + 1 WHERE account = ?", account)
        self._write("UPDATE inboxes SET accepted = accepted + 1 WHERE inbox = ?", inbox)

    def next_item(self, account: int, after_arrival: int) -> Item | None:
        """The account's oldest item that arrived later than `after_arrival`."""
        row = self._row(
            f"{_ITEM} WHERE account = ? AND arrival > ? ORDER BY arrival LIMIT 1",
            account,
            after_arrival,
        )
        return None if row is None else _item(row)

    def item(self, account: int, arrival: int) -> Item | None:
        row = self._row(f"{_ITEM} WHERE account = ? AND arrival = ?", account, arrival)
        return None if row is None else _item(row)

    def bury(self, account: int, handle: bytes, tombstone_hour: int, limit: int) -> bool:
        """Puts a tombstone in place of the account's own item; whether there was one.

        Above `limit` tombstones the account's oldest is forgotten.
        """
        row = self._row(
            "SELECT arrival, inbox, deposit FROM items WHERE account = ? AND handle = ?",
            account,
            handle,
        )
        if row is None:
            return False
        arrival, inbox, deposit = cast(tuple[int, bytes, bytes], row)
        self._write("DELETE FROM items WHERE arrival = ?", arrival)
        self._write(
            "INSERT OR IGNORE INTO tombstones (place, account, expires_hour) VALUES (?, ?, ?)",
            _place(InboxId(inbox), DepositId(deposit)),
            account,
            tombstone_hour,
        )
        self._write(
            "UPDATE accounts SET items = items - 1, tombstones = tombstones + changes()"
            " WHERE account = ?",
            account,
        )
        count = self._number("SELECT tombstones FROM accounts WHERE account = ?", account)
        if count > limit:
            self._forget_oldest_tombstone(account)
        return True

    def _forget_oldest_tombstone(self, account: int) -> None:
        self._write(
            "DELETE FROM tombstones WHERE place = (SELECT place FROM tombstones"
            " WHERE account = ? ORDER BY expires_hour LIMIT 1)",
            account,
        )
        self._write("UPDATE accounts SET tombstones = tombstones - 1 WHERE account = ?", account)

    # -- expiry

    def expired_inboxes(self, hour: int, limit: int) -> list[Inbox]:
        """Up to `limit` inboxes whose hour has come, the earliest first."""
        rows = self._connection.execute(
            f"{_INBOX} WHERE expires_hour <= ? ORDER BY expires_hour LIMIT ?", (hour, limit)
        )
        return [_inbox(row) for row in rows]

    def expire_items(self, hour: int, limit: int) -> int:
        """Deletes up to `limit` items whose hour has come; how many."""
        rows = self._connection.execute(
            "SELECT arrival, account FROM items WHERE expires_hour <= ? LIMIT ?", (hour, limit)
        ).fetchall()
        for arrival, account in rows:
            self._write("DELETE FROM items WHERE arrival = ?", arrival)
            self._write("UPDATE accounts SET items = items - 1 WHERE account = ?", account)
        return len(rows)

    def expire_tombstones(self, hour: int, limit: int) -> int:
        """Deletes up to `limit` tombstones whose hour has come; how many."""
        rows = self._connection.execute(
            "SELECT place, account FROM tombstones WHERE expires_hour <= ? LIMIT ?",
            (hour, limit),
        ).fetchall()
        for place, account in rows:
            self._write("DELETE FROM tombstones WHERE place = ?", place)
            self._write(
                "UPDATE accounts SET tombstones = tombstones - 1 WHERE account = ?", account
            )
        return len(rows)

    def expire_accounts(self, hour: int, unused_hour: int, limit: int) -> list[int]:
        """Removes up to `limit` accounts last used at or before `hour`, or `unused_hour` if they
        never registered an inbox, with all they had."""
        rows = self._connection.execute(
            "SELECT account FROM accounts WHERE used_hour <= ?1"
            " UNION SELECT account FROM accounts WHERE is_used = 0 AND used_hour <= ?2 LIMIT ?3",
            (hour, unused_hour, limit),
        ).fetchall()
        for (account,) in rows:
            self._write("DELETE FROM accounts WHERE account = ?", account)
        return [cast(int, account) for (account,) in rows]

    # -- counts and plumbing

    def counts(self) -> StoreCounts:
        """One row is read, however much is stored."""
        return StoreCounts(self.account_count(), self._number("SELECT items FROM totals"))

    def _write(self, statement: str, *values: SqlValue) -> None:
        with _disk_errors():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(statement, values)

    def _row(self, statement: str, *values: SqlValue) -> tuple[SqlValue, ...] | None:
        return self._connection.execute(statement, values).fetchone()

    def _number(self, statement: str, *values: SqlValue) -> int:
        row = self._row(statement, *values)
        if row is None or not isinstance(row[0], int):
            raise LookupError("no such row")
        return row[0]


def open_mailbox_store(path: Path, max_pages: int | None = None) -> MailboxStore:
    """The store in the file `path`, made (0600) where there is none.

    Raises UserError: LOCKED if another process has it open, SECURITY_STOP if it is damaged;
    it is never repaired or begun anew by itself.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = apsw.Connection(str(path))
    try:
        return MailboxStore(connection, max_pages)
    except apsw.BusyError as error:
        raise UserError(
            f"{path} is in use: the provider is running already.",
            ExitCode.LOCKED,
        ) from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise UserError(
            f"{path} is damaged. Restore it from a backup, or move it away: accounts and mail in "
            "it are then lost.",
            ExitCode.SECURITY_STOP,
        ) from error


_INBOX = "SELECT inbox, account, kind, expires_hour, age, accepted FROM inboxes"
_ITEM = "SELECT arrival, handle, inbox, deposit, body FROM items"


def _place(inbox: InboxId, deposit: DepositId) -> int:
    """Where the tombstone of (inbox, deposit) stands: 8 bytes of a hash, since there are many. Who
    wanted two of them to meet would have to know another's deposit id before it is sent."""
    return int.from_bytes(digest(Label.TOMBSTONE, inbox, deposit)[:8], "big", signed=True)


def _inbox(row: tuple[SqlValue, ...]) -> Inbox:
    inbox, account, kind, expires_hour, age, accepted = cast(
        tuple[bytes, int, int, int, int, int], row
    )
    return Inbox(InboxId(inbox), account, InboxKind(kind), expires_hour, age, accepted)


def _item(row: tuple[SqlValue, ...]) -> Item:
    arrival, handle, inbox, deposit, body = cast(tuple[int, bytes, bytes, bytes, bytes], row)
    return Item(arrival, handle, InboxId(inbox), DepositId(deposit), body)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except apsw.FullError as error:
        raise NoRoomError from error
    except apsw.IOError as error:
        raise UserError(
            "The disk did not take the mailboxes. The provider has stopped, so that it promises "
            "nothing that it cannot keep. Mend the disk, then start it again.",
            ExitCode.SECURITY_STOP,
        ) from error
