"""The accepting end of links, and how many there may be.

Whoever opens sockets and says nothing must not keep honest peers out, so those who have not proven
themselves have a budget of their own, and the oldest of them gives way to a newcomer. Connections
are taken from the kernel at a bounded rate: that leaves the process to the links that are up, and
gives a newcomer the time for a handshake (256 places at 400 a second) before it would give way. One
address has a budget too (`accepting.py`). A node has one link to another: a newer one replaces it,
since the older is most likely the half-open rest of a connection that broke.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port

from hushmill.drops import Drop
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import KeyHash
from hushmill.link import LinkClass
from hushmill.runtime.accepting import AcceptTurn, AddressRates, counted_address
from hushmill.runtime.clock import now
from hushmill.runtime.descriptors import descriptor_budget
from hushmill.runtime.frame_link import FrameLink, LinkHandlers, LinkLimits, accepting_limits
from hushmill.runtime.link_identity import LinkIdentity
from hushmill.runtime.reactor import Reactor
from hushmill.runtime.tls import FrameTlsFactory, PeerCertificate, ServerTls

ACCEPT_PAUSE_SECONDS = 0.02
BACKLOG = 512  # what the kernel keeps for us


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """How many connections a listener holds: proven ones, unproven ones, and both together from one
    address."""

    proven: int = 1024
    unproven: int = 256
    per_address: int = 64

    @property
    def connections(self) -> int:
        """All that it may hold at once."""
        return self.proven + self.unproven


class _Links(Factory[FrameLink]):
    """Makes a FrameLink for each connection."""

    noisy = False

    def __init__(self, make: Callable[[], FrameLink]) -> None:
        self._make = make

    def buildProtocol(self, addr: Any) -> FrameLink:  # noqa: N802
        return self._make()


class _Admission(FrameTlsFactory):
    """Refuses a connection before it costs a TLS session: Twisted closes it on None."""

    def __init__(self, listener: "Listener", tls: ServerTls, links: _Links, reactor: Reactor):
        super().__init__(tls, links, reactor)
        self._listener = listener
        self.taken = 0
        self.admitted = 0

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        self.taken += 1
        if not self._listener.admits(addr.host):
            return None
        self.admitted += 1
        protocol = super().buildProtocol(addr)
        self._listener.admitted(cast("FrameLink", protocol.wrappedProtocol), addr.host)
        return protocol


class _SteadyPort(Port):
    """A listening socket that takes a few connections, and the next after a pause; what waits is in
    the kernel's queue, which drops what is above its length."""

    def __init__(self, port: int, admission: _Admission, host: str, reactor: Reactor) -> None:
        super().__init__(port, cast("Any", admission), BACKLOG, host, reactor)
        self._admission = admission
        self._turn = AcceptTurn()

    @property
    def numberAccepts(self) -> int:  # noqa: N802
        """How many Twisted accepts; it would raise this without end under a flood."""
        return self._turn.room

    @numberAccepts.setter
    def numberAccepts(self, _value: int) -> None:  # noqa: N802
        """What Twisted would like is ignored."""

    def doRead(self) -> None:  # noqa: N802
        self._turn = AcceptTurn()
        is_going_on = True
        while is_going_on and self._is_open:
            self._admission.taken = self._admission.admitted = 0
            super().doRead()  # type: ignore[no-untyped-call]
            is_going_on = self._turn.took(self._admission.taken, self._admission.admitted)
        self.stopReading()  # type: ignore[no-untyped-call]
        self.reactor.callLater(ACCEPT_PAUSE_SECONDS, self._go_on)

    @property
    def _is_open(self) -> bool:
        return bool(self.connected and not self.disconnecting)

    def _go_on(self) -> None:
        if self._is_open:
            self.startReading()  # type: ignore[no-untyped-call]


class Listener:
    """All links that came in at one port. Made by `listen`."""

    def __init__(
        self, handlers: LinkHandlers, link_class: LinkClass, limits: ListenerLimits
    ) -> None:
        self._handlers = handlers
        self._is_one_a_peer = link_class is LinkClass.NODE
        self._limits = limits
        self._addresses: Counter[str] = Counter()
        self._addresses_of: dict[FrameLink, str] = {}
        self._address_rates = AddressRates()
        self._unproven: dict[FrameLink, None] = {}  # in order of arrival
        self._by_peer: dict[KeyHash, FrameLink] = {}
        self._port: Port | None = None
        self._is_stopped = False

    @property
    def port_number(self) -> int:
        """The port that is listened on, for a listener asked for port 0."""
        if self._port is None:
            return 0
        number: int = self._port.getHost().port
        return number

    @property
    def connections(self) -> int:
        """Open connections, proven or not."""
        return len(self._addresses_of)

    def close_unwelcome(self, is_welcome: Callable[[KeyHash], bool]) -> None:
        """Ends the links of peers whose key is welcome no more (a new consensus)."""
        for link in list(self._addresses_of):
            if link.peer_hash is not None and not is_welcome(link.peer_hash):
                link.close()

    def stop(self) -> None:
        """Stops listening and ends every link."""
        if self._port is not None and not self._is_stopped:
            self._is_stopped = True
            self._port.stopListening()
            descriptor_budget.release(self._limits.connections)
        for link in list(self._addresses_of):
            link.abort()

    # What the factory and the links call.

    def begin(self, port: Port) -> None:
        self._port = port

    def admits(self, host: str) -> bool:
        """Whether one more connection from `host` is taken; room is made among the unproven."""
        proven = len(self._addresses_of) - len(self._unproven)
        address = counted_address(host)
        if (
            self._addresses[address] >= self._limits.per_address
            or proven >= self._limits.proven
            or not self._address_rates.admit(address, now())
        ):
            self._handlers.on_drop(Drop.BUSY, 1)
            return False
        if len(self._unproven) >= self._limits.unproven:
            oldest = next(iter(self._unproven))
            del self._unproven[oldest]
            self._handlers.on_drop(Drop.BUSY, 1)
            oldest.abort()
        return True

    def admitted(self, link: FrameLink, host: str) -> None:
        address = counted_address(host)
        self._addresses_of[link] = address
        self._addresses[address] += 1
        self._unproven[link] = None

    def proven(self, link: FrameLink) -> None:
        self._unproven.pop(link, None)
        if link.peer_hash is None:
            return
        older = self._by_peer.get(link.peer_hash)
        self._by_peer[link.peer_hash] = link
        if older is not None and self._is_one_a_peer:
            older.abort()

    def gone(self, link: FrameLink) -> None:
        self._unproven.pop(link, None)
        if link.peer_hash is not None and self._by_peer.get(link.peer_hash) is link:
            del self._by_peer[link.peer_hash]
        address = self._addresses_of.pop(link, None)
        if address is not None:
            self._addresses[address] -= 1
            if self._addresses[address] <= 0:
                del self._addresses[address]


_ASKS = {
    LinkClass.NODE: PeerCertificate.REQUIRED,
    LinkClass.CLIENT: PeerCertificate.NONE,
    LinkClass.DIRECTORY: PeerCertificate.OPTIONAL,
}


def listen(
    reactor: Reactor,
    host: str,
    port: int,
    identity: LinkIdentity,
    link_class: LinkClass,
    frame_bytes: int,
    handlers: LinkHandlers,
    *,
    is_welcome: Callable[[KeyHash], bool],
    link_limits: LinkLimits | None = None,
    listener_limits: ListenerLimits | None = None,
) -> Listener:
    """Listens on `host` (an address) and `port` (0: any free one).

    NODE links need a certificate whose key `is_welcome`, asked at each handshake; DIRECTORY links
    may show one and clients show none, and for these `is_welcome` judges only what is shown. Raises
    UserError(CONFIGURATION) where the port cannot be had, or not so many open files.
    """
    limits = link_limits or accepting_limits(link_class)
    most = listener_limits or ListenerLimits()
    listener = Listener(handlers, link_class, most)
    asks = _ASKS[link_class]

    def judge(peer: KeyHash | None) -> bool:
        return is_welcome(peer) if peer is not None else asks is not PeerCertificate.REQUIRED

    def make() -> FrameLink:
        return FrameLink(
            reactor, frame_bytes, limits, handlers, judge, listener.proven, listener.gone
        )

    factory = _Admission(listener, ServerTls(identity, asks), _Links(make), reactor)
    opened = _SteadyPort(port, factory, host, reactor)
    descriptor_budget.reserve(most.connections)
    try:
        opened.startListening()
    except CannotListenError as error:
        descriptor_budget.release(most.connections)
        raise UserError(
            f"Cannot listen on {host}, port {port}: {error.socketError}. "
            "Is another program there? Change the port, or stop that program.",
            ExitCode.CONFIGURATION,
        ) from error
    listener.begin(opened)
    return listener
