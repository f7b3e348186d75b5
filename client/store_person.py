"""Who this profile's person is, their prekeys, and the newest document of the network."""

from dataclasses import dataclass

import apsw

from client.store_rows import one_row
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NetworkId, NodeNumber


@dataclass(frozen=True, slots=True)
class Person:
    """The secrets are 32 bytes each."""

    name: str
    network: NetworkId
    provider: NodeNumber
    identity_seed: bytes
    account_seed: bytes
    loop_secret: bytes

    def __repr__(self) -> str:
        return "Person(<secret>)"


class PersonTable:
    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(self, person: Person) -> None:
        self._db.execute(
            "INSERT INTO person (only_one, name, network, provider, identity, account,"
            " loop_secret) VALUES (1, ?, ?, ?, ?, ?, ?)",
            (
                person.name,
                person.network,
                person.provider,
                person.identity_seed,
                person.account_seed,
                person.loop_secret,
            ),
        )

    def read(self) -> Person:
        """Raises UserError (exit 3) for a store in which nobody was founded."""
        row = one_row(
            self._db,
            "SELECT name, network, provider, identity, account, loop_secret FROM person",
        )
        if row is None:
            raise UserError(
                "This profile has no person yet. Make one with: hushmill init",
                ExitCode.CONFIGURATION,
            )
        name, network, provider, identity, account, loop_secret = row
        return Person(
            name, NetworkId(network), NodeNumber(provider), identity, account, loop_secret
        )

    def exists(self) -> bool:
        return one_row(self._db, "SELECT 1 FROM person") is not None

    def keep_documents(self, keeper: bytes) -> None:
        self._db.execute("UPDATE person SET keeper = ?", (keeper,))

    def keeper(self) -> bytes | None:
        """The document keeper's state, if it ever accepted one."""
        row = one_row(self._db, "SELECT keeper FROM person")
        return None if row is None else row[0]

    def add_prekeys(self, secret: bytes, now: float) -> int:
        self._db.execute("INSERT INTO prekeys (secret, made_at) VALUES (?, ?)", (secret, now))
        return self._db.last_insert_rowid()

    def all_prekeys(self) -> list[tuple[int, bytes]]:
        """Oldest first."""
        return list(self._db.execute("SELECT id, secret FROM prekeys ORDER BY id"))

    def remove_prekeys(self, number: int) -> None:
        """Erases the secrets, and with them the handshakes remembered because of them."""
        self._db.execute("DELETE FROM prekeys WHERE id = ?", (number,))

    def remember_handshake(self, digest: bytes, prekeys: int) -> bool:
        """False if the same handshake was accepted before."""
        self._db.execute(
            "INSERT INTO accepted_handshake VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, prekeys)
        )
        return self._db.changes() == 1
