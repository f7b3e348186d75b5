"""What is said to and by an authority. Documents are opaque here; `pki` decodes them.

A message is one byte of command and its fields; `MessageCutter` carries it. Decoders take bytes
from a peer who may be hostile: a value or PeerError(FRAME). Spec: docs/spec/link.md (Directory).
"""

from dataclasses import dataclass
from enum import IntEnum

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch

NEWEST = Epoch(0)  # in FetchDocument: the newest that the authority has


class Refusal(IntEnum):
    """Why an authority refuses; said only of what its sender can mend."""

    INVALID = 1
    NOT_ADMITTED = 2
    TOO_OLD = 3
    BUSY = 4


_REFUSALS = {bytes([reason]): reason for reason in Refusal}


class _Code(IntEnum):
    PUBLISH_DESCRIPTOR = 0x30
    FETCH_DOCUMENT = 0x31
    DOCUMENT_FOUND = 0x32
    NOT_FOUND = 0x33
    ACCEPTED = 0x34
    REFUSED = 0x35
    VOTE = 0x36
    SHARE = 0x37


@dataclass(frozen=True, slots=True)
class PublishDescriptor:
    """A node's signed descriptor."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FetchDocument:
    """Asks for the signed consensus of `epoch`, or for the NEWEST."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class DocumentFound:
    """A signed consensus."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such document here."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was published is kept."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was published is not kept."""

    reason: Refusal


@dataclass(frozen=True, slots=True)
class Vote:
    """An authority's signed vote, its own or relayed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Share:
    """An authority's signature on the next document."""

    data: bytes


DirectoryMessage = (
    PublishDescriptor | FetchDocument | DocumentFound | NotFound | Accepted | Refused | Vote | Share
)


def encode_directory(message: DirectoryMessage) -> bytes:
    """The message's bytes, to be cut into frames."""
    match message:
        case PublishDescriptor(data):
            return bytes([_Code.PUBLISH_DESCRIPTOR]) + data
        case FetchDocument(epoch):
            return bytes([_Code.FETCH_DOCUMENT]) + epoch.to_bytes(4, "big")
        case DocumentFound(data):
            return bytes([_Code.DOCUMENT_FOUND]) + data
        case NotFound():
            return bytes([_Code.NOT_FOUND])
        case Accepted():
            return bytes([_Code.ACCEPTED])
        case Refused(reason):
            return bytes([_Code.REFUSED, reason])
        case Vote(data):
            return bytes([_Code.VOTE]) + data
        case Share(data):
            return bytes([_Code.SHARE]) + data


def decode_directory(data: bytes) -> DirectoryMessage:
    """The message in `data`, as an assembler gave it."""
    code, fields = data[:1], data[1:]
    match int.from_bytes(code, "big"):
        case _Code.PUBLISH_DESCRIPTOR:
            return PublishDescriptor(fields)
        case _Code.FETCH_DOCUMENT if len(fields) == 4:
            return FetchDocument(Epoch(int.from_bytes(fields, "big")))
        case _Code.DOCUMENT_FOUND:
            return DocumentFound(fields)
        case _Code.NOT_FOUND if not fields:
            return NotFound()
        case _Code.ACCEPTED if not fields:
            return Accepted()
        case _Code.REFUSED if fields in _REFUSALS:
            return Refused(_REFUSALS[fields])
        case _Code.VOTE:
            return Vote(fields)
        case _Code.SHARE:
            return Share(fields)
        case _:
            raise PeerError(Drop.FRAME)
