"""The links that come in to an authority: from anybody, and from the other authorities.

Whoever is not an authority gets one question and its one answer, so that 512 slow readers hold 512
answers and no more; and an answer that is a document is one list of frames for all of them. Each
authority has one link in, and a newer one replaces it. Spec: docs/spec/directory.md (Authorities'
links).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import KeyHash
from hushmill.link import (
    DIRECTORY_FRAME_BYTES,
    DIRECTORY_MESSAGE_LIMIT,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    MessageAssembler,
    MessageCutter,
    PublishDescriptor,
    Share,
    Vote,
    decode_directory,
    encode_directory,
)
from hushmill.runtime import LinkLimits
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

_PUBLIC_IDLE_SECONDS = 20.0
_CHUNK_BYTES = DIRECTORY_FRAME_BYTES - 8
_LARGEST_ANSWER = -(-DIRECTORY_MESSAGE_LIMIT // _CHUNK_BYTES) * DIRECTORY_FRAME_BYTES

VISITOR_LIMITS = LinkLimits(idle_seconds=_PUBLIC_IDLE_SECONDS, unsent_bytes=_LARGEST_ANSWER)


class Link(Protocol):
    """What is used of a FrameLink."""

    @property
    def peer_hash(self) -> KeyHash | None: ...
    def send(self, frames: Sequence[bytes]) -> None: ...
    def allow_idle(self, seconds: float | None) -> None: ...
    def abort(self) -> None: ...


class SharedFrames:
    """Cuts messages; the frames of a document are made once and shared by all links."""

    def __init__(self) -> None:
        self._cutter = MessageCutter()
        self._documents: dict[DocumentFound, tuple[bytes, ...]] = {}  # the last used at the end

    def of(self, message: DirectoryMessage) -> Sequence[bytes]:
        if not isinstance(message, DocumentFound):
            return self._cutter.cut(encode_directory(message))
        frames = self._documents.pop(message, None)
        if frames is None:
            frames = tuple(self._cutter.cut(encode_directory(message)))
            while len(self._documents) >= DOCUMENTS_KEPT:
                del self._documents[next(iter(self._documents))]
        self._documents[message] = frames
        return frames


@dataclass(slots=True)
class _Visitor:
    """One link. `authority` is the number of the authority that it is pinned to."""

    session: int
    authority: int | None
    assembler: MessageAssembler
    has_asked: bool = False


class Visitors:
    """`receive` gets what they say; the bytes of any of them raise PeerError or nothing."""

    def __init__(
        self,
        authorities: dict[KeyHash, int],
        frames: SharedFrames,
        receive: Callable[[AuthorityEvent], None],
    ) -> None:
        """`authorities`: the numbers of the *other* authorities."""
        self._authorities = authorities
        self._frames = frames
        self._receive = receive
        self._visitors: dict[Link, _Visitor] = {}
        self._sessions: dict[int, Link] = {}
        self._by_authority: dict[int, Link] = {}
        self._next_session = 0

    def opened(self, link: Link) -> None:
        peer = link.peer_hash
        authority = None if peer is None else self._authorities.get(peer)
        if authority is None:
            assembler = MessageAssembler(DESCRIPTOR_BYTES_LIMIT + 1)
        else:
            assembler = MessageAssembler()
            link.allow_idle(None)
        self._next_session += 1
        self._visitors[link] = _Visitor(self._next_session, authority, assembler)
        self._sessions[self._next_session] = link
        if authority is not None:
            older = self._by_authority.get(authority)
            self._by_authority[authority] = link
            if older is not None:
                older.abort()

    def closed(self, link: Link) -> None:
        visitor = self._visitors.pop(link, None)
        if visitor is None:
            return
        del self._sessions[visitor.session]
        if visitor.authority is not None and self._by_authority.get(visitor.authority) is link:
            del self._by_authority[visitor.authority]

    def came(self, link: Link, frames: list[bytes]) -> None:
        """Raises PeerError, which ends the link."""
        for frame in frames:
            visitor = self._visitors.get(link)
            if visitor is None:
                return  # what one of the frames before led to has ended the link
            message = visitor.assembler.add(frame)
            if message is not None:
                self._receive(_event_of(visitor, decode_directory(message)))

    def answer(self, session: int, message: DirectoryMessage) -> None:
        """Nothing for a visitor who is gone."""
        link = self._sessions.get(session)
        if link is not None:
            link.send(self._frames.of(message))


def _event_of(visitor: _Visitor, message: DirectoryMessage) -> AuthorityEvent:
    """Raises PeerError for what this visitor may not say, or not any more."""
    authority = visitor.authority
    if authority is None and visitor.has_asked:
        raise PeerError(Drop.RATE)
    visitor.has_asked = True
    match message:
        case PublishDescriptor(data):
            return DescriptorOffered(visitor.session, data)
        case FetchDocument(epoch):
            return DocumentAsked(visitor.session, epoch)
        case Vote(data) if authority is not None:
            return VoteArrived(data)
        case Share(data) if authority is not None:
            return ShareArrived(authority, data)
        case DocumentFound(data) if authority is not None:
            return DocumentArrived(data)
        case _:
            raise PeerError(Drop.FRAME)
