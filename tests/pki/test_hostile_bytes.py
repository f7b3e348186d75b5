"""No bytes of a peer raise anything but PeerError, in the cores, the services and their links.

An exception on a socket's way ends the process, so each test drives whole sequences: what is wrong
may lie in the state until a deadline comes upon it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, KeyHash
from hushmill.link import (
    DIRECTORY_FRAME_BYTES,
    Accepted,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    MessageCutter,
    NotFound,
    PublishDescriptor,
    Refusal,
    Refused,
    Share,
    Vote,
    encode_directory,
)
from hushmill.runtime import LinkHandlers
from pki import DocumentKeeper
from pki.authority_events import (
    AuthorityEvent,
    DescriptorOffered,
    DocumentArrived,
    DocumentAsked,
    PeerUp,
    ShareArrived,
    VoteArrived,
)
from pki.authority_folder import AuthorityFolder, AuthoritySettings
from pki.directory_client import (
    DirectoryClientCore,
    FetchAnswered,
    PublishAnswered,
    PublishOutcome,
)
from pki.service import DirectoryClient
from pki.service_authority import AuthorityService
from tests.pki.four_authorities import FourAuthorities
from tests.pki.hostile import (
    DESCRIPTORS,
    DOCUMENTS,
    GENESIS,
    NETWORK,
    hostile_bytes,
    odd_descriptors,
    odd_shares,
    odd_votes,
)
from tests.pki.network import FIRST, START, SeededRandomness

FUZZ = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
_epochs = st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(FIRST - 1, FIRST + 2)).map(Epoch)


def events() -> st.SearchStrategy[AuthorityEvent]:
    data = hostile_bytes()
    authorities = st.integers(1, 3)
    return st.one_of(
        st.builds(DescriptorOffered, st.integers(0, 3), data),
        st.builds(DescriptorOffered, st.integers(0, 3), odd_descriptors()),
        st.builds(DocumentAsked, st.integers(0, 3), _epochs),
        st.builds(VoteArrived, data),
        st.builds(VoteArrived, odd_votes()),
        st.builds(ShareArrived, authorities, data),
        st.builds(ShareArrived, authorities, odd_shares()),
        st.builds(DocumentArrived, data),
        st.builds(PeerUp, authorities),
    )


@FUZZ
@given(
    st.booleans(),
    st.lists(st.tuples(events(), st.sampled_from([0, 0, 1, 400, 2000])), max_size=10),
)
def test_authority_core_survives_anything(
    has_begun: bool, steps: list[tuple[AuthorityEvent, int]]
) -> None:
    """All four get the same; what they do about it is carried out, through two more votes."""
    four = FourAuthorities(NETWORK)
    if has_begun:
        four.publish_descriptors()
    for event, seconds in steps:
        for number in range(4):
            four.give(number, event)
        four.run_until(four.now + seconds)
    four.run_until(four.now + 2 * 3600)
    for reply in four.replies:
        assert MessageCutter().cut(encode_directory(reply.message))
    for epoch in {made.epoch for _, made, _ in four.published}:
        assert len(four.documents(epoch)) == 1


@FUZZ
@given(
    st.lists(
        st.one_of(
            st.builds(PublishAnswered, st.integers(0, 3), st.sampled_from(PublishOutcome)),
            st.builds(FetchAnswered, st.integers(0, 3), st.one_of(st.none(), hostile_bytes())),
            st.integers(0, 5000),
        ),
        max_size=20,
    )
)
def test_directory_client_core_survives_anything(
    steps: list[PublishAnswered | FetchAnswered | int],
) -> None:
    keeper = DocumentKeeper(GENESIS, None)
    core = DirectoryClientCore(GENESIS, keeper, lambda now: DESCRIPTORS[0], SeededRandomness(1))
    now = float(START)
    for step in steps:
        if isinstance(step, int):
            now += step
            core.advance(now)
        else:
            core.receive(step, now)
        assert core.next_deadline() is not None
    assert set(keeper.held_data()) <= set(DOCUMENTS)


# ── the services, on links that are not there ────────────────────────────────────────────────


class FakeLink:
    """Takes frames. It ends when `ends_at` frames were sent to it, in the middle of an answer."""

    def __init__(self, handlers: LinkHandlers, peer: KeyHash | None, ends_at: int | None) -> None:
        self.peer_hash = peer
        self.handlers = handlers
        self.sent = 0
        self.is_up = True
        self._ends_at = ends_at

    def send(self, frames: Sequence[bytes]) -> None:
        assert all(len(frame) == DIRECTORY_FRAME_BYTES for frame in frames)
        self.sent += len(frames)
        if self._ends_at is not None and self.sent >= self._ends_at:
            self.abort()

    def allow_idle(self, seconds: float | None) -> None:
        pass

    def abort(self) -> None:
        if self.is_up:
            self.is_up = False
            self.handlers.on_down(self)  # type: ignore[arg-type]

    close = abort

    def up(self) -> None:
        self.handlers.on_up(self)  # type: ignore[arg-type]

    def take(self, frames: list[bytes]) -> None:
        """As FrameLink does it: PeerError ends the link, anything else passes."""
        if not self.is_up or not frames:
            return
        try:
            self.handlers.on_frames(self, frames)  # type: ignore[arg-type]
        except PeerError:
            self.abort()


class FakeConnector:
    """Comes up when a test says so."""

    made: ClassVar[list["FakeConnector"]] = []

    def __init__(self, *arguments: object, limits: object) -> None:
        (self.handlers,) = (one for one in arguments if isinstance(one, LinkHandlers))
        self.link: FakeLink | None = None
        self.is_stopped = False
        FakeConnector.made.append(self)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.is_stopped = True
        if self.link is not None:
            link, self.link = self.link, None
            link.abort()

    def up(self, ends_at: int | None) -> FakeLink:
        if self.link is not None:
            self.link.abort()
        link = self.link = FakeLink(self.handlers, None, ends_at)
        link.up()
        return link


def frames_of(message: DirectoryMessage) -> list[bytes]:
    return MessageCutter().cut(encode_directory(message))


def messages() -> st.SearchStrategy[DirectoryMessage]:
    data = hostile_bytes()
    return st.one_of(
        st.builds(PublishDescriptor, data),
        st.builds(FetchDocument, st.one_of(st.just(Epoch(0)), _epochs)),
        st.builds(DocumentFound, data),
        st.builds(NotFound),
        st.builds(Accepted),
        st.builds(Refused, st.sampled_from(Refusal)),
        st.builds(Vote, data),
        st.builds(Share, data),
    )


@st.composite
def batches(draw: st.DrawFn) -> list[bytes]:
    """Frames of one read: whole messages, parts of them, out of order, twice, or not of a message
    at all."""
    frames: list[bytes] = []
    for message in draw(st.lists(messages(), max_size=3)):
        frames += frames_of(message)
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "shuffled", "odd"])):
        case "cut":
            del frames[draw(st.integers(0, len(frames))) :]
        case "shuffled":
            frames = draw(st.permutations(frames)) if frames else frames
        case "odd":
            head = st.sampled_from([0, 1, 4087, 4088, 4089, 0xFFFFFFFF])
            total, offset = draw(head), draw(head)
            body = draw(st.sampled_from([bytes(4088), b"\x31" * 4088]))
            frames.append(total.to_bytes(4, "big") + offset.to_bytes(4, "big") + body)
        case _:
            pass
    return frames


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[LinkHandlers]]:
    """The handlers that `listen` was given."""
    listening: list[LinkHandlers] = []

    class FakeListener:
        def stop(self) -> None:
            pass

    def listen(*arguments: object, **_: object) -> FakeListener:
        listening.extend(one for one in arguments if isinstance(one, LinkHandlers))
        return FakeListener()

    monkeypatch.setattr("pki.service_authority.listen", listen)
    monkeypatch.setattr("pki.service_authority.Connector", FakeConnector)
    monkeypatch.setattr("pki.service_exchange.Connector", FakeConnector)
    yield listening
    FakeConnector.made.clear()


class Folder(AuthorityFolder):
    """Authority 0 of the network; no link is made with its identity."""

    def __init__(self, path: Path) -> None:
        settings = AuthoritySettings(name="authority0", host="::1", port=1, listen="::1")
        super().__init__(path, settings, GENESIS, 0, NETWORK.authority_keys[0], None)  # type: ignore[arg-type]


STRANGER = 4
_said = st.tuples(
    st.integers(0, STRANGER),  # whose link it is
    st.sampled_from(["in", "in", "in", "out"]),
    st.one_of(st.none(), st.none(), st.integers(1, 4)),  # when the link ends by itself
    st.lists(batches(), max_size=4),
)


@FUZZ
@given(st.lists(st.tuples(_said, st.sampled_from([0, 1, 40])), max_size=6))
def test_authority_service_survives_anything(
    links: list[LinkHandlers],
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[tuple[int, str, int | None, list[list[bytes]]], int]],
) -> None:
    FakeConnector.made.clear()
    links.clear()
    clock = Clock()
    service = AuthorityService(clock, Folder(tmp_path_factory.mktemp("authority")))  # type: ignore[arg-type]
    service.start()
    (handlers,) = links
    out = dict(zip((1, 2, 3), FakeConnector.made, strict=True))
    for (who, direction, ends_at, read), seconds in steps:
        if direction == "out" and who in out:
            link = out[who].up(ends_at)
        else:
            peer = None if who == STRANGER else GENESIS.authorities[who].key_hash
            link = FakeLink(handlers, KeyHash(peer) if peer is not None else None, ends_at)
            link.up()
        for frames in read:
            link.take(frames)
        clock.advance(seconds)
    service.stop()


@FUZZ
@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.booleans(),
            st.one_of(st.none(), st.integers(1, 4)),
            st.lists(batches(), max_size=2),
            st.sampled_from([0, 1, 400]),
        ),
        max_size=8,
    )
)
def test_directory_client_survives_anything(
    links: list[LinkHandlers],
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, bool, int | None, list[list[bytes]], int]],
) -> None:
    """Its questions come up or not, are answered with anything, and end at any moment."""
    FakeConnector.made.clear()
    clock = Clock()
    client = DirectoryClient(
        clock,  # type: ignore[arg-type]
        GENESIS,
        None,
        lambda consensus, epoch: None,
        lambda now: DESCRIPTORS[0],
        state_path=tmp_path_factory.mktemp("node") / "directory.state",
    )
    client.start()
    for which, ends, ends_at, read, seconds in steps:
        waiting = [one for one in FakeConnector.made if not one.is_stopped]
        if waiting:
            link = waiting[which % len(waiting)].up(ends_at)
            for frames in read:
                link.take(frames)
            if ends:
                link.abort()
        clock.advance(seconds)
    client.stop()
    assert set(client.keeper.held_data()) <= set(DOCUMENTS)
