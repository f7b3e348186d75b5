"""What a provider is told, and what it asks to be done, beside what its mix is told and asks.

Effects are carried out in their order. Spec: docs/spec/mailbox.md.
"""

from dataclasses import dataclass

from hushmill.link import Hello, Mail, RelayAndFetch, Welcome
from mixnode import MixEffect, MixEvent


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The first frame of link `session`; `exporter` is the 32 bytes that its TLS session exports.

    Sessions are numbered upwards in the order of connection, and no number comes twice.
    """

    session: int
    hello: Hello
    exporter: bytes


@dataclass(frozen=True, slots=True)
class ClientFrame:
    session: int
    frame: RelayAndFetch


@dataclass(frozen=True, slots=True)
class ClientGone:
    """The link is down, whoever closed it. Not needed after `CloseSession`, and harmless."""

    session: int


@dataclass(frozen=True, slots=True)
class DocumentKnown:
    """A verified signed document, as it travels: clients fetch it in pieces."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendToClient:
    session: int
    command: Welcome | Mail


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Close the link once what was sent to it has left."""

    session: int


ProviderEvent = MixEvent | ClientHello | ClientFrame | ClientGone | DocumentKnown
ProviderEffect = MixEffect | SendToClient | CloseSession
