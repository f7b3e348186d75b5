"""What is looked after once a minute: invitations that run out, messages that nobody confirmed,
prekeys, the registration of our inbox, and the time up to which documents have run out."""

from client.address_book import contact_view
from client.core_events import ContactChanged, MessageChanged, MessengerEffect
from client.inbox import PARTIAL_SECONDS
from client.introductions import Introductions
from client.network_view import NetworkView
from client.outbox import Outbox
from client.states import MessageState
from client.store import ClientStore
from hushmill.identifiers import Epoch
from hushmill.link import InboxOperation

UPKEEP_SECONDS = 60.0
INBOX_LIFETIME_HOURS = 30 * 24
REGISTER_AGAIN_SECONDS = 10 * 24 * 3600.0


class Upkeep:
    def __init__(
        self,
        store: ClientStore,
        outbox: Outbox,
        introductions: Introductions,
        network: NetworkView,
        now: float,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._introductions = introductions
        self._network = network
        self._kept_at: Epoch | None = None  # when the keeper's state was kept last
        self.next_at = now

    def run(self, now: float) -> list[MessengerEffect]:
        self.next_at = now + UPKEEP_SECONDS
        effects: list[MessengerEffect] = []
        with self._store.transaction():
            for contact in self._introductions.expire(now):
                effects.append(ContactChanged(contact_view(self._store, contact)))
                effects += [
                    MessageChanged(message, contact.name, MessageState.UNCONFIRMED)
                    for message in self._store.messages.give_up_waiting(contact.id)
                ]
            effects += self._outbox.give_up(now)
            self._introductions.rotate_prekeys(now)
            self._keep_time(now)
            self._store.partials.remove_older(now - PARTIAL_SECONDS)
            live = self._store.mailbox.live()
            if live.registered_at is None or live.registered_at < now - REGISTER_AGAIN_SECONDS:
                self._store.mailbox.ask(
                    InboxOperation.REGISTER_LIVE, live.inbox, INBOX_LIFETIME_HOURS
                )
        return effects

    def _keep_time(self, now: float) -> None:
        """Once an epoch, so that a clock set back behind a restart opens no old document again."""
        epoch = self._network.epoch(now)
        if epoch != self._kept_at and self._network.document_epoch is not None:
            self._network.serves(now)  # the keeper sees the time
            self._store.person.keep_documents(self._network.keeper.state())
            self._kept_at = epoch
