"""Links in to an authority: what slow readers can make it hold, and who may say what."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, KeyHash
from hushmill.link import (
    DIRECTORY_FRAME_BYTES,
    DIRECTORY_MESSAGE_LIMIT,
    NEWEST,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    MessageAssembler,
    MessageCutter,
    NotFound,
    PublishDescriptor,
    Share,
    Vote,
    decode_directory,
    encode_directory,
)
from pki.authority import DOCUMENTS_KEPT
from pki.authority_events import (
    AuthorityEvent,
    DescriptorOffered,
    DocumentArrived,
    DocumentAsked,
    ShareArrived,
    VoteArrived,
)
from pki.descriptor import DESCRIPTOR_BYTES_LIMIT
from pki.service_visitors import VISITOR_LIMITS, SharedFrames, Visitors

TWO = KeyHash(b"2" * 32)


@dataclass(eq=False)
class SlowReader:
    """A link whose peer reads nothing: all that was sent to it waits."""

    visitors: Visitors
    peer_hash: KeyHash | None = None
    waiting: list[bytes] = field(default_factory=list)
    is_up: bool = True

    def send(self, frames: Sequence[bytes]) -> None:
        self.waiting.extend(frames)

    def allow_idle(self, seconds: float | None) -> None:
        pass

    def abort(self) -> None:
        self.is_up = False
        self.visitors.closed(self)

    def says(self, *messages: DirectoryMessage) -> None:
        cut = MessageCutter().cut
        frames = [frame for message in messages for frame in cut(encode_directory(message))]
        self.visitors.came(self, frames)


class Hall:
    """Visitors of an authority that holds one document; `events` is what its core was told."""

    def __init__(self, document: bytes = b"d" * 100_000) -> None:
        self.events: list[AuthorityEvent] = []
        self.document = document
        self.frames = SharedFrames()
        self.visitors = Visitors({TWO: 2}, self.frames, self._receive)

    def visitor(self, peer: KeyHash | None = None) -> SlowReader:
        link = SlowReader(self.visitors, peer)
        self.visitors.opened(link)
        return link

    def _receive(self, event: AuthorityEvent) -> None:
        self.events.append(event)
        if isinstance(event, DocumentAsked):
            # A new value each time, equal to the one before: what counts is what it says.
            self.visitors.answer(event.session, DocumentFound(bytes(bytearray(self.document))))


def test_slow_readers_share_one_document() -> None:
    hall = Hall()
    readers = [hall.visitor() for _ in range(512)]
    for reader in readers:
        reader.says(FetchDocument(NEWEST))
    assert {len(reader.waiting) for reader in readers} == {25}
    assert len({id(frame) for reader in readers for frame in reader.waiting}) == 25
    assembler = MessageAssembler()
    whole = [assembler.add(frame) for frame in readers[-1].waiting][-1]
    assert whole is not None
    assert decode_directory(whole) == DocumentFound(hall.document)


def test_another_document_is_cut_anew_and_few_are_held() -> None:
    frames = SharedFrames()
    first = frames.of(DocumentFound(b"first"))
    assert frames.of(DocumentFound(b"first")) is first
    assert frames.of(DocumentFound(b"second")) != first
    for number in range(DOCUMENTS_KEPT - 2):
        frames.of(DocumentFound(b"%d" % number))
    assert frames.of(DocumentFound(b"first")) is first
    frames.of(DocumentFound(b"one more"))  # the least used gives way
    assert frames.of(DocumentFound(b"first")) is first
    for number in range(DOCUMENTS_KEPT):
        frames.of(DocumentFound(b"later %d" % number))
    assert frames.of(DocumentFound(b"first")) is not first


def test_anybody_has_one_question_a_link() -> None:
    hall = Hall()
    reader = hall.visitor()
    reader.says(FetchDocument(NEWEST))
    held = len(reader.waiting)
    with pytest.raises(PeerError) as caught:
        reader.says(FetchDocument(NEWEST))
    assert caught.value.reason is Drop.RATE
    assert len(reader.waiting) == held
    several = hall.visitor()
    with pytest.raises(PeerError):
        several.says(*[FetchDocument(NEWEST)] * 16)
    assert len(several.waiting) == held


def test_the_longest_answer_fits_what_may_wait_and_a_second_does_not() -> None:
    longest = MessageCutter().cut(bytes(DIRECTORY_MESSAGE_LIMIT))
    assert VISITOR_LIMITS.unsent_bytes == len(longest) * DIRECTORY_FRAME_BYTES


def test_anybody_is_heard_for_descriptors_and_fetches_only() -> None:
    hall = Hall()
    for message in (Vote(b"v"), Share(b"s"), DocumentFound(b"d"), NotFound()):
        with pytest.raises(PeerError):
            hall.visitor().says(message)
        with pytest.raises(PeerError):
            hall.visitor(KeyHash(b"?" * 32)).says(message)
    assert not hall.events
    with pytest.raises(PeerError):
        hall.visitor().says(PublishDescriptor(bytes(DESCRIPTOR_BYTES_LIMIT + 1)))
    hall.visitor().says(PublishDescriptor(b"p" * DESCRIPTOR_BYTES_LIMIT))
    (event,) = hall.events
    assert isinstance(event, DescriptorOffered)


def test_an_authority_is_told_by_its_link() -> None:
    hall = Hall()
    link = hall.visitor(TWO)
    link.says(Vote(b"v"), Share(b"s"), DocumentFound(b"d"), FetchDocument(Epoch(7)))
    session = hall.events[-1]
    assert isinstance(session, DocumentAsked)
    assert hall.events[:-1] == [VoteArrived(b"v"), ShareArrived(2, b"s"), DocumentArrived(b"d")]


def test_an_authority_has_one_link_and_the_newer_stays() -> None:
    """Half of a message of 8 MiB may wait on each link of an authority, so there are not many."""
    hall = Hall()
    links = [hall.visitor(TWO) for _ in range(5)]
    assert [link.is_up for link in links] == [False] * 4 + [True]
    links[-1].says(Vote(b"v"))
    assert hall.events == [VoteArrived(b"v")]


def test_nothing_is_taken_or_answered_after_the_end() -> None:
    hall = Hall()
    link = hall.visitor(TWO)
    twice = MessageCutter().cut(encode_directory(FetchDocument(NEWEST))) * 2

    def ends(frames: Sequence[bytes]) -> None:
        link.abort()

    link.send = ends  # type: ignore[method-assign]
    hall.visitors.came(link, twice)
    assert len(hall.events) == 1
    hall.visitors.answer(1, NotFound())
    hall.visitors.closed(link)
