"""How much a person's client keeps. Above a limit a command is refused and says so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientLimits:
    contacts: int = 512  # each costs two trial decryptions a mail, some 15 µs
    invitations: int = 32  # open at once: the provider keeps as many one-time inboxes
    outbox_bytes: int = 64 << 20  # waiting or on the way, as fragments


CLIENT_LIMITS = ClientLimits()
