"""What `check` looks at before a node is run. Spec: docs/spec/mixing.md (Directory of a node)."""

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import REPLAY_TAG_BYTES
from hushmill.runtime import ListenerLimits, now, require_descriptors
from mixnode.limits import KEYS_AT_ONCE
from mixnode.metrics import require_metrics_library
from mixnode.node_directory import (
    DIRECTORY_STATE_FILE,
    KEYS_FOLDER,
    NodeDirectory,
    Role,
    open_node_directory,
)
from mixnode.node_lock import LOCK_FILE, lock_node_directory
from mixnode.replay_log import log_bytes
from pki import DocumentKeeper, epoch_at

LOAD_TAGS_PER_SECOND = 400_000  # that a start reads from its logs: docs/spec/mixing.md (Replay)


@dataclass(frozen=True, slots=True)
class Checked:
    """A directory in which nothing was found wrong, and what is worth knowing of it."""

    directory: NodeDirectory
    is_running: bool
    logged_bytes: int  # of replay logs
    disk_needed_bytes: int  # what its replay logs may still grow by

    @property
    def start_seconds(self) -> float:
        """How long a start reads the replay logs."""
        return self.logged_bytes / REPLAY_TAG_BYTES / LOAD_TAGS_PER_SECOND


def check_node(path: Path, role: Role) -> Checked:
    """Raises UserError for the first thing that is wrong, which says how it is mended."""
    directory = open_node_directory(path, role)
    _check_privacy(path)
    _check_memory(directory.settings.budget_mib)
    check_document_times(directory, now())
    logged = sum(log.stat().st_size for log in (path / KEYS_FOLDER).glob("*.tags"))
    needed = _disk_needed(directory, logged)
    check_disk(path, needed)
    try:
        lock = lock_node_directory(path)
    except UserError:
        return Checked(directory, True, logged, needed)  # and so it has its ports and files
    try:
        listeners = 2 if role == "provider" else 1
        require_descriptors(listeners * ListenerLimits().connections)
        _check_port(directory.settings.listen, directory.entry.port, "port")
        _check_metrics(directory.settings.metrics_listen)
        if role == "provider":
            _check_port(directory.settings.listen, directory.entry.client_port, "client_port")
    finally:
        os.close(lock)
    return Checked(directory, False, logged, needed)


def _check_metrics(metrics_listen: str) -> None:
    if metrics_listen:
        require_metrics_library()
        host, _, port = metrics_listen.rpartition(":")
        _check_port(host.strip("[]"), int(port), "metrics_listen")


def _check_privacy(path: Path) -> None:
    """Keys of links and of signing are checked where they are read."""
    if path.stat().st_mode & 0o077:
        raise UserError(f"{path} is open to others. Run: chmod 700 {path}", ExitCode.PERMISSION)
    for each in _secrets(path):
        status = each.stat()
        if status.st_mode & 0o077:
            mode = "700" if each.is_dir() else "600"
            raise UserError(
                f"{each} is open to others. Run: chmod {mode} {each}", ExitCode.PERMISSION
            )
        if status.st_uid != path.stat().st_uid:
            raise UserError(
                f"{each} has another owner than its directory, so the node could not use it. "
                f"Run: chown -R --reference={path} {path}/",
                ExitCode.PERMISSION,
            )


def _secrets(path: Path) -> Iterator[Path]:
    folder = path / KEYS_FOLDER
    if folder.is_dir():
        yield folder
        yield from sorted(folder.iterdir())
    if (path / LOCK_FILE).exists():
        yield path / LOCK_FILE


def _check_memory(budget_mib: int) -> None:
    budget = budget_mib * 2**20
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if budget > memory * 3 // 4:
        most = memory * 3 // 4 // 2**20
        raise UserError(
            f"node.toml: budget_mib = {budget_mib} is more than three quarters "
            f"of this machine's memory. Lower it to {most} or less, and replay_tags with it.",
            ExitCode.CONFIGURATION,
        )


def check_document_times(directory: NodeDirectory, at: float) -> None:
    """No document is of a later epoch than the next: one that is shows that the clock is slow (or
    was fast when the document came)."""
    state = directory.path / DIRECTORY_STATE_FILE
    keeper = DocumentKeeper(directory.genesis, state.read_bytes() if state.exists() else None)
    parameters = directory.genesis.parameters
    newest = keeper.newest
    here = epoch_at(at, parameters)
    if newest is not None and newest.epoch > here + 1:
        behind = (newest.epoch - here) * parameters.epoch_seconds
        raise UserError(
            f"The clock is about {behind / 3600:.0f} hours behind: the node has a document of a "
            "time that is still to come. Set the clock (timedatectl set-ntp true).",
            ExitCode.CONFIGURATION,
        )


def _disk_needed(directory: NodeDirectory, logged: int) -> int:
    """By which the logs of the keys that are open at once may still grow, at their fullest."""
    parameters = directory.genesis.parameters
    open_seconds = parameters.epoch_seconds + 4 * parameters.skew_seconds
    limits = directory.settings.limits()
    batches = min(limits.tags_per_key, int(open_seconds / limits.tick_seconds))
    return max(0, KEYS_AT_ONCE * log_bytes(limits.tags_per_key, batches) - logged)


def check_disk(path: Path, needed: int) -> None:
    """Raises UserError unless `needed` bytes are free where `path` is."""
    disk = os.statvfs(path)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise UserError(
            f"{path} has {free // 2**20} MiB free and the replay logs may need "
            f"{needed // 2**20 + 1} MiB more. Make room, or lower replay_tags in node.toml.",
            ExitCode.CONFIGURATION,
        )


def _check_port(host: str, port: int, key: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                text = f'node.toml: listen = "{host}" is not an address of this machine.'
            else:
                text = f"{key} {port} cannot be opened on {host}: {error.strerror}."
            raise UserError(text, ExitCode.CONFIGURATION) from error
