"""A node's directory on disk: made by `init`, examined by `check`, opened by `run`.

    node.toml         what the operator may change (NodeSettings)
    node-public.toml  what the operator hands out, to be put in the genesis
    signing.key       64 bytes: signs descriptors; the genesis has its public half
    link.key          32 bytes: the key of its links; the genesis has its hash
    network.toml      the genesis, put there afterwards
    keys/             packet keys and replay logs, by epoch
    directory.state   which documents it has seen
    node.lock         held while it runs

Mixes and providers have the same. Spec: docs/spec/mixing.md (Directory of a node).
"""

import json
import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hushmill.crypto import SigningKey
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NodeNumber
from hushmill.packet import packet_format
from hushmill.parameters import Parameters
from hushmill.runtime import (
    LinkIdentity,
    atomic_write,
    load_configuration,
    make_private_folder,
    parse_configuration,
    read_secret,
)
from mixnode.limits import HELD_OVERHEAD_BYTES, PACKETS_PER_SECOND, TAGS_PER_KEY, MixLimits
from pki import (
    NETWORK_FILE,
    Genesis,
    GenesisNode,
    read_genesis,
    read_node_public,
    write_node_public,
)

Role = Literal["mix", "provider"]
SETTINGS_FILE = "node.toml"
PUBLIC_FILE = "node-public.toml"
SIGNING_KEY_FILE = "signing.key"
LINK_KEY_FILE = "link.key"
KEYS_FOLDER = "keys"
DIRECTORY_STATE_FILE = "directory.state"
SIGNING_KEY_BYTES = 64
WORKERS_LIMIT = 64
Workers = Literal["per_core"] | int
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`listen` is the address of this machine to listen on. `budget_mib` covers packets and replay
    tags; `replay_tags` is how many tags each of two keys may have. `workers` is how many
    processes open packets: one a core, or a number; with 0 the node's one process does it.
    `link_packets_per_second` is what each neighbour may send, a second's worth at once.
    `metrics_listen` is where Prometheus may ask, on this machine alone; "" is nowhere."""

    listen: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f:.]{2,45}\Z")]
    budget_mib: Annotated[int, msgspec.Meta(ge=16, le=1 << 20)] = 512
    replay_tags: Annotated[int, msgspec.Meta(ge=1000, le=10**9)] = TAGS_PER_KEY
    workers: Literal["per_core"] | Annotated[int, msgspec.Meta(ge=0, le=WORKERS_LIMIT)] = "per_core"
    link_packets_per_second: Annotated[int, msgspec.Meta(ge=1, le=10**6)] = PACKETS_PER_SECOND
    metrics_listen: Annotated[
        str, msgspec.Meta(pattern=rf"^(|127(\.{_OCTET}){{3}}:{_PORT}|\[::1\]:{_PORT})\Z")
    ] = ""

    def limits(self) -> MixLimits:
        """Raises UserError when the tags leave no room for packets."""
        budget = self.budget_mib * 2**20
        budget -= MixLimits.intake_bytes(budget)
        if budget <= MixLimits.tags_bytes(self.replay_tags):
            raise UserError(
                f"{SETTINGS_FILE}: budget_mib = {self.budget_mib} does not cover "
                f"replay_tags = {self.replay_tags}. Raise the one or lower the other.",
                ExitCode.CONFIGURATION,
            )
        return MixLimits(budget_bytes=budget, tags_per_key=self.replay_tags)

    def intake_packets(self, packet_bytes: int) -> int:
        """How many packets may wait to be opened."""
        room = MixLimits.intake_bytes(self.budget_mib * 2**20)
        return room // (packet_bytes + HELD_OVERHEAD_BYTES)

    def worker_count(self) -> int:
        """How many processes open packets beside the node's own: one for each core that this
        process may use, but none where that is one, since two would only take turns on it."""
        if self.workers == "per_core":
            cores = len(os.sched_getaffinity(0))
            return min(cores, WORKERS_LIMIT) if cores > 1 else 0
        return self.workers


@dataclass(frozen=True, slots=True)
class NodeDirectory:
    """An opened directory, checked against its genesis."""

    path: Path
    settings: NodeSettings
    genesis: Genesis
    entry: GenesisNode
    signing_key: SigningKey
    identity: LinkIdentity

    @property
    def number(self) -> NodeNumber:
        return self.entry.number


def create_node_directory(
    path: Path,
    *,
    number: int,
    name: str,
    operator: str,
    role: Role,
    layer: int,
    host: str,
    port: int,
    client_port: int = 0,
    listen: str | None = None,
    workers: Workers = "per_core",
    replay_tags: int = TAGS_PER_KEY,
    link_packets_per_second: int = PACKETS_PER_SECOND,
) -> GenesisNode:
    """The node's entry for the genesis; its secrets and settings are now in `path`.

    `layer` counts from 1 for mixes and is 0 for providers, which alone have a `client_port`.
    `listen` is `host` where it is not given. Raises UserError(CONFIGURATION) for a wrong value and
    when the directory holds a node already: keys are never replaced.
    """
    if (path / SIGNING_KEY_FILE).exists() or (path / SETTINGS_FILE).exists():
        raise UserError(
            f"{path} holds a node already. Choose another directory.", ExitCode.CONFIGURATION
        )
    if (role == "mix") != (layer > 0) or (role == "provider") != (client_port > 0):
        raise UserError(
            "A mix has a layer, from 1, and no client port; a provider has a client port and no "
            "layer.",
            ExitCode.CONFIGURATION,
        )
    if listen is None and not _is_address(host):
        raise UserError(
            f"{host} is a name, and a node listens on an address: give --listen with an address of "
            "this machine (0.0.0.0 is every one).",
            ExitCode.CONFIGURATION,
        )
    settings = _settings_text(listen or host, workers, replay_tags, link_packets_per_second)
    make_private_folder(path)
    signing_key = SigningKey.generate()
    identity = LinkIdentity.load_or_create(path / LINK_KEY_FILE)
    entry = GenesisNode(
        number=NodeNumber(number),
        name=name,
        operator=operator,
        role=role,
        layer=layer,
        host=host,
        port=port,
        client_port=client_port,
        verify_key=signing_key.public.raw,
        key_hash=identity.key_hash,
    )
    public = write_node_public(entry)
    read_node_public(public)  # its fields' limits are checked by reading
    atomic_write(path / SIGNING_KEY_FILE, signing_key.raw)
    atomic_write(path / PUBLIC_FILE, public, mode=0o644)
    atomic_write(path / SETTINGS_FILE, settings)
    return entry


def install_network(path: Path, network: bytes) -> Genesis:
    """The genesis in `network`, whose signatures held, now in the directory's network.toml.

    Raises UserError as `read_genesis` does, NOT_FOUND without a directory, CONFIGURATION where the
    network does not name the node whose keys are there, and SECURITY_STOP where another network's
    file is already there: a node keeps to its network.
    """
    genesis = read_genesis(network)
    require_directory(path)
    there = path / NETWORK_FILE
    if there.exists() and read_genesis(there.read_bytes()).network_id != genesis.network_id:
        raise UserError(
            f"{there} is of another network. A node keeps to its network: make a new directory.",
            ExitCode.SECURITY_STOP,
        )
    if (path / SIGNING_KEY_FILE).exists() and (path / LINK_KEY_FILE).exists():
        signing_key = SigningKey.from_raw(_read_signing_key(path / SIGNING_KEY_FILE))
        _entry(genesis, signing_key, LinkIdentity.load(path / LINK_KEY_FILE))
    atomic_write(there, network, mode=0o644)
    return genesis


def require_directory(path: Path) -> None:
    """Raises UserError(NOT_FOUND) where nothing has been made."""
    if not path.is_dir():
        raise UserError(f"{path} is not a directory. Run `init` first.", ExitCode.NOT_FOUND)


def open_node_directory(path: Path, role: Role) -> NodeDirectory:
    """Raises UserError that names what is missing or wrong."""
    require_directory(path)
    settings = load_configuration(path / SETTINGS_FILE, NodeSettings)
    settings.limits()
    try:
        signing_key = SigningKey.from_raw(_read_signing_key(secret_file(path, SIGNING_KEY_FILE)))
        identity = LinkIdentity.load(secret_file(path, LINK_KEY_FILE))
        network = (path / NETWORK_FILE).read_bytes()
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} is missing. Keys come from `init` and network.toml from your "
            "network's authorities.",
            ExitCode.CONFIGURATION,
        ) from error
    genesis = read_genesis(network)
    require_pool_room(genesis.parameters, settings.limits())
    entry = _entry(genesis, signing_key, identity)
    if entry.role != role:
        raise UserError(
            f"The network knows this node as a {entry.role}, not a {role}. "
            f"Use `hushmill {entry.role}`.",
            ExitCode.CONFIGURATION,
        )
    return NodeDirectory(path, settings, genesis, entry, signing_key, identity)


def secret_file(path: Path, name: str) -> Path:
    """Where the key `name` of the node in `path` is: what systemd hands to the process as a
    credential (systemd.exec(5), LoadCredentialEncrypted=) comes before the directory's own."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / name).exists():
        return Path(credentials) / name
    return path / name


def require_pool_room(parameters: Parameters, limits: MixLimits) -> None:
    """Raises UserError(CONFIGURATION) for a budget in which the network's pool would take more than
    half of what held packets may: a pool that never fills lets nothing out."""
    if parameters.mixing != "timed_pool":
        return
    packet_bytes = packet_format(parameters).geometry.packet_bytes
    needed = 2 * parameters.pool_packets * (packet_bytes + HELD_OVERHEAD_BYTES)
    if needed > limits.held_bytes:
        raise UserError(
            f"{SETTINGS_FILE}: budget_mib leaves {limits.held_bytes / 2**20:.1f} MiB for packets, "
            f"and this network's pool of {parameters.pool_packets} needs {needed / 2**20:.1f} MiB. "
            "Raise budget_mib or lower replay_tags.",
            ExitCode.CONFIGURATION,
        )


def _read_signing_key(file: Path) -> bytes:
    raw = read_secret(file, SIGNING_KEY_BYTES)
    if len(raw) != SIGNING_KEY_BYTES:
        raise UserError(
            f"{file} is cut off, so the node has lost its key. Restore the file from a backup.",
            ExitCode.SECURITY_STOP,
        )
    return raw


def _entry(genesis: Genesis, signing_key: SigningKey, identity: LinkIdentity) -> GenesisNode:
    """The genesis' entry of the owner of both keys."""
    for node in genesis.nodes:
        if node.verify_key == signing_key.public.raw:
            if node.key_hash != identity.key_hash:
                raise UserError(
                    f"{LINK_KEY_FILE} is not the key that the network has for node {node.number}.",
                    ExitCode.CONFIGURATION,
                )
            return node
    raise UserError(
        f"{NETWORK_FILE} does not name this node: give {PUBLIC_FILE} to the network's authorities "
        "before they sign.",
        ExitCode.CONFIGURATION,
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _settings_text(
    listen: str, workers: Workers, replay_tags: int, link_packets_per_second: int
) -> bytes:
    """Raises UserError when `listen` is not an address."""
    defaults = NodeSettings(
        listen=listen,
        workers=workers,
        replay_tags=replay_tags,
        link_packets_per_second=link_packets_per_second,
    )
    text = (
        "# The address of this machine to listen on; the port stands in network.toml.\n"
        f'listen = "{defaults.listen}"\n'
        "# Memory for held packets and replay tags together, and the tags a key may have.\n"
        f"budget_mib = {defaults.budget_mib}\n"
        f"replay_tags = {defaults.replay_tags}\n"
        '# Processes that open packets: "per_core", or a number; 0 on a small shared machine.\n'
        f"workers = {json.dumps(workers)}\n"
        "# What one neighbour may send; more is dropped before it costs anything.\n"
        f"link_packets_per_second = {defaults.link_packets_per_second}\n"
        '# Where Prometheus may ask on this machine, "127.0.0.1:9100" say; "" is nowhere.\n'
        'metrics_listen = ""\n'
    ).encode()
    parse_configuration(text, NodeSettings, f"{SETTINGS_FILE} (listen, or host)")
    return text
