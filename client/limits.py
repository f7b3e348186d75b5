"""How much a person's client keeps. Above a limit a command is refused and says so; what others
send beyond theirs is dropped and counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientLimits:
    contacts: int = 512  # each costs two trial decryptions a mail, some 15 µs
    invitations: int = 32  # open at once: the provider keeps as many one-time inboxes
    outbox_bytes: int = 64 << 20  # waiting or on the way, as fragments
    contact_bytes: int = 256 << 20  # received from one contact, as fragments


CLIENT_LIMITS = ClientLimits()
