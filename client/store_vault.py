"""The person's encrypted store: a database whose every page is sealed, and its small header file.

Pages are ChaCha20-Poly1305 (SQLite3 Multiple Ciphers), so that tampering shows. Their key is
derived from a passphrase by Argon2id; salt and cost stand in the header file beside the database,
with a check value that tells a wrong passphrase from a corrupt store. Nothing here ever resets,
repairs or replaces a store. Spec: docs/spec/e2ee.md (Vault).

    header = magic 8 | version 1 | memory KiB 4 | passes 4 | salt 16 | check 32 | checksum 32
"""

import os
import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from hushmill.codec import Reader
from hushmill.crypto import (
    PASSWORD_MEMORY_KIB,
    PASSWORD_PASSES,
    PASSWORD_SALT_BYTES,
    Label,
    derive,
    digest,
    equal,
    password_key,
)
from hushmill.errors import ExitCode, PeerError, UserError

HEADER_SUFFIX = ".header"
UNFINISHED_SUFFIX = ".unfinished"
_MAGIC = b"hushvlt\0"
_VERSION = 1
_HEADER_BYTES = 8 + 1 + 4 + 4 + PASSWORD_SALT_BYTES + 32 + 32
_PAGE_BYTES = 4096
# What a header may ask of this machine at most: it is not authentic before the key is known.
_MEMORY_LIMIT_KIB = 4 * 1024 * 1024
_PASSES_LIMIT = 64
_BUSY_MILLISECONDS = 5000


def header_path(path: Path) -> Path:
    return path.with_name(path.name + HEADER_SUFFIX)


def unfinished_path(path: Path) -> Path:
    """Where a store lies until it is one: while there is something, its making was interrupted."""
    return path.with_name(path.name + UNFINISHED_SUFFIX)


def create_vault(path: Path, passphrase: str | None) -> apsw.Connection:
    """A new, empty store at `path`, sealed under `passphrase`. What an interrupted call has left,
    which nothing was ever kept in, is replaced.

    Raises UserError(3) without a passphrase, or when there already is a store.
    """
    secret = _require_passphrase(passphrase)
    unfinished = unfinished_path(path)
    is_interrupted = unfinished.exists() and not path.exists()
    if path.exists() or (header_path(path).exists() and not is_interrupted):
        raise UserError(
            f"There already is a store at {path}. Use it, or name another folder.",
            ExitCode.CONFIGURATION,
        )
    for suffix in ("-wal", "-shm", "-journal"):
        unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    header_path(path).unlink(missing_ok=True)  # before its database: alone it would be a store's
    _sync_folder(path)
    unfinished.unlink(missing_ok=True)
    header, key = _Header.create(secret)
    _write_new(unfinished, b"")
    connection = _connect(unfinished, key)
    _settle(connection)
    # The first page is written now, so that a store without one is a damaged one.
    connection.execute("PRAGMA user_version = 0")
    connection.execute("CREATE TABLE vault_birth (id INTEGER PRIMARY KEY)")
    connection.execute("DROP TABLE vault_birth")
    connection.close()
    _write_new(header_path(path), header.encode())
    unfinished.rename(path)  # from now on it is a store
    _sync_folder(path)
    connection = _connect(path, key)
    _settle(connection)
    return connection


def open_vault(path: Path, passphrase: str | None) -> apsw.Connection:
    """The store at `path`.

    Raises UserError: 3 without a passphrase or a store, 8 for a wrong passphrase, 6 for a corrupt
    or tampered store, whose files stay as they are.
    """
    secret = _require_passphrase(passphrase)
    if not path.exists() and not header_path(path).exists():
        raise UserError(
            f"There is no store at {path}. Make one with `hushmill init`.", ExitCode.CONFIGURATION
        )
    try:
        data = header_path(path).read_bytes()
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise _corrupt("one of its two files is missing") from error
    header = _Header.decode(data)
    key = header.unlock(secret)
    if size < _PAGE_BYTES:  # SQLite would take it for a new database
        raise _corrupt("its database is cut off")
    connection = _connect(path, key)
    try:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        if problems != ["ok"]:
            raise _corrupt("its pages do not fit together")
        _settle(connection)
    except apsw.Error as error:
        connection.close()
        raise _corrupt("a page of it was changed or cut off") from error
    except UserError:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True)
class _Header:
    memory_kib: int
    passes: int
    salt: bytes
    check: bytes = field(repr=False)

    @classmethod
    def create(cls, passphrase: bytes) -> tuple["_Header", bytes]:
        salt = secrets.token_bytes(PASSWORD_SALT_BYTES)
        bare = cls(PASSWORD_MEMORY_KIB, PASSWORD_PASSES, salt, b"")
        master = password_key(passphrase, salt)
        return cls(bare.memory_kib, bare.passes, salt, bare._check_of(master)), _page_key(master)

    def unlock(self, passphrase: bytes) -> bytes:
        """The pages' key (32 bytes). Raises UserError(8) for another passphrase."""
        master = password_key(passphrase, self.salt, self.memory_kib, self.passes)
        if not equal(self._check_of(master), self.check):
            raise UserError(
                "This passphrase does not open the store. Try again; nothing was changed.",
                ExitCode.LOCKED,
            )
        return _page_key(master)

    def _check_of(self, master: bytes) -> bytes:
        return derive(Label.VAULT_CHECK, 32, master, self._parameters())

    def _parameters(self) -> bytes:
        memory, passes = self.memory_kib.to_bytes(4, "big"), self.passes.to_bytes(4, "big")
        return _MAGIC + bytes((_VERSION,)) + memory + passes + self.salt

    def encode(self) -> bytes:
        body = self._parameters() + self.check
        return body + digest(Label.VAULT_HEADER, body)

    @classmethod
    def decode(cls, data: bytes) -> "_Header":
        """Raises UserError(6) for a damaged header, or one that weakens the key's derivation."""
        body, checksum = data[:-32], data[-32:]
        if len(data) != _HEADER_BYTES or not equal(digest(Label.VAULT_HEADER, body), checksum):
            raise _corrupt("its header file was changed or cut off")
        reader = Reader(body)
        try:
            magic, version = reader.take(len(_MAGIC)), reader.integer(1)
            memory_kib, passes = reader.integer(4), reader.integer(4)
            header = cls(memory_kib, passes, reader.take(PASSWORD_SALT_BYTES), reader.take(32))
            reader.end()
        except PeerError as error:
            raise _corrupt("its header file was changed or cut off") from error
        if magic != _MAGIC:
            raise _corrupt("its header file is something else")
        if version != _VERSION:
            raise UserError(
                "This store was made by a newer version of hushmill. Update, then try again.",
                ExitCode.CONFIGURATION,
            )
        if memory_kib < PASSWORD_MEMORY_KIB or passes < PASSWORD_PASSES:
            raise _corrupt("its header asks for a weaker key than any store of ours")
        if memory_kib > _MEMORY_LIMIT_KIB or passes > _PASSES_LIMIT:
            raise _corrupt("its header asks for more work than any store of ours")
        return header


def _require_passphrase(passphrase: str | None) -> bytes:
    if not passphrase:
        raise UserError(
            "The store needs a passphrase: type it when asked, or give --passphrase-file or"
            " --passphrase-fd.",
            ExitCode.CONFIGURATION,
        )
    # One form of each character, whatever keyboard it came from (RFC 8265, 4.2).
    return unicodedata.normalize("NFC", passphrase).encode("utf-8")


def _page_key(master: bytes) -> bytes:
    return derive(Label.VAULT_PAGES, 32, master)


def _connect(path: Path, key: bytes) -> apsw.Connection:
    """A connection that has touched no page yet and, until `_settle`, writes none."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    # A store that turns out to be damaged is left as it is, its log included.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    connection.execute("PRAGMA cipher = 'chacha20'")
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    # A raw key skips the library's own passphrase derivation: Argon2id has done that work.
    connection.execute(f"PRAGMA key = 'raw:{key.hex()}'")
    return connection


def _settle(connection: apsw.Connection) -> None:
    """Durable, and forgetful of what is deleted."""
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "foreign_keys = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # A log that lies there can be cut by whoever can write the folder, and nobody would notice.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)


def _write_new(path: Path, data: bytes) -> None:
    """A new file of ours alone, its bytes and its name durable. An fsync error is fatal."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    """The names of the files beside `path`, durable."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _corrupt(what: str) -> UserError:
    return UserError(
        f"The store is damaged or was tampered with: {what}. It was left as it is; restore a"
        " copy, or move it away and start anew with `hushmill init`.",
        ExitCode.SECURITY_STOP,
    )
