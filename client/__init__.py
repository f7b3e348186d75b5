"""A person's side: sessions, fragments, outbox and inbox, the encrypted store, the commands.

The names below are loaded when first used, so that importing `client` loads neither Twisted nor
the session libraries (which bring pydantic).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.bundle import Bundle, PreKeys
    from client.content import File, Message, Text
    from client.core_events import (
        ConsensusAccepted,
        ContactChanged,
        ContactView,
        FillSlot,
        LinkDown,
        LinkUp,
        MailArrived,
        MessageArrived,
        MessageChanged,
        MessageView,
        MessengerEffect,
        MessengerEvent,
        PacerEffect,
        PacerEvent,
        PacerStarted,
        PersonActed,
        SendFrame,
        SlotTaken,
        StatusView,
        Stream,
    )
    from client.cover_cost import cover_bytes_a_day
    from client.file_name import safe_file_name
    from client.founding import found_person
    from client.fragments import fragment_count, padded_count, reassemble, split
    from client.handshake_header import HandshakeHeader, handshake_fingerprint
    from client.identity import Identity, IdentityKey
    from client.invitation import Invitation, parse_invitation
    from client.limits import ClientLimits
    from client.messenger import Messenger
    from client.pacer import PacerCore
    from client.qr_code import invitation_qr
    from client.safety import safety_number
    from client.seal import deposit_id, open_fragment, seal_fragment
    from client.session import Session, SessionState, accept_session, start_session
    from client.states import ContactState, Direction, MessageState
    from client.store import ClientStore
    from client.store_person import Person
    from client.store_vault import create_vault, open_vault

_HOMES = {
    "bundle": ("Bundle", "PreKeys"),
    "content": ("File", "Message", "Text"),
    "cover_cost": ("cover_bytes_a_day",),
    "file_name": ("safe_file_name",),
    "fragments": ("fragment_count", "padded_count", "reassemble", "split"),
    "handshake_header": ("HandshakeHeader", "handshake_fingerprint"),
    "identity": ("Identity", "IdentityKey"),
    "invitation": ("Invitation", "parse_invitation"),
    "qr_code": ("invitation_qr",),
    "safety": ("safety_number",),
    "seal": ("deposit_id", "open_fragment", "seal_fragment"),
    "session": ("Session", "SessionState", "accept_session", "start_session"),
    "core_events": (
        "ConsensusAccepted",
        "ContactChanged",
        "ContactView",
        "FillSlot",
        "LinkDown",
        "LinkUp",
        "MailArrived",
        "MessageArrived",
        "MessageChanged",
        "MessageView",
        "MessengerEffect",
        "MessengerEvent",
        "PacerEffect",
        "PacerEvent",
        "PacerStarted",
        "PersonActed",
        "SendFrame",
        "SlotTaken",
        "StatusView",
        "Stream",
    ),
    "founding": ("found_person",),
    "limits": ("ClientLimits",),
    "messenger": ("Messenger",),
    "pacer": ("PacerCore",),
    "states": (
        "ContactState",
        "Direction",
        "MessageState",
    ),
    "store": ("ClientStore",),
    "store_person": ("Person",),
    "store_vault": ("create_vault", "open_vault"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Bundle",
    "ClientLimits",
    "ClientStore",
    "ConsensusAccepted",
    "ContactChanged",
    "ContactState",
    "ContactView",
    "Direction",
    "File",
    "FillSlot",
    "HandshakeHeader",
    "Identity",
    "IdentityKey",
    "Invitation",
    "LinkDown",
    "LinkUp",
    "MailArrived",
    "Message",
    "MessageArrived",
    "MessageChanged",
    "MessageState",
    "MessageView",
    "Messenger",
    "MessengerEffect",
    "MessengerEvent",
    "PacerCore",
    "PacerEffect",
    "PacerEvent",
    "PacerStarted",
    "Person",
    "PersonActed",
    "PreKeys",
    "SendFrame",
    "Session",
    "SessionState",
    "SlotTaken",
    "StatusView",
    "Stream",
    "Text",
    "accept_session",
    "cover_bytes_a_day",
    "create_vault",
    "deposit_id",
    "found_person",
    "fragment_count",
    "handshake_fingerprint",
    "invitation_qr",
    "open_fragment",
    "open_vault",
    "padded_count",
    "parse_invitation",
    "reassemble",
    "safe_file_name",
    "safety_number",
    "seal_fragment",
    "split",
    "start_session",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'client' has no attribute {name!r}")
    return getattr(import_module(f"client.{_HOME_OF[name]}"), name)
