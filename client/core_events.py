"""What goes into and comes out of the client's cores, and what a person is shown.

`Messenger` takes `SlotTaken`, `MailArrived`, `LinkUp`, `LinkDown`, `PacerStarted` and
`PersonActed`; it gives `FillSlot` (which is, unchanged, the pacer's event) and the effects that a
person's screen is made of. `PacerCore` takes `FillSlot`, `LinkUp`, `LinkDown` and gives `SendFrame`
and `SlotTaken` (unchanged, the messenger's event). Spec: docs/spec/traffic.md.
"""

from dataclasses import dataclass
from enum import IntEnum

from client.states import ContactState, Direction, MessageState
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.link import Mail
from pki import NetworkAnonymity


class Stream(IntEnum):
    """The three Poisson processes of one client."""

    PAYLOAD = 0
    LOOP = 1
    DROP = 2


# Events of both cores


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The provider has accepted the account: frames can leave."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Frames sent and not yet answered may be lost."""


# Between the messenger and the pacer


@dataclass(frozen=True, slots=True)
class FillSlot:
    """`frame` (exactly one CLIENT frame) is to leave in slot `number` of `stream`. A higher
    `revision` replaces a lower one; for a slot already taken it comes too late and is ignored."""

    stream: Stream
    number: int
    revision: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class SlotTaken:
    """Slot `number` of `stream` has left, with what `revision` put into it. These come in the order
    in which the frames left: the n-th since LinkUp has the control sequence n."""

    stream: Stream
    number: int
    revision: int


# Events of the messenger alone


@dataclass(frozen=True, slots=True)
class PacerStarted:
    """A pacer with no slot filled has begun (or begun again): whatever was prepared is gone."""


@dataclass(frozen=True, slots=True)
class MailArrived:
    """One mail frame from the provider."""

    mail: Mail


@dataclass(frozen=True, slots=True)
class PersonActed:
    """A verb of the messenger was called: fetch the effects it has left. `advance` does the same;
    `next_deadline` is not later than the verb's `now` until one of the two was called."""


MessengerEvent = LinkUp | LinkDown | PacerStarted | SlotTaken | MailArrived | PersonActed
PacerEvent = LinkUp | LinkDown | FillSlot


# What a person sees


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact as a person sees it; `their_name` is what they call themselves, if known."""

    name: str
    state: ContactState
    verified: bool
    their_name: str | None
    provider: NodeNumber | None
    invitation_expires: float | None  # Unix seconds, while an invitation is open


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as a person sees it. A file's bytes come from `Messenger.attachment`."""

    id: int
    contact: str
    direction: Direction
    state: MessageState
    kind: str  # "text" or "file"
    text: str  # empty for a file
    file_name: str | None
    size: int  # of the text in UTF-8, or of the file, bytes
    sent_at: float  # by the sender's clock, Unix seconds
    order: int  # received ones: the order in which they were shown; 0 for own ones
    gap: bool  # shown although an earlier one is still missing
    late: bool  # filled such a gap


@dataclass(frozen=True, slots=True)
class StatusView:
    """How this client is; nothing in it names a person, but `contacts` counts them."""

    name: str
    provider: NodeNumber
    link_up: bool
    epoch: Epoch
    document_epoch: Epoch | None
    document_stale: bool  # payload is held
    anonymity: NetworkAnonymity | None  # None: not known yet
    contacts: int
    messages: tuple[tuple[str, int], ...]  # own ones by state
    outbox_bytes: int
    loops_sent: int
    loops_returned: int
    packets: tuple[tuple[str, int], ...]  # sent, by what they were: payload, loop, drop, nothing
    drops: tuple[tuple[str, int], ...]  # by reason


# Effects


@dataclass(frozen=True, slots=True)
class SendFrame:
    """The pacer's: write these bytes, one CLIENT frame, now."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """Shown once, in order; it is in the store already."""

    message: MessageView


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """An own message is now in `state`."""

    id: int
    contact: str
    state: MessageState


@dataclass(frozen=True, slots=True)
class ContactChanged:
    contact: ContactView


@dataclass(frozen=True, slots=True)
class ConsensusAccepted:
    """A newer document of the network was verified and stored."""

    epoch: Epoch


MessengerEffect = FillSlot | MessageArrived | MessageChanged | ContactChanged | ConsensusAccepted
PacerEffect = SendFrame | SlotTaken
