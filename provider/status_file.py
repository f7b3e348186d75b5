"""`provider-status.json`: what a provider says of its mailboxes, every few seconds and in steps.

The rest of its status is a node's (`status.json`). Spec: docs/spec/mailbox.md (Status).
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from hushmill.runtime import now

STATUS_FILE = "provider-status.json"
STATUS_SECONDS = 3.0
STALE_SECONDS = 4 * STATUS_SECONDS
STEP = 50  # figures are rounded down to this, so that no single person or item shows


class MailboxStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`is_full`: no room, so deposits and new accounts are refused, while people still delete."""

    written_at: int
    is_full: bool
    accounts: int
    sessions: int
    items: int

    def record(self) -> dict[str, object]:
        """For machines."""
        return {
            "full": self.is_full,
            "accounts": self.accounts,
            "sessions": self.sessions,
            "items": self.items,
        }

    def text(self) -> str:
        """For people."""
        lines = [
            f"  accounts {self.accounts}, sessions {self.sessions}, stored items {self.items}"
            f" (in steps of {STEP})"
        ]
        if self.is_full:
            lines.insert(
                0,
                "  NO ROOM: new mail and new accounts are refused; people can still read and "
                "delete.\n  Free disk space, or raise store_mib in provider.toml and restart.",
            )
        return "\n".join(lines)


def rounded(count: int) -> int:
    return count // STEP * STEP


def write_mailbox_status(directory: Path, status: MailboxStatus) -> bool:
    """Whether it could be written; all or nothing for whoever reads it.

    A disk without room for a second file gets it over the first, whose block is ours. If that fails
    too, the last one stays as it is: a status is never worth the mailboxes' process.
    """
    data = msgspec.json.encode(status)
    file, fresh = directory / STATUS_FILE, directory / f"{STATUS_FILE}.new"
    try:
        fresh.write_bytes(data)
        fresh.replace(file)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        return _write_over(file, data)
    return True


def _write_over(file: Path, data: bytes) -> bool:
    """In one write of less than a block; spaces, which JSON ignores, cover a longer old one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        padded = data.ljust(os.fstat(descriptor).st_size)
        return os.pwrite(descriptor, padded, 0) == len(padded)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def read_mailbox_status(directory: Path) -> MailboxStatus | None:
    """The last status of a running provider; None when there is none that is fresh."""
    try:
        data = (directory / STATUS_FILE).read_bytes()
        status = msgspec.json.decode(data, type=MailboxStatus)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return status if now() - status.written_at <= STALE_SECONDS else None
