"""Every limit of a provider, in one place. Spec: docs/spec/mailbox.md (Limits).

What an operator may change is in `Limits`; the rest are the protocol's constants.
"""

from dataclasses import dataclass

TICK_SECONDS = 0.05  # one commit and all answers owed a tick
REDELIVERY_SECONDS = 30.0  # an item handed out and not deleted is handed out again
LIVE_INBOXES = 2  # the newest two that an account registered: new and old
LIVE_GRACE_HOURS = 30 * 24  # the older of the two works for so long after the newer came
INVITATION_INBOXES = 32
INVITATION_LIFETIME_HOURS = 30 * 24  # at most
INVITATION_ITEMS = 8  # an invitation's answer is one message in few fragments
ANSWER_INBOXES = 32  # one-time inboxes of the control fields, the newest of each account
CLOSED_INBOXES = 30  # ids that no other account may take, the newest of each account
CLOSED_HOURS = 30 * 24
INBOX_ROWS = LIVE_INBOXES + INVITATION_INBOXES + CLOSED_INBOXES
ITEM_HOURS = 30 * 24
TOMBSTONE_HOURS = 15 * 24  # a sender's retries end after 14 days
ACCOUNT_IDLE_HOURS = 90 * 24  # an account that nobody used for so long is removed
ACCOUNT_UNUSED_HOURS = 48  # one that never registered an inbox is removed so soon
EXPIRY_SLACK_HOURS = 3  # so that a clock that steps by two hours loses nothing early
BUCKET_DEPTH = 128
BUCKET_RATE_FACTOR = 1.1
# Of one session; beyond them it is closed. Each answer costs its making and each operation some
# writes, so these bound for how long one account keeps a tick from everyone else.
FRAMES_A_TICK = 160  # a whole bucket, and what a stalled line brings beside it
OPERATIONS_A_TICK = 8  # on inboxes
UNSENT_FRAMES = 64  # that wait for one client; 2,048 who read nothing then cost about 1 GiB
RECOVERY_SECONDS = 10.0  # how often a provider without room looks for room
EXPIRY_ROWS = 500  # a pass of the hourly cleaning, so that a tick stays short


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator may set. Every item has the same size, so counts bound bytes."""

    accounts: int = 10_000
    sessions: int = 2_048
    items_per_account: int = 4_096
    tombstones_per_account: int = 400_000  # 15 days of own loops, and half as many others
