"""`provider-status.json`: what a provider says of its mailboxes, every few seconds and in steps.

The rest of its status is a node's (`status.json`). Spec: docs/spec/mailbox.md (Status).
"""

from pathlib import Path

import msgspec

from hushmill.runtime import now, write_status_file

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
    """Whether it could be written; on a full disk it may not."""
    return write_status_file(directory / STATUS_FILE, msgspec.json.encode(status))


def read_mailbox_status(directory: Path) -> MailboxStatus | None:
    """The last status of a running provider; None when there is none that is fresh."""
    try:
        data = (directory / STATUS_FILE).read_bytes()
        status = msgspec.json.decode(data, type=MailboxStatus)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return status if now() - status.written_at <= STALE_SECONDS else None
