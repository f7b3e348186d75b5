"""Fresh packet keys for a stopped node. Spec: docs/spec/mixing.md (Keys)."""

import os
from pathlib import Path

from hushmill.identifiers import Epoch
from hushmill.packet import packet_format
from mixnode.key_schedule import KeySchedule
from mixnode.node_directory import KEYS_FOLDER, Role, open_node_directory
from mixnode.node_keys import NodeKeys
from mixnode.node_lock import lock_node_directory


def rotate_keys(path: Path, role: Role, now: float) -> int:
    """How many packet keys were destroyed, with their logs; those that a descriptor made at `now`
    carries are there anew. Raises UserError(LOCKED) while the node runs."""
    directory = open_node_directory(path, role)
    lock = lock_node_directory(path)
    try:
        kem = packet_format(directory.genesis.parameters).geometry.kem
        keys = NodeKeys(path / KEYS_FOLDER, kem, directory.number)
        old = keys.epochs
        if old:
            keys.erase_before(Epoch(old[-1] + 1))
        keys.make(KeySchedule(directory.genesis.parameters).published(now))
        keys.close()
    finally:
        os.close(lock)
    return len(old) + len(keys.destroyed)
