"""What a run of the demo found: the record behind its table and its `--json`."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.demo.observer import ObserverReport


@dataclass(slots=True)
class Sent:
    """One message from being typed to being read. `delivered` counts how often it was shown."""

    sender: str
    receiver: str
    text: str
    bytes: int
    packets: int
    sent_at: float
    shown_at: list[float] = field(default_factory=list)

    @property
    def is_delivered(self) -> bool:
        """Shown exactly once."""
        return len(self.shown_at) == 1

    def record(self) -> dict[str, Any]:
        delay = round(self.shown_at[0] - self.sent_at, 2) if self.shown_at else None
        return {
            "from": self.sender,
            "to": self.receiver,
            "bytes": self.bytes,
            "packets": self.packets,
            "delay_s": delay,
            "delivered": self.is_delivered,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """`frames` and `bytes_on_wire` are of every link, TLS's own bytes not counted."""

    messages: list[Sent]
    file: Sent
    file_intact: bool
    in_order: bool
    observer: "ObserverReport"
    packets: dict[str, int]
    frames: int
    bytes_on_wire: int
    ready_seconds: float
    total_seconds: float
    memory_mib: float

    @property
    def ok(self) -> bool:
        everything = [*self.messages, self.file]
        return self.file_intact and self.in_order and all(sent.is_delivered for sent in everything)

    def record(self) -> dict[str, Any]:
        """The object of `hushmill demo --json`, without its version."""
        return {
            "ok": self.ok,
            "messages": [sent.record() for sent in self.messages],
            "file": {**self.file.record(), "intact": self.file_intact},
            "in_order": self.in_order,
            "observer": asdict(self.observer),
            "packets": self.packets,
            "frames": self.frames,
            "bytes_on_wire": self.bytes_on_wire,
            "ready_s": round(self.ready_seconds, 1),
            "total_s": round(self.total_seconds, 1),
            "memory_mib": round(self.memory_mib),
        }
