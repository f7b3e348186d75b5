"""What a provider's directory has beside a node's (mixnode): its settings and its mailboxes.

    provider.toml  what the operator may change (ProviderSettings); absent is all defaults
    mailboxes.db   accounts, inboxes, items, tombstones; -wal beside it is part of it
    reserve        8 MiB kept back, so that people can delete when the disk is full

Spec: docs/spec/mailbox.md (Directory of a provider).
"""

from pathlib import Path
from typing import Annotated

import msgspec

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import atomic_write, load_configuration
from mixnode import NodeDirectory, Workers, check_node, create_node_directory
from pki import GenesisNode
from provider.limits import Limits
from provider.store import MailboxStore, open_mailbox_store

SETTINGS_FILE = "provider.toml"
STORE_FILE = "mailboxes.db"
CODE_BYTES = 32
PAGES_A_MIB = 256  # of 4 KiB


class ProviderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`code` is 64 hexadecimal digits that a new account must show, or empty: then a proof of work
    opens one. The others are limits."""

    code: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    accounts: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 10_000
    sessions: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2_048
    items_per_account: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4_096
    store_mib: Annotated[int, msgspec.Meta(ge=16, le=1 << 24)] = 16_384

    def limits(self) -> Limits:
        return Limits(
            accounts=self.accounts,
            sessions=self.sessions,
            items_per_account=self.items_per_account,
        )

    def code_bytes(self) -> bytes | None:
        return bytes.fromhex(self.code) if self.code else None


def create_provider_directory(
    path: Path,
    *,
    number: int,
    name: str,
    operator: str,
    host: str,
    port: int,
    client_port: int,
    listen: str | None = None,
    code: bytes | None = None,
    workers: Workers = "per_core",
) -> GenesisNode:
    """The provider's entry for the genesis; secrets and settings are now in `path`.

    Raises UserError(CONFIGURATION) as `create_node_directory` does.
    """
    entry = create_node_directory(
        path,
        number=number,
        name=name,
        operator=operator,
        role="provider",
        layer=0,
        host=host,
        port=port,
        client_port=client_port,
        listen=listen,
        workers=workers,
    )
    atomic_write(path / SETTINGS_FILE, _settings_text(code))
    return entry


def load_settings(path: Path) -> ProviderSettings:
    """Raises UserError(CONFIGURATION) that names the wrong key."""
    file = path / SETTINGS_FILE
    return load_configuration(file, ProviderSettings) if file.exists() else ProviderSettings()


def open_store(path: Path, settings: ProviderSettings) -> MailboxStore:
    """The directory's mailboxes. Raises UserError as `open_mailbox_store` does."""
    return open_mailbox_store(path / STORE_FILE, settings.store_mib * PAGES_A_MIB)


def check_provider(path: Path) -> NodeDirectory:
    """The directory, in which nothing was found wrong; of a provider that is not running the whole
    store is read. Raises UserError for the first thing that is wrong."""
    directory = check_node(path, "provider").directory
    settings = load_settings(path)
    if not (path / STORE_FILE).exists():
        return directory
    try:
        store = open_store(path, settings)
    except UserError as error:
        if error.exit_code is ExitCode.LOCKED:
            return directory  # it is running
        raise
    try:
        if not store.is_sound():
            raise UserError(
                f"{path / STORE_FILE} is damaged. Restore it from a backup, or move it away: "
                "accounts and mail in it are then lost.",
                ExitCode.SECURITY_STOP,
            )
    finally:
        store.close()
    return directory


def _settings_text(code: bytes | None) -> bytes:
    defaults = ProviderSettings(code="" if code is None else code.hex())
    return (
        "# What a new account must show: 64 hexadecimal digits, or nothing, and then a proof of\n"
        "# work opens one.\n"
        f'code = "{defaults.code}"\n'
        "# The most there may be of each, and the size of mailboxes.db.\n"
        f"accounts = {defaults.accounts}\n"
        f"sessions = {defaults.sessions}\n"
        f"items_per_account = {defaults.items_per_account}\n"
        f"store_mib = {defaults.store_mib}\n"
    ).encode()
