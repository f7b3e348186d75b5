"""The network as this client may use it now: a document that serves, and the epoch of its keys."""

from client.cargo import Network
from hushmill.errors import UserError
from hushmill.identifiers import Epoch
from pki import (
    DocumentKeeper,
    Genesis,
    NetworkAnonymity,
    anonymity_of,
    epoch_at,
    epoch_start,
    next_epoch,
)

OLDEST_FIGURES = 1  # epochs by which a document may lag behind for its loads to be shown


class NetworkView:
    """Wraps the keeper of documents, whose state the messenger persists."""

    def __init__(self, genesis: Genesis, keeper_state: bytes | None) -> None:
        self._parameters = genesis.parameters
        self.keeper = DocumentKeeper(genesis, keeper_state)
        self.looked_at = 0.0
        self.next_change = 0.0  # the next epoch's beginning
        self._figures: tuple[bytes, NetworkAnonymity | None] | None = None  # by digest

    def epoch(self, now: float) -> Epoch:
        return epoch_at(now, self._parameters)

    def at(self, now: float) -> Network | None:
        """None when there is no document, when the last has run out, or when the clock is wrong:
        payload is held then."""
        self.looked_at = now
        following = next_epoch(epoch_at(now, self._parameters))
        self.next_change = epoch_start(following, self._parameters)
        return self._look(now)

    def serves(self, now: float) -> bool:
        """Whether `at` would give something; it changes no deadline."""
        return self._look(now) is not None

    def _look(self, now: float) -> Network | None:
        try:
            return Network(self.keeper.current(now), epoch_at(now, self._parameters))
        except UserError:
            return None

    def accept(self, document: bytes, now: float) -> bool:
        """Whether `document` (hostile) is valid and new. Raises PeerError."""
        return self.keeper.accept(document, now)

    def anonymity(self, now: float) -> NetworkAnonymity | None:
        """What the newest document's loads let a person expect; None while nothing serves, no mix
        has said a load yet, or the document is not of this epoch or the one before: a network that
        has stopped publishing may have emptied since. Worked out once a document."""
        newest = self.keeper.newest
        if newest is None or not self.serves(now):
            return None
        if newest.epoch + OLDEST_FIGURES < epoch_at(now, self._parameters):
            return None
        if self._figures is None or self._figures[0] != newest.digest:
            self._figures = newest.digest, anonymity_of(newest, self._parameters)
        return self._figures[1]

    @property
    def document_epoch(self) -> Epoch | None:
        newest = self.keeper.newest
        return None if newest is None else newest.epoch
