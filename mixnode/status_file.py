"""`status.json`: what a node says of itself, every few seconds and in steps.

Spec: docs/spec/mixing.md (Counters). Read by `status` and by launchers.
"""

import logging
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import now, write_status_file

_log = logging.getLogger(__name__)
STATUS_FILE = "status.json"
STATUS_SECONDS = 3.0
ALARM_WORDS = (
    "ALARM: fewer of this mix's own loops come back than the network's loss allows. Somebody may\n"
    "be dropping packets, to single out those that are left. The mix goes on as before. If its\n"
    "line and its clock are well, tell the network's authorities."
)
STALE_SECONDS = 4 * STATUS_SECONDS
NodeState = Literal["running", "draining", "ended"]


class NodeStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`epoch` is the document's in force, None with none; `alarm` is the n-1 alarm; counters are
    rounded down. With "ended" it is the last one that a process wrote which ended as it was told.
    """

    state: NodeState
    role: str
    written_at: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
    epoch: int | None
    links_up: int
    links_wanted: int
    alarm: bool
    counters: dict[str, int]

    def record(self) -> dict[str, object]:
        """For machines."""
        return {
            "ok": True,
            "state": self.state,
            "role": self.role,
            "epoch": self.epoch,
            "links_up": self.links_up,
            "links_wanted": self.links_wanted,
            "alarm": self.alarm,
            "counters": self.counters,
        }

    def text(self) -> str:
        """For people: the counters that are not zero, a line each."""
        epoch = "no document in force" if self.epoch is None else f"document of epoch {self.epoch}"
        state = "" if self.state == "running" else f" ({self.state})"
        lines = [f"{self.role}{state}: {epoch}, {self.links_up} of {self.links_wanted} links up"]
        if self.alarm:
            lines.append(ALARM_WORDS)
        lines += [f"  {name} {count}" for name, count in self.counters.items() if count]
        return "\n".join(lines)


class StatusWriter:
    """Writes a node's status. On a full disk the last one may stay, which is said once."""

    __slots__ = ("_has_failed", "_path")

    def __init__(self, directory: Path) -> None:
        self._path = directory / STATUS_FILE
        self._has_failed = False

    def write(self, status: NodeStatus) -> None:
        """Not synced: after a power cut it would be stale."""
        is_written = write_status_file(self._path, msgspec.json.encode(status))
        if not is_written and not self._has_failed:
            _log.error("the status cannot be written: is the disk full?")
        self._has_failed = not is_written


def read_status(directory: Path) -> NodeStatus:
    """The last status of a running node. Raises UserError(DAEMON_DOWN) when there is none, or when
    it is so old that the node cannot be running; what a node said when it ended goes with it."""
    status = last_status(directory)
    if status is not None and status.state == "ended":
        raise UserError(
            f"The node is not running: it ended as it was told.\n{status.text()}",
            ExitCode.DAEMON_DOWN,
            status.record(),
        )
    if status is None or now() - status.written_at > STALE_SECONDS:
        raise UserError(
            "The node is not running. Start it with the command `run` of its role.",
            ExitCode.DAEMON_DOWN,
        )
    return status


def last_status(directory: Path) -> NodeStatus | None:
    """What the node said last, however long ago; None if it never did."""
    try:
        return msgspec.json.decode((directory / STATUS_FILE).read_bytes(), type=NodeStatus)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"{directory / STATUS_FILE} is damaged. The node writes it anew while it runs.",
            ExitCode.DAEMON_DOWN,
        ) from error
