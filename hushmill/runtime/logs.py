"""Logs that cannot name a person, a mailbox, a packet or a peer.

A log line is its constant message and the extra fields listed here; whatever else a caller adds,
`%` arguments and the texts of exceptions among them, is not written:

    log.warning("document refused", extra={"reason": drop, "epoch": epoch})
"""

import logging
import sys
import traceback
from types import TracebackType

ALLOWED_FIELDS = (
    "count",
    "epoch",
    "exit_code",
    "layer",
    "reason",
    "role",
    "seconds",
    "state",
    "version",
)


class FieldFormatter(logging.Formatter):
    """`time LEVEL logger: message key=value …`, and for an exception its type and where it was."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(
            f" {name}={getattr(record, name)}" for name in ALLOWED_FIELDS if hasattr(record, name)
        )
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        # Not getMessage(): the arguments of a `%` message may be anything.
        line = f"{stamp} {record.levelname} {record.name}: {record.msg}{fields}"
        if record.exc_info and record.exc_info[0] is not None:
            line += _where(record.exc_info[0], record.exc_info[2])
        return line


def _where(kind: type[BaseException], trace: TracebackType | None) -> str:
    places = "".join(
        f"\n  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)
    )
    return f" exception={kind.__name__}{places}"


def configure_logging(level: str) -> None:
    """Sends everything of `level` ("debug" … "error") and above to stderr, by this formatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
