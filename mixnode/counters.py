"""What a node counts, and the coarse form in which it says it.

Spec: docs/spec/mixing.md (Counters). No identifier of a packet, person or peer is in here.
"""

from collections import Counter

from hushmill.drops import Drop

STEP = 50  # published figures are rounded down to this, so that no single packet shows


class Counters:
    """Exact inside the process; only `rounded` leaves it."""

    __slots__ = (
        "delivered",
        "drops",
        "loop_alarms",
        "loops_lost",
        "loops_returned",
        "loops_sent",
        "relayed",
    )

    def __init__(self) -> None:
        self.relayed = 0
        self.delivered = 0
        self.loops_sent = 0
        self.loops_returned = 0
        self.loops_lost = 0
        self.loop_alarms = 0  # how often the n-1 alarm rose
        self.drops: Counter[Drop] = Counter()

    def rounded(self) -> dict[str, int]:
        """Counts of packets rounded down to whole steps, drops under `drop_<reason>`; and how
        often the alarm rose."""
        exact = {
            "relayed": self.relayed,
            "delivered": self.delivered,
            "loops_sent": self.loops_sent,
            "loops_returned": self.loops_returned,
            "loops_lost": self.loops_lost,
        } | {f"drop_{reason.value}": self.drops[reason] for reason in Drop}
        rounded = {name: count // STEP * STEP for name, count in exact.items()}
        return rounded | {"loop_alarms": self.loop_alarms}  # few, and of no packet
