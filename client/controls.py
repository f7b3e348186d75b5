"""What the client asks of its provider beside the packets: the control field of each frame.

An errand is what one frame carries: handles of committed mail, one inbox operation. It is done
when a mail frame answers the frame's sequence; if its frame never leaves, or the link goes down
first, it is carried again. All errands are idempotent. Spec: docs/spec/traffic.md (Control).
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from client.directory_pieces import DocumentPieces
from client.store_mailbox import MailboxTable, PendingOperation
from hushmill.identifiers import INBOX_ID_BYTES, Epoch, InboxId, NodeNumber
from hushmill.link import HANDLES_IN_CONTROL, NO_HANDLE, Control, InboxOperation, MailHandle
from hushmill.randomness import Randomness

HANDLES_LIMIT = 4096  # the oldest is forgotten: its item comes again, and is known again


@dataclass(frozen=True, slots=True)
class ControlBase:
    """What a slot's control field says whatever else happens: drawn once, when the slot is opened,
    and the same in each revision of its frame, so that nobody sees how many there were."""

    piece_epoch: Epoch
    piece_index: int
    one_time_inbox: InboxId
    idle_inbox: InboxId  # where there is no operation


@dataclass(frozen=True, slots=True)
class Errand:
    """What a frame's control field carries that must not be lost."""

    handles: tuple[MailHandle, ...]
    operation: PendingOperation | None


NO_ERRAND = Errand((), None)


class ControlDesk:
    """Composes control fields. Handles are given to it only after the commit of their items."""

    def __init__(self, mailbox: MailboxTable, pieces: DocumentPieces) -> None:
        self._mailbox = mailbox
        self._pieces = pieces
        self._handles: OrderedDict[MailHandle, None] = OrderedDict()
        self._carried_handles: Counter[MailHandle] = Counter()
        self._carried_operations: Counter[int] = Counter()
        self._sent: deque[tuple[int, Errand]] = deque()
        self._sequence = 0

    def knows(self, handle: MailHandle) -> bool:
        """Whether the item was committed and only waits to be deleted."""
        return handle in self._handles

    def add_committed(self, handle: MailHandle) -> None:
        self._handles[handle] = None
        while len(self._handles) > HANDLES_LIMIT:
            self._handles.popitem(last=False)

    def has_news(self) -> bool:
        """Whether something waits that no frame carries yet."""
        return any(handle not in self._carried_handles for handle in self._handles) or any(
            operation.id not in self._carried_operations for operation in self._mailbox.operations()
        )

    def open(self, rng: Randomness, now: float) -> ControlBase:
        """For a new slot, whose own randomness `rng` is: the piece that it asks for, and a fresh
        one-time inbox."""
        epoch, index = self._pieces.request(now)
        one_time, idle = InboxId(rng.take(INBOX_ID_BYTES)), InboxId(rng.take(INBOX_ID_BYTES))
        return ControlBase(epoch, index, one_time, idle)

    def compose(self, base: ControlBase, first_mix: NodeNumber) -> tuple[Control, Errand]:
        """A control field on the slot's base, and the errand that its frame now carries."""
        waiting = [handle for handle in self._handles if handle not in self._carried_handles]
        handles = tuple(waiting[:HANDLES_IN_CONTROL])
        operation = next(
            (
                operation
                for operation in self._mailbox.operations()
                if operation.id not in self._carried_operations
            ),
            None,
        )
        errand = Errand(handles, operation)
        self._carry(errand)
        control = Control(
            sequence=0,
            first_mix=first_mix,
            piece_epoch=base.piece_epoch,
            piece_index=base.piece_index,
            one_time_inbox=base.one_time_inbox,
            operation=InboxOperation.NONE if operation is None else operation.operation,
            inbox=base.idle_inbox if operation is None else operation.inbox,
            lifetime_hours=0 if operation is None else operation.lifetime_hours,
            handles=handles + (NO_HANDLE,) * (HANDLES_IN_CONTROL - len(handles)),
        )
        return control, errand

    def release(self, errand: Errand) -> None:
        """The frame will not leave."""
        self._carried_handles -= Counter(errand.handles)
        if errand.operation is not None:
            self._carried_operations -= Counter([errand.operation.id])

    def mark_sent(self, errand: Errand) -> None:
        """The next frame of the link session has left; it had this errand."""
        self._carry(errand)
        self._sequence += 1
        self._sent.append((self._sequence, errand))

    def answer(self, sequence: int, now: float) -> None:
        """Everything up to control `sequence` is committed at the provider. Call it inside a
        transaction."""
        while self._sent and self._sent[0][0] <= sequence:
            _, errand = self._sent.popleft()
            for handle in errand.handles:
                self._handles.pop(handle, None)
            if errand.operation is not None:
                self._mailbox.finish(errand.operation)
                if errand.operation.operation is InboxOperation.REGISTER_LIVE:
                    self._mailbox.mark_registered(errand.operation.inbox, now)
            self.release(errand)

    def link_up(self) -> None:
        """A new link session: its first frame will have the sequence 1."""
        self._sequence = 0
        self.link_down()

    def link_down(self) -> None:
        """What was sent and not answered may be lost, and is carried again."""
        while self._sent:
            self.release(self._sent.popleft()[1])

    def _carry(self, errand: Errand) -> None:
        self._carried_handles.update(errand.handles)
        if errand.operation is not None:
            self._carried_operations[errand.operation.id] += 1
