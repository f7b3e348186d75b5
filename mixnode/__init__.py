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
from mixnode.key_schedule import KeySchedule, check_key_grace
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
    "check_key_grace",
]
