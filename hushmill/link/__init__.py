"""Frames: what two ends of a link say, each class in frames of one size. Pure; the sockets are in
`hushmill.runtime`. Spec: docs/spec/link.md.
"""

from hushmill.link.challenge import (
    EXPORTER_BYTES,
    EXPORTER_LABEL,
    PROOF_OF_WORK_BITS,
    exporter_challenge,
    is_proof_of_work,
    solve_proof_of_work,
)
from hushmill.link.commands import (
    LINK_VERSION,
    ClientFrames,
    Hello,
    NodeFrames,
    Relay,
    RelayAndFetch,
    Welcome,
    WelcomeStatus,
)
from hushmill.link.control import (
    HANDLES_IN_CONTROL,
    NEWEST_DOCUMENT,
    NO_HANDLE,
    Control,
    InboxOperation,
    MailHandle,
)
from hushmill.link.cutting import DIRECTORY_MESSAGE_LIMIT, MessageAssembler, MessageCutter
from hushmill.link.directory import (
    NEWEST,
    Accepted,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    NotFound,
    PublishDescriptor,
    Refusal,
    Refused,
    Share,
    Vote,
    decode_directory,
    encode_directory,
)
from hushmill.link.link_class import (
    CONTROL_BYTES,
    DIRECTORY_FRAME_BYTES,
    LinkClass,
    frame_bytes,
)
from hushmill.link.mail import Mail, MailItem, PieceOfDocument

__all__ = [
    "CONTROL_BYTES",
    "DIRECTORY_FRAME_BYTES",
    "DIRECTORY_MESSAGE_LIMIT",
    "EXPORTER_BYTES",
    "EXPORTER_LABEL",
    "HANDLES_IN_CONTROL",
    "LINK_VERSION",
    "NEWEST",
    "NEWEST_DOCUMENT",
    "NO_HANDLE",
    "PROOF_OF_WORK_BITS",
    "Accepted",
    "ClientFrames",
    "Control",
    "DirectoryMessage",
    "DocumentFound",
    "FetchDocument",
    "Hello",
    "InboxOperation",
    "LinkClass",
    "Mail",
    "MailHandle",
    "MailItem",
    "MessageAssembler",
    "MessageCutter",
    "NodeFrames",
    "NotFound",
    "PieceOfDocument",
    "PublishDescriptor",
    "Refusal",
    "Refused",
    "Relay",
    "RelayAndFetch",
    "Share",
    "Vote",
    "Welcome",
    "WelcomeStatus",
    "decode_directory",
    "encode_directory",
    "exporter_challenge",
    "frame_bytes",
    "is_proof_of_work",
    "solve_proof_of_work",
]
