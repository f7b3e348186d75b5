"""An authority's database: descriptors, published documents, and the sign-once record.

SQLite in WAL mode with synchronous=FULL: a commit is on disk when it returns. An error of the disk
passes through and ends the process. Spec: docs/spec/directory.md (Voting, Sign once).
"""

from contextlib import closing
from pathlib import Path

import apsw

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import Epoch, NodeNumber

SIGNATURES_KEPT = 64  # rows of the record; nothing below the newest is ever signed again
_DOCUMENTS_KEPT = 8
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE network (id BLOB NOT NULL);
CREATE TABLE signed (epoch INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE descriptor (node INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE document (epoch INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""


def newest_document(path: Path, network_id: bytes) -> bytes | None:
    """The newest published document in the authority's database at `path`, whose signatures are
    for the caller to check; None for an authority that never ran or holds none. Only reads, also
    while the authority runs. Raises UserError(SECURITY_STOP) for a damaged database or another
    network's."""
    if not path.exists():
        return None
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            if connection.execute("SELECT id FROM network").get != network_id:
                raise _refused("belongs to another network")
            newest = connection.execute("SELECT data FROM document ORDER BY epoch DESC LIMIT 1").get
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
        raise _refused("is damaged") from error
    return None if newest is None else bytes(newest)


class AuthorityStore:
    """One open database of one network. It is the core's SigningRecord."""

    def __init__(self, path: str | Path, network_id: bytes) -> None:
        """Opens or creates the database; its file is the caller's alone.

        Raises UserError(SECURITY_STOP) for a damaged one or one of another network: it is never
        made anew, since the record in it is what keeps this authority from signing twice.
        """
        try:
            self._connection = apsw.Connection(str(path))
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON")
            self._connection.set_busy_timeout(2000)
            self._prepare(network_id)
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise _refused("is damaged") from error

    def close(self) -> None:
        self._connection.close()

    def record(self, epoch: Epoch, digest: bytes) -> bool:
        """True when `digest` may be signed for `epoch`; on disk before it returns."""
        with self._connection:
            held = self._connection.execute(
                "SELECT digest FROM signed WHERE epoch = ?", (epoch,)
            ).get
            if held is not None:
                return bool(held == digest)
            newest = self._connection.execute("SELECT max(epoch) FROM signed").get
            if newest is not None and newest > epoch:
                return False
            self._connection.execute("INSERT INTO signed VALUES (?, ?)", (epoch, digest))
            self._connection.execute(
                "DELETE FROM signed WHERE epoch NOT IN "
                "(SELECT epoch FROM signed ORDER BY epoch DESC LIMIT ?)",
                (SIGNATURES_KEPT,),
            )
        return True

    def newest_before(self, epoch: Epoch) -> tuple[Epoch, bytes] | None:
        """The newest recorded epoch below `epoch`, and its digest."""
        row = self._connection.execute(
            "SELECT epoch, digest FROM signed WHERE epoch < ? ORDER BY epoch DESC LIMIT 1",
            (epoch,),
        ).fetchone()
        return None if row is None else (Epoch(row[0]), bytes(row[1]))

    def keep_descriptor(self, node: NodeNumber, data: bytes) -> None:
        """Puts the node's newest descriptor in place of its older one."""
        self._connection.execute("REPLACE INTO descriptor VALUES (?, ?)", (node, data))

    def keep_document(self, epoch: Epoch, data: bytes) -> None:
        """Adds a published document; the oldest beyond the limit go."""
        with self._connection:
            self._connection.execute("REPLACE INTO document VALUES (?, ?)", (epoch, data))
            self._connection.execute(
                "DELETE FROM document WHERE epoch NOT IN "
                "(SELECT epoch FROM document ORDER BY epoch DESC LIMIT ?)",
                (_DOCUMENTS_KEPT,),
            )

    def descriptors(self) -> list[bytes]:
        rows = self._connection.execute("SELECT data FROM descriptor ORDER BY node")
        return [bytes(row[0]) for row in rows]

    def documents(self) -> list[bytes]:
        rows = self._connection.execute("SELECT data FROM document ORDER BY epoch")
        return [bytes(row[0]) for row in rows]

    def _prepare(self, network_id: bytes) -> None:
        version = self._connection.execute("PRAGMA user_version").get
        if version == 0:
            with self._connection:
                self._connection.execute(_SCHEMA)
                self._connection.execute("INSERT INTO network VALUES (?)", (network_id,))
                self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif version != _SCHEMA_VERSION:
            raise _refused("was made by another version of hushmill")
        if self._connection.execute("PRAGMA quick_check").get != "ok":
            raise _refused("is damaged")
        if self._connection.execute("SELECT id FROM network").get != network_id:
            raise _refused("belongs to another network")


def _refused(what: str) -> UserError:
    return UserError(
        f"The authority's database {what}. It holds the record of what was signed, so it is not "
        "made anew: restore it, or begin again with new keys.",
        ExitCode.SECURITY_STOP,
    )
