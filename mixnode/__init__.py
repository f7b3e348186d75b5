"""Mix nodes: the door of `mixnode`. Spec: docs/spec/mixing.md."""

from mixnode.counters import Counters
from mixnode.events import (
    Arrived,
    ConsensusChanged,
    DeliverPayload,
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

__all__ = [
    "Arrived",
    "ConsensusChanged",
    "Counters",
    "DeliverPayload",
    "EraseKeys",
    "KeySchedule",
    "LogTags",
    "MixCore",
    "MixEffect",
    "MixEvent",
    "MixLimits",
    "SendPacket",
    "TagsSynced",
]
