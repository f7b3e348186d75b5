"""Mix nodes: the door of `mixnode`. What needs Twisted or files is loaded when it is first used.

Spec: docs/spec/mixing.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mixnode.counters import Counters
from mixnode.events import (
    Arrived,
    ConsensusChanged,
    DeliverPayload,
    Drain,
    EraseKeys,
    LogTags,
    MixEffect,
    MixEvent,
    SendPacket,
    TagsSynced,
)
from mixnode.key_schedule import KeySchedule
from mixnode.limits import MixLimits
from mixnode.mix_core import MixCore
from mixnode.wire import wire_of

if TYPE_CHECKING:
    from mixnode.checks import check_node
    from mixnode.extension import NodeExtension, PlainMix
    from mixnode.intake import WaitingPacket
    from mixnode.node_directory import (
        PUBLIC_FILE,
        NodeDirectory,
        NodeSettings,
        Workers,
        create_node_directory,
        install_network,
        open_node_directory,
    )
    from mixnode.node_keys import NodeKeys
    from mixnode.service import NodeService, run_node
    from mixnode.status_file import NodeStatus, read_status
    from mixnode.unwrap_pool import WorkerUnwrap

__all__ = [
    "PUBLIC_FILE",
    "Arrived",
    "ConsensusChanged",
    "Counters",
    "DeliverPayload",
    "Drain",
    "EraseKeys",
    "KeySchedule",
    "LogTags",
    "MixCore",
    "MixEffect",
    "MixEvent",
    "MixLimits",
    "NodeDirectory",
    "NodeExtension",
    "NodeKeys",
    "NodeService",
    "NodeSettings",
    "NodeStatus",
    "PlainMix",
    "SendPacket",
    "TagsSynced",
    "WaitingPacket",
    "WorkerUnwrap",
    "Workers",
    "check_node",
    "create_node_directory",
    "install_network",
    "open_node_directory",
    "read_status",
    "run_node",
    "wire_of",
]

_HOMES = {
    "PUBLIC_FILE": "node_directory",
    "NodeDirectory": "node_directory",
    "NodeExtension": "extension",
    "NodeKeys": "node_keys",
    "NodeService": "service",
    "NodeSettings": "node_directory",
    "NodeStatus": "status_file",
    "PlainMix": "extension",
    "check_node": "checks",
    "WaitingPacket": "intake",
    "WorkerUnwrap": "unwrap_pool",
    "Workers": "node_directory",
    "create_node_directory": "node_directory",
    "install_network": "node_directory",
    "open_node_directory": "node_directory",
    "read_status": "status_file",
    "run_node": "service",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"mixnode.{_HOMES[name]}"), name)
    raise AttributeError(name)
