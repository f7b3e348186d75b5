"""What a mix allows itself. Tuning of one machine, not part of the protocol.

Spec: docs/spec/mixing.md (Budget).
"""

from dataclasses import dataclass

from hushmill.errors import UsageError
from mixnode.replay import table_bytes

HELD_OVERHEAD_BYTES = 1000  # measured (`bench node`): its objects, its places in heap and lists
KEYS_AT_ONCE = 2  # the current key, and its neighbour around a boundary
TICK_SECONDS = 0.005
TAGS_PER_KEY = 6_000_000  # 1,500 packets a second for an hour, and a tenth
PACKETS_PER_SECOND = 1_100  # of one link: in the life of a key three quarters of the tags
INTAKE_BYTES = 16 * 2**20  # half a second of what a core can open; less of a small budget


@dataclass(frozen=True, slots=True)
class MixLimits:
    """`budget_bytes` covers held packets and replay tags together; the tags' part is set aside
    from the start, so that a flood of tags cannot push packets out, nor packets tags."""

    budget_bytes: int = 512 * 2**20
    tags_per_key: int = TAGS_PER_KEY
    tick_seconds: float = TICK_SECONDS

    def __post_init__(self) -> None:
        if self.held_bytes <= 0 or self.tags_per_key < 1 or self.tick_seconds <= 0:
            raise UsageError("the budget does not cover the replay tags")

    @property
    def held_bytes(self) -> int:
        """What is left of the budget for held packets."""
        return self.budget_bytes - self.tags_bytes(self.tags_per_key)

    @staticmethod
    def intake_bytes(budget_bytes: int) -> int:
        """What packets that wait to be opened may take of a node's whole budget."""
        return min(INTAKE_BYTES, budget_bytes // 16)

    @staticmethod
    def tags_bytes(tags_per_key: int) -> int:
        """What the tables of all keys that are open at once take."""
        return KEYS_AT_ONCE * table_bytes(tags_per_key)
