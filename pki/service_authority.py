"""An authority as a process: AuthorityCore on links, database, clock and a status file.

Links in are `Visitors`; links out are one to each other authority.
Spec: docs/spec/directory.md (Authorities' links).
"""

import logging
from collections import Counter
from typing import assert_never

import msgspec

from hushmill.crypto import kem_named
from hushmill.drops import Drop
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.link import (
    DIRECTORY_FRAME_BYTES,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    LinkClass,
    MessageAssembler,
    NotFound,
    decode_directory,
)
from hushmill.runtime import (
    Connector,
    DelayedCall,
    Driver,
    FrameLink,
    LinkHandlers,
    LinkLimits,
    Listener,
    ListenerLimits,
    Reactor,
    catch_up,
    listen,
    now,
    wall_clock_error,
    write_status_file,
)
from pki.authority import AuthorityCore, State
from pki.authority_events import (
    AuthorityEffect,
    AuthorityEvent,
    DocumentArrived,
    Dropped,
    KeepDescriptor,
    KeepDocument,
    PeerUp,
    Reply,
    ToAll,
    ToAuthority,
)
from pki.authority_folder import DATABASE_FILE, STATUS_FILE, AuthorityFolder
from pki.epochs import epoch_at, next_epoch
from pki.genesis import GenesisAuthority
from pki.service_visitors import VISITOR_LIMITS, SharedFrames, Visitors
from pki.store import AuthorityStore

STATUS_SECONDS = 5.0
_LINK_BYTES = 16 << 20  # a document and a vote wait here for a slow authority
_LISTENER_LIMITS = ListenerLimits(proven=512, unproven=128, per_address=64)

_log = logging.getLogger(__name__)


class AuthorityStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What `status.json` says: nothing that names a peer."""

    state: str
    epoch: int
    target_epoch: int
    document_epoch: int | None
    descriptors: int
    authorities_reached: int
    authorities_others: int
    refused: dict[str, int]
    written_at: float


class AuthorityService:
    """From `start` to `stop`."""

    def __init__(self, reactor: Reactor, folder: AuthorityFolder) -> None:
        self._reactor = reactor
        self._folder = folder
        self._genesis = folder.genesis
        self._refused: Counter[Drop] = Counter()
        self._timers: dict[str, DelayedCall] = {}
        self._listener: Listener | None = None
        self._store = AuthorityStore(folder.path / DATABASE_FILE, self._genesis.network_id)
        self._core = AuthorityCore(
            self._genesis,
            folder.number,
            folder.key,
            kem_named(self._genesis.parameters.suite),
            self._store,
            self._store.descriptors(),
            self._store.documents(),
        )
        self._driver: Driver[AuthorityEvent, AuthorityEffect] = Driver(
            self._core, self._perform, reactor
        )
        self._frames = SharedFrames()
        self._visitors = Visitors(
            {
                authority.key_hash: authority.number
                for authority in self._genesis.authorities
                if authority.number != folder.number
            },
            self._frames,
            self._driver.receive,
        )
        self._peers = {
            authority.number: self._connector(authority)
            for authority in self._genesis.authorities
            if authority.number != folder.number
        }

    def start(self) -> None:
        """Listens and connects. Raises UserError(CONFIGURATION) when the port is taken."""
        settings = self._folder.settings
        self._listener = listen(
            self._reactor,
            settings.listen,
            settings.port,
            self._folder.identity,
            LinkClass.DIRECTORY,
            DIRECTORY_FRAME_BYTES,
            LinkHandlers(
                self._visitors.came, self._visitors.opened, self._visitors.closed, self._count
            ),
            is_welcome=lambda peer: True,
            link_limits=VISITOR_LIMITS,
            listener_limits=_LISTENER_LIMITS,
        )
        for connector in self._peers.values():
            connector.start()
        self._driver.start()
        self._beat()
        self._write_status()

    def stop(self) -> None:
        self._driver.stop()
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        for connector in self._peers.values():
            connector.stop()
        if self._listener is not None:
            self._listener.stop()
        self._store.close()
        (self._folder.path / STATUS_FILE).unlink(missing_ok=True)

    # ── links out ────────────────────────────────────────────────────────────────────────────

    def _connector(self, authority: GenesisAuthority) -> Connector:
        assembler = MessageAssembler()

        def came(_link: FrameLink, frames: list[bytes]) -> None:
            for frame in frames:
                message = assembler.add(frame)
                if message is None:
                    continue
                match decode_directory(message):
                    case DocumentFound(data):
                        self._driver.receive(DocumentArrived(data))
                    case NotFound():
                        pass
                    case _:
                        raise PeerError(Drop.FRAME)

        def came_up(_link: FrameLink) -> None:
            nonlocal assembler
            assembler = MessageAssembler()
            self._driver.receive(PeerUp(authority.number))

        return Connector(
            self._reactor,
            authority.host,
            authority.port,
            self._folder.identity,
            authority.key_hash,
            LinkClass.DIRECTORY,
            DIRECTORY_FRAME_BYTES,
            LinkHandlers(came, came_up, lambda link: None, self._count),
            limits=LinkLimits(idle_seconds=4 * self._beat_seconds, unsent_bytes=_LINK_BYTES),
        )

    @property
    def _beat_seconds(self) -> float:
        return min(30.0, max(1.0, self._genesis.parameters.epoch_seconds / 60))

    def _beat(self) -> None:
        """Asks each authority for the document that is missed here: an answer, even "not found",
        shows that the link lives, and one without answers is made anew."""
        self._check_clock()
        published = self._core.published
        missed = self._core.target
        if published is not None and published.epoch >= missed:
            missed = next_epoch(published.epoch)
        for connector in self._peers.values():
            if connector.link is not None:
                self._send(connector.link, FetchDocument(missed))
        self._timers["beat"] = self._reactor.callLater(self._beat_seconds, self._beat)

    def _check_clock(self) -> None:
        catch_up()
        behind = -wall_clock_error()
        if behind > 2 * max(1, self._genesis.parameters.skew_seconds):
            raise UserError(
                f"This machine's clock went back by {behind:.0f} s. An authority does not run on a "
                "wrong clock: set it and start again.",
                ExitCode.CONFIGURATION,
            )

    # ── effects ──────────────────────────────────────────────────────────────────────────────

    def _perform(self, effect: AuthorityEffect) -> None:
        match effect:
            case Reply(session, message):
                self._visitors.answer(session, message)
            case ToAll(message):
                frames = self._frames.of(message)
                for connector in self._peers.values():
                    if connector.link is not None:
                        connector.link.send(frames)
            case ToAuthority(authority, message):
                peer = self._peers[authority].link
                if peer is not None:
                    self._send(peer, message)
            case KeepDescriptor(node, data):
                self._store.keep_descriptor(node, data)
            case KeepDocument(epoch, data):
                self._store.keep_document(epoch, data)
                _log.info("directory document published", extra={"epoch": epoch})
            case Dropped(reason):
                self._count(reason, 1)
            case _:
                assert_never(effect)

    def _send(self, link: FrameLink, message: DirectoryMessage) -> None:
        link.send(self._frames.of(message))

    def _count(self, reason: Drop, count: int) -> None:
        self._refused[reason] += count

    # ── status ───────────────────────────────────────────────────────────────────────────────

    def _status(self) -> AuthorityStatus:
        published = self._core.published
        time = now()
        return AuthorityStatus(
            state=State(self._core.state).value,
            epoch=epoch_at(time, self._genesis.parameters),
            target_epoch=self._core.target,
            document_epoch=None if published is None else published.epoch,
            descriptors=self._core.descriptor_count,
            authorities_reached=sum(peer.link is not None for peer in self._peers.values()),
            authorities_others=len(self._peers),
            refused={reason.value: count for reason, count in sorted(self._refused.items())},
            written_at=time,
        )

    def _write_status(self) -> None:
        write_status_file(self._folder.path / STATUS_FILE, msgspec.json.encode(self._status()))
        self._timers["status"] = self._reactor.callLater(STATUS_SECONDS, self._write_status)
