"""The daemon's side of its pacer: starts the process, talks to it, starts it again if it dies."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Protocol as TypingProtocol
from typing import cast

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from client.core_events import FillSlot, LinkDown, LinkUp, MailArrived, PacerStarted, SlotTaken
from client.pacer_wire import (
    LinkRefused,
    MailFrame,
    PacerSetup,
    RecordCutter,
    RecordFormat,
    encode_setup,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.link import ClientFrames, Mail
from hushmill.runtime import Backoff, Reactor, SystemRandomness

PACER_MODULE = "client.pacer_process"
TO_PACER, FROM_PACER = 3, 4
RESTART_FIRST_SECONDS, RESTART_LAST_SECONDS = 0.5, 30.0  # ceilings of the wait before a new pacer
STOP_SECONDS = 3.0  # a pacer that has not ended so long after its pipe did is killed
_log = logging.getLogger(__name__)

PacerNews = PacerStarted | LinkUp | LinkDown | SlotTaken | MailArrived


class ProcessTransport(TypingProtocol):
    """What Twisted gives a child's protocol, as far as it is used here."""

    def writeToChild(self, childFD: int, data: bytes) -> None: ...  # noqa: N802, N803
    def closeChildFD(self, descriptor: int) -> None: ...  # noqa: N802
    def signalProcess(self, signalID: str) -> None: ...  # noqa: N802, N803


class SpawningReactor(Reactor, TypingProtocol):
    """A reactor that can start processes."""

    def spawnProcess(  # noqa: N802
        self,
        processProtocol: protocol.ProcessProtocol,  # noqa: N803
        executable: str,
        args: list[str],
        env: dict[str, str],
        childFDs: dict[int, int | str],  # noqa: N803
    ) -> object: ...


class PacerSupervisor:
    """Keeps one pacer running. `on_news` gets what it tells, as the messenger's events."""

    def __init__(
        self,
        reactor: Reactor,
        setup: PacerSetup,
        frames: ClientFrames,
        on_news: Callable[[PacerNews], None],
        on_drop: Callable[[Drop], None],
    ) -> None:
        self.refused_status: int | None = None  # the provider's last word, if it refused us
        self._reactor = cast("SpawningReactor", reactor)
        self._setup = setup
        self._frames = frames
        self._format = RecordFormat(frames.frame_bytes)
        self._on_news = on_news
        self._on_drop = on_drop
        self._backoff = Backoff(SystemRandomness(), RESTART_FIRST_SECONDS, RESTART_LAST_SECONDS)
        self._child: _PacerChild | None = None
        self._link_is_up = False
        self._ended: Deferred[None] | None = None

    def start(self) -> None:
        """Starts the process and tells the messenger that no slot is filled."""
        if self._ended is not None:
            return
        child = self._child = _PacerChild(self, RecordCutter(self._format))
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            self._reactor.spawnProcess(
                child,
                sys.executable,
                # -P: the working folder must not become a place to import from.
                [sys.executable, "-P", "-m", PACER_MODULE],
                env=dict(os.environ),
                childFDs={0: nothing, 1: 2, 2: 2, TO_PACER: "w", FROM_PACER: "r"},
            )
        finally:
            os.close(nothing)
        child.process.writeToChild(TO_PACER, encode_setup(self._setup))
        self._on_news(PacerStarted())

    def fill(self, slot: FillSlot) -> None:
        """Hands a frame to the pacer. While none runs it is dropped: a new one asks anew."""
        if self._child is not None:
            self._child.process.writeToChild(TO_PACER, self._format.encode(slot))

    def stop(self) -> Deferred[None]:
        """Ends the pacer; fires when its process is gone."""
        if self._ended is not None:
            return self._ended
        ended = self._ended = Deferred()
        child = self._child
        if child is None:
            ended.callback(None)
            return ended
        child.process.closeChildFD(TO_PACER)  # it ends with this pipe
        killing = self._reactor.callLater(STOP_SECONDS, child.kill)

        def disarm(_: None) -> None:
            if killing.active():
                killing.cancel()

        return ended.addCallback(disarm)

    def hear(self, child: "_PacerChild", data: bytes) -> None:
        """Takes bytes from the pacer's pipe. PeerError of the records passes through: the pacer is
        of our own version, so it is a bug."""
        for record in child.cutter.feed(data):
            match record:
                case LinkUp():
                    self._backoff.reset()
                    self.refused_status = None
                    self._link_is_up = True
                    self._on_news(record)
                case LinkDown():
                    self._link_is_up = False
                    self._on_news(record)
                case SlotTaken():
                    self._on_news(record)
                case LinkRefused(status):
                    self.refused_status = status
                    _log.warning("the provider refused the account", extra={"state": status})
                case MailFrame(frame):
                    self._hear_mail(frame)
                case FillSlot():
                    raise PeerError(Drop.FRAME)

    def _hear_mail(self, frame: bytes) -> None:
        """A provider's frame: a wrong one is its fault, is counted, and nothing more."""
        try:
            mail = self._frames.decode_downstream(frame)
        except PeerError as error:
            self._on_drop(error.reason)
            return
        if isinstance(mail, Mail):
            self._on_news(MailArrived(mail))
        else:
            self._on_drop(Drop.FRAME)

    def child_ended(self, child: "_PacerChild") -> None:
        """The process is gone: as told, or by mistake, and then there is another soon."""
        if self._child is not child:
            return
        self._child = None
        if self._ended is not None:
            self._ended.callback(None)
            return
        _log.error("the pacer ended; it will be started again")
        if self._link_is_up:
            self._link_is_up = False
            self._on_news(LinkDown())
        self._reactor.callLater(self._backoff.next_wait(), self.start)


class _PacerChild(protocol.ProcessProtocol):
    def __init__(self, owner: PacerSupervisor, cutter: RecordCutter) -> None:
        self.cutter = cutter
        self._owner = owner

    @property
    def process(self) -> ProcessTransport:
        return cast("ProcessTransport", self.transport)

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803
        self._owner.hear(self, data)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        self._owner.child_ended(self)

    def kill(self) -> None:
        """Ends a process that does not end by itself."""
        self.process.signalProcess("KILL")
