"""An authority's folder: keys (0600), settings, the public file, the network's genesis.

signing.key  link.key  authority.toml  authority-public.toml  network.toml  authority.sqlite
"""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import msgspec

from hushmill.crypto import SigningKey
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.runtime import (
    LinkIdentity,
    atomic_write,
    load_configuration,
    make_private_folder,
    read_secret,
)
from pki.consensus import Consensus, verify_consensus
from pki.fields import HostField, LabelField, PortField
from pki.genesis import (
    NETWORK_FILE,
    AuthorityPublic,
    Genesis,
    GenesisSignature,
    read_genesis,
    sign_genesis,
    write_public,
)
from pki.store import newest_document

SIGNING_KEY_FILE = "signing.key"
LINK_KEY_FILE = "link.key"
SETTINGS_FILE = "authority.toml"
PUBLIC_FILE = "authority-public.toml"
DATABASE_FILE = "authority.sqlite"
STATUS_FILE = "status.json"
_SIGNING_KEY_BYTES = 64


class AuthoritySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`host` and `port` are what others connect to; `listen` is the local address."""

    name: LabelField
    host: HostField
    port: PortField
    listen: HostField


@dataclass(frozen=True, slots=True)
class AuthorityFolder:
    """Everything `run` needs, checked against each other."""

    path: Path
    settings: AuthoritySettings
    genesis: Genesis
    number: int
    key: SigningKey
    identity: LinkIdentity


def create_authority(
    folder: Path, name: str, host: str, port: int, listen: str | None = None
) -> AuthorityPublic:
    """Makes the folder with fresh keys; what it returns is also in `authority-public.toml`.

    Raises UserError(CONFIGURATION) for a folder that holds keys already or a wrong name or host.
    """
    try:
        settings = msgspec.convert(
            {"name": name, "host": host, "port": port, "listen": listen or _local(host)},
            AuthoritySettings,
        )
    except msgspec.ValidationError as error:
        raise UserError(
            f"This name, host or port cannot be: {error}", ExitCode.CONFIGURATION
        ) from error
    if (folder / SIGNING_KEY_FILE).exists():
        raise UserError(
            f"{folder} already holds an authority's keys. Choose another folder.",
            ExitCode.CONFIGURATION,
        )
    make_private_folder(folder)
    key = SigningKey.generate()
    atomic_write(folder / SIGNING_KEY_FILE, key.raw)
    identity = LinkIdentity.load_or_create(folder / LINK_KEY_FILE)
    public = AuthorityPublic(
        name=settings.name,
        host=settings.host,
        port=settings.port,
        verify_key=key.public.raw,
        key_hash=identity.key_hash,
    )
    lines = [
        f'name = "{settings.name}"',
        f'host = "{settings.host}"',
        f"port = {settings.port}",
        f'listen = "{settings.listen}"',
    ]
    atomic_write(folder / SETTINGS_FILE, "\n".join([*lines, ""]).encode())
    atomic_write(folder / PUBLIC_FILE, write_public(public), 0o644)
    return public


def sign_with_folder(folder: Path, genesis: Genesis) -> GenesisSignature:
    """This authority's signature over a genesis that names it. Raises UserError(CONFIGURATION)."""
    key = _signing_key(folder)
    return sign_genesis(genesis, _number_of(genesis, key), key)


def install_network(folder: Path, data: bytes) -> Genesis:
    """Checks the signed `network.toml` and puts it into the folder."""
    genesis = read_genesis(data)
    _number_of(genesis, _signing_key(folder))
    atomic_write(folder / NETWORK_FILE, data, 0o644)
    return genesis


def open_authority(folder: Path) -> AuthorityFolder:
    """Reads and checks the folder.

    Raises UserError: CONFIGURATION for a missing or wrong file, PERMISSION for an open key file,
    SECURITY_STOP for a damaged key or a forged genesis.
    """
    settings = load_configuration(folder / SETTINGS_FILE, AuthoritySettings)
    key = _signing_key(folder)
    genesis = read_network(folder / NETWORK_FILE)
    number = _number_of(genesis, key)
    try:
        identity = LinkIdentity.load(folder / LINK_KEY_FILE)
    except FileNotFoundError as error:
        raise _missing(folder / LINK_KEY_FILE) from error
    named = genesis.authorities[number]
    if named.key_hash != identity.key_hash:
        raise UserError(
            f"{folder / LINK_KEY_FILE} is not the key that the network file names.",
            ExitCode.CONFIGURATION,
        )
    if (named.host, named.port) != (settings.host, settings.port):
        raise UserError(
            f"{folder / SETTINGS_FILE}: host or port differ from the network file's "
            f"({named.host}:{named.port}).",
            ExitCode.CONFIGURATION,
        )
    return AuthorityFolder(folder, settings, genesis, number, key, identity)


def newest_document_in(folder: Path, genesis: Genesis) -> Consensus | None:
    """The newest document that the authority of this folder has published, verified; None where
    there is none yet. It only reads, also while the authority runs.

    Raises UserError(SECURITY_STOP) for a damaged database and a document that is not valid.
    """
    data = newest_document(folder / DATABASE_FILE, genesis.network_id)
    if data is None:
        return None
    try:
        return verify_consensus(genesis, data)
    except PeerError as error:
        raise UserError(
            f"{folder / DATABASE_FILE} holds a document that network {genesis.network} did not "
            "sign: do not use it.",
            ExitCode.SECURITY_STOP,
        ) from error


def read_network(path: Path) -> Genesis:
    """The genesis in a `network.toml`. Raises UserError."""
    try:
        return read_genesis(path.read_bytes())
    except FileNotFoundError as error:
        raise _missing(path) from error


def _signing_key(folder: Path) -> SigningKey:
    try:
        raw = read_secret(folder / SIGNING_KEY_FILE, _SIGNING_KEY_BYTES)
    except FileNotFoundError as error:
        raise _missing(folder / SIGNING_KEY_FILE) from error
    if len(raw) != _SIGNING_KEY_BYTES:
        raise UserError(
            f"{folder / SIGNING_KEY_FILE} is cut off. Restore it from a backup.",
            ExitCode.SECURITY_STOP,
        )
    return SigningKey.from_raw(raw)


def _number_of(genesis: Genesis, key: SigningKey) -> int:
    for authority in genesis.authorities:
        if authority.verify_key == key.public.raw:
            return authority.number
    raise UserError(
        "The network file does not name this authority's signing key.", ExitCode.CONFIGURATION
    )


def _local(host: str) -> str:
    """Where to listen for `host`: itself when it is an address, every address for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return "0.0.0.0"  # noqa: S104  # an authority is there for everybody


def _missing(path: Path) -> UserError:
    return UserError(f"{path} is missing.", ExitCode.CONFIGURATION)
