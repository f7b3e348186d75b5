"""The pacer: a process of its own that writes one ready-made frame to the provider at each tick.

It has no database and decrypts nothing, so that nothing the daemon is busy with moves a tick. It
talks to its daemon over two pipes (descriptors 3 in and 4 out, `client.pacer_wire`) and ends when
the pipe from the daemon ends: after a kill -9 of the daemon no pacer is left behind.

The way of a frame out: FillSlot from the pipe → PacerCore → at its tick SendFrame → the link, and
SlotTaken up the pipe. The way in: mail frames from the link go up the pipe as they came.
"""

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from twisted.internet import protocol, stdio
from twisted.internet.error import ReactorNotRunning
from twisted.python.failure import Failure

from client.core_events import (
    FillSlot,
    LinkDown,
    LinkUp,
    PacerEffect,
    PacerEvent,
    SendFrame,
    SlotTaken,
)
from client.pacer import PacerCore
from client.pacer_wire import (
    LinkRefused,
    MailFrame,
    PacerSetup,
    Record,
    RecordCutter,
    RecordFormat,
    SetupReader,
)
from hushmill.crypto import Ed25519SigningKey, Label
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import AccountKey, KeyHash, NetworkId, NodeNumber
from hushmill.link import (
    LINK_VERSION,
    ClientFrames,
    Hello,
    LinkClass,
    Mail,
    Welcome,
    WelcomeStatus,
    exporter_challenge,
    solve_proof_of_work,
)
from hushmill.packet import packet_format
from hushmill.runtime import (
    Connector,
    Driver,
    FrameLink,
    LinkHandlers,
    Reactor,
    SystemRandomness,
    configure_logging,
    run_service,
)

FROM_DAEMON, TO_DAEMON = 3, 4
# A daemon that has read nothing of so many bytes is stuck; a fresh pacer will find it mended.
UNREAD_LIMIT = 16 * 1024 * 1024


class Pacer:
    """One client's link and rhythm, from the moment at which the daemon has said what they are."""

    def __init__(self, reactor: Reactor, setup: PacerSetup, pipe: "DaemonPipe") -> None:
        geometry = packet_format(setup.parameters).geometry
        self._frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        self._format = RecordFormat(self._frames.frame_bytes)
        self._cutter = RecordCutter(self._format)
        self._pipe = pipe
        self._rng = SystemRandomness()
        self._key = Ed25519SigningKey.from_raw(setup.account_key)
        self._account = AccountKey(self._key.public.raw)
        self._code = setup.code
        self._proof = solve_proof_of_work(
            self._account, NetworkId(setup.network_id), NodeNumber(setup.provider)
        )
        core = PacerCore(setup.parameters, self._rng)
        self._driver: Driver[PacerEvent, PacerEffect] = Driver(core, self._perform, reactor)
        self._is_welcome = False
        self._link: FrameLink | None = None
        self._connector = Connector(
            reactor,
            setup.host,
            setup.port,
            None,
            KeyHash(setup.key_hash),
            LinkClass.CLIENT,
            self._frames.frame_bytes,
            LinkHandlers(self._take_frames, self._greet, self._lose),
        )
        self._connector.start()

    def hear_daemon(self, data: bytes) -> None:
        """Takes bytes from the pipe."""
        for record in self._cutter.feed(data):
            if not isinstance(record, FillSlot):
                raise PeerError(Drop.FRAME)
            self._driver.receive(record)

    def stop(self) -> None:
        self._driver.stop()
        self._connector.stop()

    def _greet(self, link: FrameLink) -> None:
        """The provider is proven; now we prove the account, on this very session."""
        self._link, self._is_welcome = link, False
        signature = self._key.sign(Label.LINK_ACCOUNT, exporter_challenge(link.exporter()))
        hello = Hello(LINK_VERSION, self._account, signature, self._proof, self._code)
        link.send([self._frames.encode_upstream(hello, self._rng)])

    def _take_frames(self, link: FrameLink, frames: list[bytes]) -> None:
        rest = frames
        if not self._is_welcome:
            self._take_welcome(link, frames[0])
            rest = frames[1:]
        if rest and self._is_welcome:
            self._tell(*(MailFrame(frame) for frame in rest))

    def _take_welcome(self, link: FrameLink, frame: bytes) -> None:
        match self._frames.decode_downstream(frame):
            case Welcome(status=WelcomeStatus.ACCEPTED):
                self._is_welcome = True
                self._tell(LinkUp())  # first: the slots that follow are counted from it
                self._driver.receive(LinkUp())
            case Welcome(status=status):
                self._tell(LinkRefused(status))
                link.close()
            case Mail():
                raise PeerError(Drop.FRAME)

    def _lose(self, _link: FrameLink) -> None:
        self._link = None
        if self._is_welcome:
            self._is_welcome = False
            self._driver.receive(LinkDown())
            self._tell(LinkDown())

    def _perform(self, effect: PacerEffect) -> None:
        match effect:
            case SendFrame(frame):
                if self._link is not None:
                    self._link.send([frame])
            case SlotTaken():
                self._tell(effect)

    def _tell(self, *records: Record) -> None:
        self._pipe.write(b"".join(map(self._format.encode, records)))


class DaemonPipe(protocol.Protocol):
    """Both pipes as one transport."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._setup = SetupReader()
        self._pacer: Pacer | None = None
        self._is_paused = False
        self._unread = 0

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's names)
        self._standard_io.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """PeerError passes through: the daemon is of our own version, so it is a bug."""
        if self._pacer is None:
            found = self._setup.feed(data)
            if found is None:
                return
            setup, data = found
            self._pacer = Pacer(self._reactor, setup, self)
        self._pacer.hear_daemon(data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:  # noqa: N802
        if self._pacer is not None:
            self._pacer.stop()
        with suppress(ReactorNotRunning):  # told to stop, as our daemon was
            self._reactor.stop()

    def write(self, data: bytes) -> None:
        if self._is_paused:
            self._unread += len(data)
            if self._unread > UNREAD_LIMIT:
                self._standard_io.loseConnection()
                return
        self._standard_io.write(data)

    def pauseProducing(self) -> None:  # noqa: N802
        self._is_paused = True

    def resumeProducing(self) -> None:  # noqa: N802
        self._is_paused, self._unread = False, 0

    def stopProducing(self) -> None:  # noqa: N802
        self._is_paused = True

    @property
    def _standard_io(self) -> stdio.StandardIO:
        return cast("stdio.StandardIO", self.transport)


def main() -> None:
    """The process's entry. Ctrl-C in a terminal reaches us too, and is the daemon's to handle."""

    def start(reactor: Reactor) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Typed as on another system, where it has no descriptors to choose.
        connect = cast("Callable[..., object]", stdio.StandardIO)
        connect(DaemonPipe(reactor), stdin=FROM_DAEMON, stdout=TO_DAEMON, reactor=reactor)

    configure_logging("warning")
    run_service(start)


if __name__ == "__main__":
    main()
