"""One link: frames of one size over one pinned TLS session, with a limit on everything.

The way of a frame in: TLS → `dataReceived` (a record) → `read_ended` (the records of one read are
cut into frames) → `on_frames`, once a read with the whole batch. The way out: `send` → one TLS
record a frame → the kernel, or while that is full a bounded queue, beyond which frames are dropped
and counted. Nothing here ever makes a caller wait. Spec: docs/spec/link.md.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import KeyHash
from hushmill.link import LinkClass
from hushmill.runtime.process import closed_connections
from hushmill.runtime.reactor import DelayedCall, Scheduler
from hushmill.runtime.tls import exporter_of, peer_hash_of

if TYPE_CHECKING:
    from OpenSSL import SSL
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    from hushmill.runtime.tls import FrameTls

# A frame is one record (docs/spec/link.md). Each record costs the time of opening it, whatever its
# length, so a peer that cuts one frame into thousands is not borne.
RECORDS_A_FRAME = 16
FRAMES_A_WRITE = 64  # then the transport may say that it is full
NODE_READ_BYTES = 1 << 18  # nodes have few links with much on them: many frames a system call


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Deadlines in seconds, each of which ends the link; None is no deadline.

    `idle` runs from the handshake or the last whole frame to the next one, so bytes that trickle
    do not move it; `frame` runs from the first byte of a frame to its last. `stall` is how long
    the peer may take nothing of what waits for it, `unsent_bytes` how much may wait. `read_bytes`
    is what one read of the socket takes at most, and how much waits in the transport beside that.
    """

    idle_seconds: float | None
    handshake_seconds: float = 10.0
    frame_seconds: float = 30.0
    stall_seconds: float = 30.0
    close_seconds: float = 5.0
    unsent_bytes: int = 4 << 20
    read_bytes: int = 1 << 16


def accepting_limits(link_class: LinkClass) -> LinkLimits:
    """The limits of a listener's links."""
    match link_class:
        case LinkClass.NODE:  # pinned peers with a Poisson flow, thin in a large network
            return LinkLimits(idle_seconds=900.0, read_bytes=NODE_READ_BYTES)
        case LinkClass.CLIENT:  # a client sends all the time
            return LinkLimits(idle_seconds=120.0)
        case LinkClass.DIRECTORY:  # anybody; `allow_idle` for authorities
            return LinkLimits(idle_seconds=60.0)


def connecting_limits(link_class: LinkClass) -> LinkLimits:
    """The limits of a connector's links. Where nothing need ever come back, TCP's own timeout
    finds a peer who is gone."""
    match link_class:
        case LinkClass.NODE:
            return LinkLimits(idle_seconds=None, read_bytes=NODE_READ_BYTES)
        case LinkClass.DIRECTORY:
            return LinkLimits(idle_seconds=None)
        case LinkClass.CLIENT:  # each frame is answered by one
            return LinkLimits(idle_seconds=120.0)


def _ignore_drop(_reason: Drop, _number: int) -> None:
    """For owners who count nothing."""


@dataclass(frozen=True, slots=True)
class LinkHandlers:
    """What the owner of links does. `on_up` comes once the peer is proven, `on_down` once for each
    `on_up`. `on_frames` gets whole frames, in order, as they came in one read; PeerError out of it
    is counted and ends the link, so what is wrong *inside* a packet (not its carrier's doing) must
    be counted by the owner. `on_drop` counts frames, or peers, under a reason."""

    on_frames: Callable[["FrameLink", list[bytes]], None]
    on_up: Callable[["FrameLink"], None]
    on_down: Callable[["FrameLink"], None]
    on_drop: Callable[[Drop, int], None] = _ignore_drop


@implementer(IHandshakeListener, IPushProducer)
class FrameLink(Protocol):
    """One end of one link. `is_welcome` judges the peer's key hash (None: no certificate)."""

    def __init__(
        self,
        reactor: Scheduler,
        frame_bytes: int,
        limits: LinkLimits,
        handlers: LinkHandlers,
        is_welcome: Callable[[KeyHash | None], bool],
        on_proven: Callable[["FrameLink"], None],
        on_gone: Callable[["FrameLink"], None],
    ) -> None:
        self.peer_hash: KeyHash | None = None
        self._reactor = reactor
        self._frame_bytes = frame_bytes
        self._limits = limits
        self._idle_seconds = limits.idle_seconds
        self._handlers = handlers
        self._is_welcome = is_welcome
        self._on_proven = on_proven
        self._on_gone = on_gone
        self._is_up = False
        self._is_gone = False
        self._is_paused = False
        self._received: list[bytes] = []
        self._received_bytes = 0
        self._unsent: deque[bytes] = deque()
        self._timers: dict[str, DelayedCall] = {}

    # What owners call.

    @property
    def is_up(self) -> bool:
        """The peer is proven and the link is not being closed."""
        return self._is_up

    @property
    def has_unsent(self) -> bool:
        """Frames wait for the kernel to take them."""
        return bool(self._unsent) or (self._is_up and self._frame_tls.has_unwritten)

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends the frames in order, or drops (counted) what a dead or full link cannot take."""
        if any(len(frame) != self._frame_bytes for frame in frames):
            raise UsageError(f"this link's frames have {self._frame_bytes} bytes")
        if not self._is_up:
            self._handlers.on_drop(Drop.LINK_DOWN, len(frames))
            return
        sent = 0
        while sent < len(frames) and not self._is_paused:
            self._frame_tls.write_frames(frames[sent : sent + FRAMES_A_WRITE])
            sent += FRAMES_A_WRITE
        rest = frames[sent:]
        room = self._limits.unsent_bytes // self._frame_bytes - len(self._unsent)
        self._unsent.extend(rest[:room])
        if len(rest) > room:
            self._handlers.on_drop(Drop.OVERFLOW, len(rest) - room)

    def exporter(self) -> bytes:
        """32 bytes bound to this TLS session, the same at both ends."""
        return exporter_of(self._session)

    def allow_idle(self, seconds: float | None) -> None:
        """Changes the idle deadline, for a peer who has shown who it is."""
        self._idle_seconds = seconds
        if self._is_up:
            self._set_timer("idle", seconds)

    def close(self) -> None:
        """Ends the link in order: what was sent still arrives, if the peer takes it in time."""
        if not self._is_up:
            self.abort()
            return
        self._end()
        self._tls.unregisterProducer()
        self._set_timer("close", self._limits.close_seconds)
        self._tls.loseConnection()

    def abort(self) -> None:
        """Ends the link at once."""
        self._end()
        if not self._is_gone:
            self._tls.abortConnection()

    # What Twisted calls.

    def connectionMade(self) -> None:  # noqa: N802
        self._frame_tls.read_at_once(self._limits.read_bytes)
        self._set_timer("handshake", self._limits.handshake_seconds)

    def handshakeCompleted(self) -> None:  # noqa: N802
        """Nothing of the peer's has been read yet, and nothing has been sent to it but TLS."""
        self._clear_timer("handshake")
        try:
            self.peer_hash = peer_hash_of(self._session)
            if not self._is_welcome(self.peer_hash):
                raise PeerError(Drop.HANDSHAKE)
        except PeerError as error:
            self._refuse(error.reason)
            return
        self._is_up = True
        self._tls.registerProducer(self, True)
        self._set_timer("idle", self._idle_seconds)
        self._on_proven(self)
        self._handlers.on_up(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._is_up:
            return
        self._received.append(data)
        self._received_bytes += len(data)
        whole = self._received_bytes // self._frame_bytes
        if len(self._received) > whole + RECORDS_A_FRAME:
            self._refuse(Drop.FRAME)

    def read_ended(self) -> None:
        """Hands on the whole frames of what has been received; the rest waits for more."""
        if not self._received or not self._is_up:
            return
        count, rest = divmod(self._received_bytes, self._frame_bytes)
        if count == 0:
            self._expect_rest(rest)
            return
        size = self._frame_bytes
        if all(len(record) == size for record in self._received):  # as honest peers send them
            frames, self._received = self._received, []
        else:
            data = b"".join(self._received)
            frames = [data[start : start + size] for start in range(0, count * size, size)]
            self._received = [data[count * size :]] if rest else []
        self._received_bytes = rest
        self._clear_timer("frame")
        self._expect_rest(rest)
        self._set_timer("idle", self._idle_seconds)
        try:
            self._handlers.on_frames(self, frames)
        except PeerError as error:
            self._refuse(error.reason)

    def pauseProducing(self) -> None:  # noqa: N802
        self._is_paused = True
        self._set_timer("stall", self._limits.stall_seconds)

    def resumeProducing(self) -> None:  # noqa: N802
        self._is_paused = False
        self._clear_timer("stall")
        while self._unsent and not self._is_paused:
            count = min(FRAMES_A_WRITE, len(self._unsent))
            self._frame_tls.write_frames([self._unsent.popleft() for _ in range(count)])

    def stopProducing(self) -> None:  # noqa: N802
        self._is_paused = True  # the transport is gone; connectionLost follows

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self._is_gone = True
        self._end()
        for name in list(self._timers):
            self._clear_timer(name)
        self._on_gone(self)
        closed_connections.one_more()

    # How a link ends.

    def _end(self) -> None:
        """From here on nothing is taken or sent; `on_down` for a link that was up."""
        if not self._is_up:
            return
        self._is_up = False
        self._received.clear()
        for name in list(self._timers):
            self._clear_timer(name)
        if self._unsent:
            self._handlers.on_drop(Drop.LINK_DOWN, len(self._unsent))
            self._unsent.clear()
        self._handlers.on_down(self)

    def _refuse(self, reason: Drop) -> None:
        self._handlers.on_drop(reason, 1)
        self.abort()

    # Deadlines.

    def _expect_rest(self, rest: int) -> None:
        if rest and "frame" not in self._timers:
            self._set_timer("frame", self._limits.frame_seconds)

    def _set_timer(self, name: str, seconds: float | None) -> None:
        timer = self._timers.get(name)
        if timer is not None and seconds is not None:
            timer.reset(seconds)
            return
        self._clear_timer(name)
        if seconds is not None:
            self._timers[name] = self._reactor.callLater(seconds, self._expire, name)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _expire(self, name: str) -> None:
        del self._timers[name]
        self._refuse(Drop.HANDSHAKE if name == "handshake" else Drop.DEADLINE)

    @property
    def _tls(self) -> "TLSMemoryBIOProtocol":
        return self._frame_tls

    @property
    def _frame_tls(self) -> "FrameTls":
        return cast("FrameTls", self.transport)

    @property
    def _session(self) -> "SSL.Connection":
        return cast("SSL.Connection", self._tls.getHandle())
