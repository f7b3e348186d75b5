"""Providers: a mix with mailboxes, entry and mailbox of its clients. Spec: docs/spec/mailbox.md.

The door of `provider`. What needs a database is loaded when it is first asked for.
"""

from typing import TYPE_CHECKING

from provider.limits import Limits

if TYPE_CHECKING:
    from provider.admission import Admission
    from provider.core import ProviderCore
    from provider.events import (
        ClientFrame,
        ClientGone,
        ClientHello,
        CloseSession,
        DocumentKnown,
        ProviderEffect,
        ProviderEvent,
        SendToClient,
    )
    from provider.mailboxes import Mailboxes, NoReserve, Reserve
    from provider.provider_directory import create_provider_directory
    from provider.reserve import DiskReserve
    from provider.store import MailboxStore, StoreCounts, open_mailbox_store

__all__ = [
    "Admission",
    "ClientFrame",
    "ClientGone",
    "ClientHello",
    "CloseSession",
    "DiskReserve",
    "DocumentKnown",
    "Limits",
    "MailboxStore",
    "Mailboxes",
    "NoReserve",
    "ProviderCore",
    "ProviderEffect",
    "ProviderEvent",
    "Reserve",
    "SendToClient",
    "StoreCounts",
    "create_provider_directory",
    "open_mailbox_store",
]
_HOMES = {
    "Admission": "admission",
    "ClientFrame": "events",
    "ClientGone": "events",
    "ClientHello": "events",
    "CloseSession": "events",
    "DiskReserve": "reserve",
    "DocumentKnown": "events",
    "MailboxStore": "store",
    "Mailboxes": "mailboxes",
    "NoReserve": "mailboxes",
    "ProviderCore": "core",
    "ProviderEffect": "events",
    "ProviderEvent": "events",
    "Reserve": "mailboxes",
    "SendToClient": "events",
    "StoreCounts": "store",
    "create_provider_directory": "provider_directory",
    "open_mailbox_store": "store",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"provider.{_HOMES[name]}"), name)
    raise AttributeError(name)
