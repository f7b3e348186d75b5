"""What `check` looks at before a node is run. Spec: docs/spec/mixing.md (Directory of a node)."""

import errno
import os
import socket
from pathlib import Path

from hushmill.errors import ExitCode, UserError
from mixnode.node_directory import (
    NodeDirectory,
    Role,
    open_node_directory,
)
from mixnode.node_lock import lock_node_directory


def check_node(path: Path, role: Role) -> NodeDirectory:
    """The directory, in which nothing was found wrong. Raises UserError for the first thing that
    is: a wrong or unknown setting, a key that others can read, a genesis that is not signed or
    does not name this node, a port that is taken or not this machine's."""
    directory = open_node_directory(path, role)
    if path.stat().st_mode & 0o077:
        raise UserError(f"{path} is open to others. Run: chmod 700 {path}", ExitCode.PERMISSION)
    try:
        lock = lock_node_directory(path)
    except UserError:
        return directory  # it is running, and so has its ports
    try:
        _check_port(directory.settings.listen, directory.entry.port, "port")
        if role == "provider":
            _check_port(directory.settings.listen, directory.entry.client_port, "client_port")
    finally:
        os.close(lock)
    return directory


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
