"""The one door of a person's client, and its core: the person's verbs, and what the network says.

The way of a message out: `send` (outbox: encrypted, cut, sealed, committed) → a payload slot
(courier) → the pacer's tick. The way in: a mail frame → reception (one transaction) → the screen,
and only then the handle by which the provider may delete it. Spec: docs/spec/traffic.md.
"""

from collections import Counter
from typing import assert_never

from client.acknowledgements import AcknowledgementClock
from client.controls import ControlDesk
from client.core_events import (
    ConsensusAccepted,
    LinkDown,
    LinkUp,
    MailArrived,
    MessengerEffect,
    MessengerEvent,
    PacerStarted,
    PersonActed,
    SlotTaken,
    StatusView,
)
from client.courier import Courier
from client.directory_pieces import DocumentPieces
from client.envelope import EnvelopeFormat
from client.identity import Identity
from client.inbox import Inbox
from client.introductions import Introductions
from client.limits import CLIENT_LIMITS, ClientLimits
from client.loops import Loops
from client.network_view import NetworkView
from client.outbox import Outbox
from client.reception import Reception
from client.slots import SlotBoard
from client.store import ClientStore
from client.upkeep import Upkeep
from client.verbs import PersonsVerbs
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.link import ClientFrames, Mail
from hushmill.packet import PacketFormat
from hushmill.randomness import Randomness
from pki import Genesis, epoch_at

_SECRET_BYTES = 32
_PAGE = 100


class Messenger(PersonsVerbs):
    """`now` is Unix time throughout. `cover` False is for experiments: cover is then random bytes
    that no mix sees."""

    def __init__(
        self,
        store: ClientStore,
        genesis: Genesis,
        packet_format: PacketFormat,
        rng: Randomness,
        now: float,
        *,
        cover: bool = True,
        limits: ClientLimits = CLIENT_LIMITS,
    ) -> None:
        # First, so that whatever else is drawn, slots are the same for one seed.
        schedule_secret = rng.take(_SECRET_BYTES)
        person = store.person.read()
        geometry = packet_format.geometry
        frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        envelopes = EnvelopeFormat(geometry.body_bytes)
        identity = Identity(person.identity_seed)
        outbox = Outbox(store, genesis.parameters, envelopes, person.provider)
        introductions = Introductions(store, outbox, person, identity)
        self._genesis = genesis
        self._network = NetworkView(genesis, store.person.keeper())
        self._pieces = DocumentPieces(self._network.keeper, frames.piece_bytes)
        self._desk = ControlDesk(store.mailbox, self._pieces)
        self._loops = Loops(person.loop_secret)
        self._board = SlotBoard(
            genesis.parameters,
            packet_format,
            schedule_secret,
            person.provider,
            lambda: store.mailbox.live().inbox,
            self._desk,
            self._loops,
            rng,
            cover=cover,
        )
        self._inbox = Inbox(store, limits)
        self._clock = AcknowledgementClock(genesis.parameters, rng)
        courier = Courier(store, envelopes, outbox, self._board, self._clock)
        super().__init__(store, person, outbox, introductions, courier, rng, limits)
        self._reception = Reception(
            store, envelopes, self._inbox, outbox, introductions, courier, self._loops
        )
        self._upkeep = Upkeep(store, outbox, introductions, self._network, now)
        self._link_is_up = False
        self._drops: Counter[Drop] = Counter()
        self._packets: Counter[str] = Counter()
        for contact in store.contacts.all():
            courier.watch(contact.id, now)

    # 1. how it is

    def status(self, now: float) -> StatusView:
        return StatusView(
            name=self._person.name,
            provider=self._person.provider,
            link_up=self._link_is_up,
            epoch=epoch_at(now, self._genesis.parameters),
            document_epoch=self._network.document_epoch,
            document_stale=not self._network.serves(now),
            anonymity=self._network.anonymity(now),
            contacts=self._store.contacts.count(),
            messages=self._store.messages.count_own(),
            outbox_bytes=self._outbox.bytes_kept(),
            loops_sent=self._loops.sent,
            loops_returned=self._loops.returned,
            packets=tuple(sorted(self._packets.items())),
            drops=tuple(sorted((reason.value, count) for reason, count in self._drops.items())),
        )

    def count_drop(self, reason: Drop) -> None:
        """For what whoever runs this core has dropped (a frame that does not decode)."""
        self._drops[reason] += 1

    # 2. the core's verbs

    def receive(self, event: MessengerEvent, now: float) -> list[MessengerEffect]:
        effects: list[MessengerEffect] = []
        match event:
            case LinkUp():
                self._link_is_up = True
                self._desk.link_up()
                self._courier.link_up()
            case LinkDown():
                self._link_is_up = False
                self._desk.link_down()
                effects += self._courier.link_down()
            case PacerStarted():
                self._link_is_up = False
                self._desk.link_down()
                self._courier.forget_frames()
            case SlotTaken():
                effects = self._slot_taken(event, now)
            case MailArrived(mail):
                effects = self._mail(mail, now)
            case PersonActed():
                pass
            case _:
                assert_never(event)
        return effects + self.advance(now)

    def next_deadline(self) -> float | None:
        if self._acted_at is not None:
            return self._acted_at
        deadlines = [
            self._upkeep.next_at,
            self._network.next_change,
            self._clock.next_tick,
            self._store.parcels.next_due(self._network.looked_at),
            self._inbox.next_gap_deadline(),
        ]
        return min(deadline for deadline in deadlines if deadline is not None)

    def advance(self, now: float) -> list[MessengerEffect]:
        effects, self._left, self._acted_at = self._left, [], None
        if self._upkeep.next_at <= now:
            effects += self._upkeep.run(now)
        gap = self._inbox.next_gap_deadline()
        if gap is not None and gap <= now:
            with self._store.transaction():
                effects += self._inbox.show_over_gaps(now)
        self._courier.tick(now)
        network = self._network.at(now)
        effects += self._courier.renew(network, epoch_at(now, self._genesis.parameters))
        if self._link_is_up:
            effects += self._board.top_up(now)
            effects += self._courier.load(now)
            effects += self._board.refresh()
        return effects

    # events

    def _slot_taken(self, event: SlotTaken, now: float) -> list[MessengerEffect]:
        taken = self._board.take(event)
        if taken is None:
            return []
        load, left_behind = taken
        self._packets[load.kind.value] += 1
        # Loops to an inbox that is not registered yet cannot return.
        if load.loop is not None and self._store.mailbox.live().registered_at is not None:
            self._loops.mark_sent(load.loop)
        return self._courier.mark_taken(load, left_behind, now)

    def _mail(self, mail: Mail, now: float) -> list[MessengerEffect]:
        effects: list[MessengerEffect] = []
        with self._store.transaction():
            self._desk.answer(mail.answered_sequence, now)
        if mail.piece is not None:
            try:
                document = self._pieces.take(mail.piece, now)
                if document is not None and self._network.accept(document, now):
                    with self._store.transaction():
                        self._store.person.keep_documents(self._network.keeper.state())
                    epoch = self._network.document_epoch
                    effects += [] if epoch is None else [ConsensusAccepted(epoch)]
            except PeerError as error:
                self.count_drop(error.reason)
        if mail.item is not None and not self._desk.knows(mail.item.handle):
            shown, reason = self._reception.take(mail.item, now)
            self._desk.add_committed(mail.item.handle)  # the transaction has ended
            effects += shown
            if reason is not None:
                self.count_drop(reason)
        return effects
