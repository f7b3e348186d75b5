"""Every reason for which something is dropped; each drop is counted under exactly one."""

from enum import StrEnum


class Drop(StrEnum):
    """Reasons as they stand in counters. A packet's cryptographic failures share one reason, so
    that nobody outside can tell a bad MAC from a bad command."""

    # packets
    PACKET = "packet"  # anything wrong inside a packet: size, version, KEM, MAC, command, tag
    KEY_EPOCH = "key_epoch"  # no key for the packet's epoch byte
    REPLAY = "replay"
    REPLAY_FULL = "replay_full"  # the epoch's replay table is at its limit
    RATE = "rate"  # above the token bucket of its link, or of its account
    DELAY = "delay"  # longer than the cap
    NO_ROUTE = "no_route"  # next node is not in the consensus, or not allowed from here
    OVERFLOW = "overflow"  # byte budget of the link
    NOT_OWN_LOOP = "not_own_loop"  # delivered to a mix, which has no mailboxes
    LINK_DOWN = "link_down"  # its next link was down when it fell due
    SHUTDOWN = "shutdown"

    # links
    FRAME = "frame"  # wrong size, command or field in a frame
    HANDSHAKE = "handshake"  # TLS version, group, pin, deadline
    DEADLINE = "deadline"  # a read took too long
    BUSY = "busy"  # too many connections

    # mailboxes
    NO_INBOX = "no_inbox"  # unknown, expired or full inbox: drop cover ends here
    QUOTA = "quota"
    NO_ROOM = "no_room"  # the disk is full: people can still delete
    ACCOUNT = "account"  # account refused

    # clients
    UNKNOWN_SENDER = "unknown_sender"  # no contact's key opens it
    DUPLICATE = "duplicate"
    SESSION = "session"  # the ratchet refused it
    INVITATION = "invitation"  # used, expired or unknown

    # directory
    DOCUMENT = "document"  # not a valid document, vote or descriptor
    STALE = "stale"  # older than what is known
