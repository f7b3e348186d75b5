"""The connecting end: one link to one pinned peer, made again whenever it breaks."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import KeyHash
from hushmill.link import LinkClass
from hushmill.randomness import Randomness
from hushmill.runtime.backoff import Backoff
from hushmill.runtime.frame_link import FrameLink, LinkHandlers, LinkLimits, connecting_limits
from hushmill.runtime.link_identity import LinkIdentity
from hushmill.runtime.reactor import Connecting, DelayedCall, Reactor
from hushmill.runtime.system_randomness import SystemRandomness
from hushmill.runtime.tls import ClientTls, FrameTlsFactory

CONNECT_SECONDS = 10.0
# A peer that accepts us and hangs up at once has not been reached: waits grow until a link stays.
STEADY_SECONDS = 10.0


class _Attempt(ClientFactory[FrameLink]):
    """One attempt: a link if it connects, `on_failure` if it does not."""

    noisy = False

    def __init__(self, make: Callable[[], FrameLink], on_failure: Callable[[], None]) -> None:
        self._make = make
        self._on_failure = on_failure

    def buildProtocol(self, addr: IAddress | None) -> FrameLink:  # noqa: N802
        return self._make()

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:  # noqa: N802
        self._on_failure()


def _refuse_frames(_link: FrameLink, _frames: list[bytes]) -> None:
    """Packets go one way on a node's link; an answer is not part of the protocol."""
    raise PeerError(Drop.FRAME)


class Connector:
    """Keeps one link to the peer at `host`:`port` whose key hashes to `pin`.

    `identity` is shown if the peer asks for a certificate; None for clients. At any time there is
    at most one connection and one timer. `handlers` hear of each link that comes up; on a NODE
    link a peer that answers is cut off.
    """

    def __init__(
        self,
        reactor: Reactor,
        host: str,
        port: int,
        identity: LinkIdentity | None,
        pin: KeyHash,
        link_class: LinkClass,
        frame_bytes: int,
        handlers: LinkHandlers,
        *,
        limits: LinkLimits | None = None,
        rng: Randomness | None = None,
    ) -> None:
        self.link: FrameLink | None = None
        self._reactor = reactor
        self._host = host
        self._port = port
        self._pin = pin
        self._frame_bytes = frame_bytes
        self._owner = handlers
        self._handlers = replace(
            handlers,
            on_up=self._came_up,
            on_down=self._went_down,
            on_frames=_refuse_frames if link_class is LinkClass.NODE else handlers.on_frames,
        )
        self._limits = limits or connecting_limits(link_class)
        self._tls = ClientTls(identity)
        self._backoff = Backoff(rng or SystemRandomness())
        self._is_stopped = True
        self._attempt: Connecting | None = None
        self._timer: DelayedCall | None = None

    def start(self) -> None:
        """Connects, and goes on doing so until `stop`."""
        if self._is_stopped:
            self._is_stopped = False
            self._connect()

    def stop(self) -> None:
        """Ends the link and makes no other."""
        self._is_stopped = True
        self._cancel()
        if self.link is not None:
            self.link.close()
        elif self._attempt is not None:
            self._attempt.disconnect()

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends over the link, or drops and counts while it is down."""
        if self.link is None:
            self._owner.on_drop(Drop.LINK_DOWN, len(frames))
        else:
            self.link.send(frames)

    def _connect(self) -> None:
        self._timer = None
        try:
            self._host.encode("idna")  # as the resolver will, where nobody catches what it raises
        except UnicodeError:
            self._owner.on_drop(Drop.LINK_DOWN, 1)
            self._failed()
            return
        attempt = _Attempt(self._make_link, self._failed)
        factory = FrameTlsFactory(self._tls, attempt, self._reactor)
        self._attempt = self._reactor.connectTCP(
            self._host, self._port, factory, timeout=CONNECT_SECONDS
        )

    def _make_link(self) -> FrameLink:
        return FrameLink(
            self._reactor,
            self._frame_bytes,
            self._limits,
            self._handlers,
            is_welcome=lambda peer: peer == self._pin,
            on_proven=lambda link: None,
            on_gone=lambda link: self._failed(),
        )

    def _came_up(self, link: FrameLink) -> None:
        self.link = link
        self._timer = self._reactor.callLater(STEADY_SECONDS, self._is_steady)
        self._owner.on_up(link)

    def _is_steady(self) -> None:
        self._timer = None
        self._backoff.reset()

    def _went_down(self, link: FrameLink) -> None:
        self.link = None
        self._cancel()
        self._owner.on_down(link)

    def _failed(self) -> None:
        """There is no connection any more, or there never was one."""
        self._attempt = None
        if not self._is_stopped and self._timer is None:
            self._timer = self._reactor.callLater(self._backoff.next_wait(), self._connect)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
