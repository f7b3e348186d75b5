"""A person's store: one connection, one schema, a table object for each noun.

It works on any apsw connection: the encrypted vault's, or a plain `:memory:` one. Whatever belongs
together is written inside one `transaction()`; with `synchronous=FULL` a transaction that has
ended has reached the disk. Spec: docs/spec/traffic.md (Store).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from client.store_contacts import ContactTable
from client.store_inbox import PartialTable
from client.store_invitations import InvitationTable
from client.store_mailbox import MailboxTable
from client.store_messages import MessageTable
from client.store_outbox import ParcelTable
from client.store_person import PersonTable
from client.store_schema import SCHEMA, SCHEMA_VERSION
from client.store_sessions import SessionTable
from hushmill.errors import ExitCode, UserError


class ClientStore:
    """Raises UserError (exit 6) for a store of another version; never changes or resets one."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        connection.pragma("foreign_keys", True)
        connection.pragma("synchronous", "FULL")
        self._create_or_check()
        self.person = PersonTable(connection)
        self.mailbox = MailboxTable(connection)
        self.contacts = ContactTable(connection)
        self.invitations = InvitationTable(connection)
        self.sessions = SessionTable(connection)
        self.messages = MessageTable(connection)
        self.parcels = ParcelTable(connection)
        self.partials = PartialTable(connection)

    def _create_or_check(self) -> None:
        with self.transaction():
            version = self.connection.pragma("user_version")
            if version == 0 and not self.connection.execute("SELECT 1 FROM sqlite_schema").get:
                self.connection.execute(SCHEMA)
                self.connection.pragma("user_version", SCHEMA_VERSION)
            elif version != SCHEMA_VERSION:
                raise UserError(
                    "The profile's store is of another version of hushmill, or not a store at all. "
                    "It was left as it is: use the version that made it, or restore a backup.",
                    ExitCode.SECURITY_STOP,
                )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: an exception inside undoes everything since the outermost one began."""
        with self.connection:
            yield
