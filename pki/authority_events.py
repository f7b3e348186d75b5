"""What an authority is told, what it asks to be done, and the records it keeps.

Effects are carried out in their order. Spec: docs/spec/directory.md (Voting).
"""

from dataclasses import dataclass
from typing import Protocol

from hushmill.drops import Drop
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.link import DirectoryMessage


@dataclass(frozen=True, slots=True)
class DescriptorOffered:
    """Someone on connection `session` published a descriptor."""

    session: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DocumentAsked:
    """Someone asks for the document of `epoch`, or for the newest (NEWEST)."""

    session: int
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class VoteArrived:
    """A signed vote over a link of an authority; the vote may be another's, relayed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ShareArrived:
    """A share over the link that `authority` is pinned to; shares are not relayed."""

    authority: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DocumentArrived:
    """A published document over a link of an authority."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A link to that authority came up: it may have missed anything."""

    authority: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the one who asked; nothing if they are gone."""

    session: int
    message: DirectoryMessage


@dataclass(frozen=True, slots=True)
class ToAll:
    """To every other authority whose link is up; the rest get it by `PeerUp`."""

    message: DirectoryMessage


@dataclass(frozen=True, slots=True)
class ToAuthority:
    authority: int
    message: DirectoryMessage


@dataclass(frozen=True, slots=True)
class KeepDescriptor:
    """Store the node's newest descriptor in place of its older one."""

    node: NodeNumber
    data: bytes


@dataclass(frozen=True, slots=True)
class KeepDocument:
    """Store a published document."""

    epoch: Epoch
    data: bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something was refused; count it."""

    reason: Drop


AuthorityEvent = (
    DescriptorOffered | DocumentAsked | VoteArrived | ShareArrived | DocumentArrived | PeerUp
)
AuthorityEffect = Reply | ToAll | ToAuthority | KeepDescriptor | KeepDocument | Dropped


class SigningRecord(Protocol):
    """Which documents this authority has signed. It outlives every crash."""

    def record(self, epoch: Epoch, digest: bytes) -> bool:
        """True when `digest` may be signed for `epoch`: nothing else was recorded for it or for a
        later epoch. On disk before it returns; an error of the disk ends the process."""
        ...

    def newest_before(self, epoch: Epoch) -> tuple[Epoch, bytes] | None:
        """The newest recorded epoch below `epoch`, and its digest."""
        ...
