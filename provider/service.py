"""A running provider: mixnode's service, with mailboxes and a second listener for clients.

Spec: docs/spec/mailbox.md. The way of a client's frame: `_received` (decode) → the core →
`perform`: packets leave by the node's links, answers by the client's own.
"""

import logging
from pathlib import Path
from typing import Any

from hushmill.core import Core
from hushmill.drops import Drop
from hushmill.identifiers import AccountKey
from hushmill.link import ClientFrames, Hello, LinkClass, Mail, RelayAndFetch, Welcome
from hushmill.packet import packet_format
from hushmill.runtime import (
    FrameLink,
    LinkHandlers,
    LinkLimits,
    Listener,
    ListenerLimits,
    SystemRandomness,
    accepting_limits,
    install_reactor,
    listen,
    now,
)
from mixnode import MixCore, NodeDirectory, NodeService, run_node
from provider.admission import Admission
from provider.core import ProviderCore
from provider.documents import DOCUMENTS_KEPT
from provider.events import (
    ClientFrame,
    ClientGone,
    ClientHello,
    CloseSession,
    DocumentKnown,
    SendToClient,
)
from provider.limits import UNSENT_FRAMES
from provider.mailboxes import Mailboxes
from provider.provider_directory import load_settings, open_store
from provider.reserve import DiskReserve
from provider.status_file import STATUS_SECONDS, MailboxStatus, rounded, write_mailbox_status

_log = logging.getLogger(__name__)
HELLO_SECONDS = 10.0  # from the end of the handshake to the whole of the hello
SPARE_CONNECTIONS = 64  # beside the sessions: links whose client comes back before they end


def client_link_limits(frame_bytes: int) -> LinkLimits:
    """Of a client's link, until it has said its `hello`."""
    return LinkLimits(idle_seconds=HELLO_SECONDS, unsent_bytes=UNSENT_FRAMES * frame_bytes)


class ProviderService:
    """What a provider does beyond mixing; an extension of `mixnode.NodeService`.

    Clients' links are numbered in the order of connection. Only for a local trace (`is_traced`)
    are clients counted too, by account, in the order of their first connection.
    """

    def __init__(self, directory: NodeDirectory, is_traced: bool) -> None:
        """Opens the mailboxes. Raises UserError for what the operator can mend."""
        parameters = directory.genesis.parameters
        settings = load_settings(directory.path)
        self._directory = directory
        self._limits = settings.limits()
        self._admission = Admission(
            directory.genesis.network_id, directory.number, settings.code_bytes()
        )
        self._format = packet_format(parameters)
        geometry = self._format.geometry
        self._frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        self._rng = SystemRandomness()
        self._store = open_store(directory.path, settings)
        self._reserve = DiskReserve(directory.path)
        self._reactor = install_reactor()
        self._links: dict[int, FrameLink] = {}
        self._numbers: dict[FrameLink, int] = {}
        self._last_number = 0
        self._clients: dict[AccountKey, int] | None = {} if is_traced else None
        self._client_of_link: dict[FrameLink, int] = {}
        self._documents: list[bytes] = []  # that came before the core could be told
        self._node: NodeService | None = None
        self._listener: Listener | None = None
        self._core: ProviderCore | None = None
        self._mailboxes: Mailboxes | None = None
        self._was_full = False
        self._could_write = True

    # -- what mixnode's service calls

    def core(self, mix: MixCore) -> Core[Any, Any]:
        self._mailboxes = Mailboxes(
            self._store, self._limits, self._rng, mix.counters.drops, self._reserve
        )
        self._core = ProviderCore(
            mix,
            self._mailboxes,
            self._directory.genesis.parameters,
            self._format,
            self._admission,
            self._limits,
        )
        return self._core

    def started(self, service: NodeService) -> None:
        """Opens the clients' port: there is a consensus to hand out, and a first mix to send to."""
        self._node = service
        for data in self._documents:
            service.receive(DocumentKnown(data))
        self._documents.clear()
        host, port = self._directory.settings.listen, self._directory.entry.client_port
        handlers = LinkHandlers(
            on_frames=self._received,
            on_up=self._up,
            on_down=self._down,
            on_drop=self._count_drops,
        )
        self._listener = listen(
            self._reactor,
            host,
            port,
            self._directory.identity,
            LinkClass.CLIENT,
            self._frames.frame_bytes,
            handlers,
            is_welcome=lambda _peer: False,  # clients show no certificate
            link_limits=client_link_limits(self._frames.frame_bytes),
            listener_limits=ListenerLimits(proven=self._limits.sessions + SPARE_CONNECTIONS),
        )
        self._say_status()

    def perform(self, effect: object) -> None:
        match effect:
            case SendToClient(session, command):
                self._send(session, command)
            case CloseSession(session):
                link = self._links.get(session)
                if link is not None:
                    self._forget(link)
                    link.close()
            case _:
                raise TypeError(f"a provider does not know the effect {type(effect).__name__}")

    def document_accepted(self, data: bytes) -> None:
        if self._node is None:
            self._documents = [*self._documents, data][-DOCUMENTS_KEPT:]
        else:
            self._node.receive(DocumentKnown(data))

    def stopped(self) -> None:
        """What is not yet durable is made so: nobody was told of it, but it need not come again."""
        if self._listener is not None:
            self._listener.stop()
        if self._mailboxes is not None and not self._mailboxes.has_failed:
            self._mailboxes.commit(now())
        self._store.close()

    # -- clients' links

    def _up(self, link: FrameLink) -> None:
        self._last_number += 1
        self._links[self._last_number] = link
        self._numbers[link] = self._last_number

    def _down(self, link: FrameLink) -> None:
        number = self._numbers.get(link)
        self._forget(link)
        if number is not None and self._node is not None:
            self._node.receive(ClientGone(number))

    def _forget(self, link: FrameLink) -> None:
        number = self._numbers.pop(link, None)
        if number is not None:
            del self._links[number]
        self._client_of_link.pop(link, None)

    def _received(self, link: FrameLink, frames: list[bytes]) -> None:
        """The frames of one read. PeerError(FRAME) passes, and ends the link."""
        for frame in frames:
            number = self._numbers.get(link)
            if number is None or self._node is None:
                return  # an earlier frame of this read ended the session
            match self._frames.decode_upstream(frame):
                case Hello() as hello:
                    self._greeted(link, number, hello, self._node)
                case RelayAndFetch() as command:
                    self._node.sending_for = self._client_of_link.get(link, 0)
                    self._node.receive(ClientFrame(number, command))
                    self._node.sending_for = 0

    def _greeted(self, link: FrameLink, number: int, hello: Hello, node: NodeService) -> None:
        link.allow_idle(accepting_limits(LinkClass.CLIENT).idle_seconds)
        if self._clients is not None:
            client = self._clients.setdefault(hello.account, len(self._clients) + 1)
            self._client_of_link[link] = client
        node.receive(ClientHello(number, hello, link.exporter()))

    def _send(self, session: int, command: Welcome | Mail) -> None:
        link = self._links.get(session)
        if link is not None:
            link.send([self._frames.encode_downstream(command, self._rng)])

    def _count_drops(self, reason: Drop, number: int) -> None:
        if self._node is not None:
            self._node.mix.counters.drops[reason] += number

    # -- what it says of itself

    def _say_status(self) -> None:
        core = self._core
        if core is not None:
            if core.is_full != self._was_full:
                self._was_full = core.is_full
                _log.error("mailboxes: room", extra={"state": "none" if core.is_full else "enough"})
            counts = self._store.counts()
            status = MailboxStatus(
                written_at=int(now()),
                is_full=core.is_full,
                accounts=rounded(counts.accounts),
                sessions=rounded(core.session_count),
                items=rounded(counts.items),
            )
            could_write = write_mailbox_status(self._directory.path, status)
            if could_write != self._could_write:
                self._could_write = could_write
                state = "written again" if could_write else "not written"
                _log.error("mailboxes: status", extra={"state": state})
        self._reactor.callLater(STATUS_SECONDS, self._say_status)


def run_provider(path: Path, trace: Path | None) -> None:
    """Runs the provider in the directory `path` until SIGTERM. Raises as `mixnode.run_node`."""
    run_node(
        path, "provider", lambda directory: ProviderService(directory, trace is not None), trace
    )
