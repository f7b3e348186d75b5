"""What goes into the payload slots: acknowledgements when their clock has ticked, and fragments.

Nothing here decides when anything leaves; it only replaces cover in slots that leave anyway.
Spec: docs/spec/traffic.md (Slots, Acknowledgements).
"""

from client.acknowledgements import AcknowledgementClock
from client.cargo import Cargo, Load, Network
from client.core_events import FillSlot, MessengerEffect
from client.envelope import EnvelopeFormat
from client.outbox import Outbox
from client.receipts import acknowledgement_for
from client.seal import deposit_id, seal_fragment
from client.slots import SlotBoard
from client.states import ContactState
from client.store import ClientStore
from hushmill.identifiers import DepositId, Epoch

ACKNOWLEDGEMENT_INDEX = 0xFFFF  # in a deposit id, where fragments have their number


class Courier:
    """Writes in transactions of its own, each ended before the frame that needs it exists."""

    def __init__(
        self,
        store: ClientStore,
        envelopes: EnvelopeFormat,
        outbox: Outbox,
        board: SlotBoard,
        clock: AcknowledgementClock,
    ) -> None:
        self._store = store
        self._envelopes = envelopes
        self._outbox = outbox
        self._board = board
        self._clock = clock
        self._owed: dict[int, None] = {}  # contacts, in the order of their ticks
        self._link_is_up = False

    def watch(self, contact: int, now: float) -> None:
        """The contact's clock ticks, at the rate that fits its last message."""
        row = self._store.contacts.numbered(contact)
        if row.state is ContactState.ACTIVE:
            self._clock.watch(contact, row.active_at, now)

    def link_up(self) -> None:
        self._link_is_up = True

    def link_down(self) -> list[FillSlot]:
        """No acknowledgement waits for the link: it would tell when the link came back. Cover takes
        the place of those that lie in slots."""
        self._link_is_up = False
        self._owed.clear()
        return self._board.unload_acknowledgements()

    def owe(self, contact: int) -> None:
        """An acknowledgement is to go into the next payload slot."""
        if self._link_is_up:
            self._owed[contact] = None

    def tick(self, now: float) -> None:
        for contact in self._clock.due(now):
            self.owe(contact)

    def renew(self, network: Network | None, epoch: Epoch) -> list[FillSlot]:
        """Frames made anew for another epoch or document; acknowledgements in them are owed
        again, fragments are due as before."""
        before = self._board.acknowledgements_in_flight()
        filled = self._board.renew(network, epoch)
        for contact in sorted(before - self._board.acknowledgements_in_flight()):
            self.owe(contact)
        return filled

    def forget_frames(self) -> None:
        """The pacer has begun again with nothing, and without a link."""
        self._link_is_up = False
        self._owed.clear()
        self._board.clear()

    def load(self, now: float) -> list[FillSlot]:
        """Payload slots filled with what there is to send."""
        filled: list[FillSlot] = []
        unreachable: set[int] = set()
        while self._board.free_slots():
            cargo = self._next(unreachable, now)
            if cargo is None:
                break
            effect = self._board.load(cargo)
            if effect is None:
                unreachable.add(cargo.contact)
            else:
                filled.append(effect)
        return filled

    def mark_taken(self, load: Load, left_behind: list[Cargo], now: float) -> list[MessengerEffect]:
        """A frame has left with `load` in it; what stayed behind goes again."""
        for cargo in left_behind:
            if cargo.fragment is None:
                self.owe(cargo.contact)
        if load.cargo is None or load.cargo.fragment is None:
            return []
        with self._store.transaction():
            return self._outbox.mark_sent(load.cargo.fragment, now)

    def _next(self, unreachable: set[int], now: float) -> Cargo | None:
        while self._owed:
            contact = next(iter(self._owed))
            del self._owed[contact]
            if contact not in unreachable:
                cargo = self._acknowledgement(contact)
                if cargo is not None:
                    return cargo
        due = self._outbox.next_due(self._board.in_flight(), unreachable, now)
        if due is None:
            return None
        cargo = self._cargo(due.contact, due.deposit, due.sealed)
        if cargo is None:
            unreachable.add(due.contact)
            return self._next(unreachable, now)
        return Cargo(
            cargo.contact, due.key, cargo.provider, cargo.inbox, cargo.deposit, cargo.sealed
        )

    def _acknowledgement(self, contact: int) -> Cargo | None:
        """A fresh acknowledgement. Its number is committed before its bytes exist: no number ever
        seals two of them."""
        secret = self._store.sessions.send_secret(contact)
        if secret is None:
            return None
        with self._store.transaction():
            number = self._store.contacts.take_acknowledgement(contact)
        row = self._store.contacts.numbered(contact)
        receipt = acknowledgement_for(self._store, row, self._envelopes.entries_alone)
        deposit = deposit_id(secret, number, ACKNOWLEDGEMENT_INDEX)
        plaintext = self._envelopes.encode(self._outbox.envelope(row, receipt, None))
        return self._cargo(contact, deposit, seal_fragment(secret, deposit, plaintext))

    def _cargo(self, contact: int, deposit: DepositId, sealed: bytes) -> Cargo | None:
        row = self._store.contacts.numbered(contact)
        if row.provider is None or row.inbox is None:
            return None
        return Cargo(contact, None, row.provider, row.inbox, deposit, sealed)
