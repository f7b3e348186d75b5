"""What makes a node itself, in one file under a passphrase. Spec: docs/spec/mixing.md (Backup).

Packet keys and replay logs are never in it: a key with an old log would let through again what it
has let through since. A node that comes back from a backup makes fresh ones.
"""

import unicodedata
import zlib
from pathlib import Path
from typing import Annotated

import msgspec

from hushmill.codec import decode, encode
from hushmill.crypto import (
    AEAD_NONCE_BYTES,
    PASSWORD_SALT_BYTES,
    Label,
    derive,
    open_sealed,
    password_key,
    seal,
)
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.randomness import Randomness
from hushmill.runtime import atomic_write, make_private_folder, read_secret, sync_folder
from mixnode.node_directory import (
    DIRECTORY_STATE_FILE,
    LINK_KEY_FILE,
    PUBLIC_FILE,
    SETTINGS_FILE,
    SIGNING_KEY_FILE,
    Role,
    open_node_directory,
    secret_file,
)
from pki import NETWORK_FILE

_MAGIC = b"HMNODE01"
_MEMORY_KIB = 64 * 1024  # of Argon2id; both go with the version in the magic
_PASSES = 3
_KEY_BYTES = 32
_NONCE = bytes(AEAD_NONCE_BYTES)  # a salt is for one file, and so is its key
_CHECKSUM_BYTES = 4
_HEAD_BYTES = len(_MAGIC) + PASSWORD_SALT_BYTES
_FILE_LIMIT = 16 * 2**20
BACKUP_LIMIT = 64 * 2**20

_Bounded = Annotated[bytes, msgspec.Meta(max_length=_FILE_LIMIT)]


class NodeBackup(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The contents of files whose names are fixed: none stands in a backup. An empty
    `directory_state` is a node that has never run."""

    role: Role
    signing_key: Annotated[bytes, msgspec.Meta(max_length=64)]
    link_key: Annotated[bytes, msgspec.Meta(max_length=32)]
    settings: _Bounded
    network: _Bounded
    public: _Bounded
    directory_state: _Bounded


def collect_backup(path: Path, role: Role) -> NodeBackup:
    """What is in the directory `path`, running or not. Raises UserError as `open_node_directory`
    does for one that could not be run."""
    directory = open_node_directory(path, role)
    state = path / DIRECTORY_STATE_FILE
    return NodeBackup(
        role=role,
        signing_key=directory.signing_key.raw,
        link_key=read_secret(secret_file(path, LINK_KEY_FILE), 32),
        settings=(path / SETTINGS_FILE).read_bytes(),
        network=(path / NETWORK_FILE).read_bytes(),
        public=(path / PUBLIC_FILE).read_bytes(),
        directory_state=state.read_bytes() if state.exists() else b"",
    )


def seal_backup(backup: NodeBackup, passphrase: str, rng: Randomness) -> bytes:
    """The file: magic 8 | salt 16 | sealed | CRC-32 of all before 4."""
    head = _MAGIC + rng.take(PASSWORD_SALT_BYTES)
    sealed = seal(_key(passphrase, head), _NONCE, encode(backup), head)
    return _checked(head + sealed)


def open_backup(data: bytes, passphrase: str) -> NodeBackup:
    """What was sealed in `data`, which may be anything.

    Raises UserError: SECURITY_STOP where it is not a whole, unchanged backup of this version,
    LOCKED where the passphrase is not the one that it was sealed under.
    """
    body = data[:-_CHECKSUM_BYTES]
    if not data.startswith(_MAGIC) or len(body) < _HEAD_BYTES or _checked(body) != data:
        raise _damaged()
    head, sealed = body[:_HEAD_BYTES], body[_HEAD_BYTES:]
    try:
        plain = open_sealed(_key(passphrase, head), _NONCE, sealed, head)
    except PeerError as error:
        raise UserError("This is not the backup's passphrase.", ExitCode.LOCKED) from error
    try:
        return decode(plain, NodeBackup, BACKUP_LIMIT)
    except PeerError as error:
        raise _damaged() from error


def write_backup(file: Path, data: bytes) -> None:
    """All of it or nothing, for its owner alone. Raises UserError(CONFIGURATION) where something
    is already there."""
    if file.exists() or file.is_symlink():
        raise UserError(
            f"{file} is there already, and is not overwritten. Choose another name.",
            ExitCode.CONFIGURATION,
        )
    atomic_write(file, data)


def read_backup(file: Path) -> bytes:
    """Raises UserError(SECURITY_STOP) for more than a backup can have."""
    with file.open("rb") as opened:
        data = opened.read(BACKUP_LIMIT + 1)
    if len(data) > BACKUP_LIMIT:
        raise _damaged()
    return data


def restore_backup(backup: NodeBackup, path: Path) -> None:
    """Makes the directory `path` of it, all at once: written beside its place, then renamed.

    Raises UserError(CONFIGURATION) unless nothing is there, or an empty directory.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(
            f"{path} is there already, and not empty. Choose another directory.",
            ExitCode.CONFIGURATION,
        )
    path = path.resolve()  # a service manager may have put a link in its place
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.restoring")
    beside.mkdir(mode=0o700)
    make_private_folder(beside)
    contents = {
        SIGNING_KEY_FILE: backup.signing_key,
        LINK_KEY_FILE: backup.link_key,
        SETTINGS_FILE: backup.settings,
        NETWORK_FILE: backup.network,
        PUBLIC_FILE: backup.public,
        DIRECTORY_STATE_FILE: backup.directory_state,
    }
    try:
        for name, content in contents.items():
            if content:
                atomic_write(beside / name, content)
        open_node_directory(beside, backup.role)
        beside.rename(path)
    except BaseException:
        for name in contents:
            (beside / name).unlink(missing_ok=True)
        beside.rmdir()
        raise
    sync_folder(path.parent)


def _key(passphrase: str, head: bytes) -> bytes:
    secret = unicodedata.normalize("NFC", passphrase).encode()
    salt = head[len(_MAGIC) :]
    return derive(Label.NODE_BACKUP, _KEY_BYTES, password_key(secret, salt, _MEMORY_KIB, _PASSES))


def _checked(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big")


def _damaged() -> UserError:
    return UserError(
        "This is not a backup of a node as it was written: it is cut off, changed or something "
        "else. Nothing of it has been restored. Take another copy.",
        ExitCode.SECURITY_STOP,
    )
