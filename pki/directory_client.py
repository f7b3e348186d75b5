"""What a node has to do with the directory, as a pure core: publish its descriptor to every
authority once an epoch, fetch documents from a random one, and say which document serves.

Spec: docs/spec/directory.md (Nodes and clients).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from hushmill.drops import Drop
from hushmill.errors import PeerError, UserError
from hushmill.identifiers import Epoch
from hushmill.randomness import Randomness, below, unit
from pki.consensus import Consensus
from pki.epochs import epoch_at, epoch_start, next_document_due, next_epoch
from pki.genesis import Genesis
from pki.trust import DocumentKeeper


class PublishOutcome(Enum):
    """What became of one try to publish."""

    ACCEPTED = "accepted"
    TOO_OLD = "too old"  # the authority holds one as new: the descriptor is made again for all
    FAILED = "failed"  # refused otherwise, silent or unreachable: the same bytes are tried again


@dataclass(frozen=True, slots=True)
class PublishAnswered:
    """What the authority said to the descriptor."""

    authority: int
    outcome: PublishOutcome


@dataclass(frozen=True, slots=True)
class FetchAnswered:
    """What the authority gave; None for "not found", silence and unreachable."""

    authority: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Publish:
    """Send the descriptor; exactly one PublishAnswered follows."""

    authority: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask for a document (NEWEST or an epoch's); exactly one FetchAnswered follows."""

    authority: int
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class KeepState:
    """Persist the keeper's state before what follows."""

    state: bytes


@dataclass(frozen=True, slots=True)
class DocumentAccepted:
    """A new valid document, perhaps of the next epoch: what providers hand on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ConsensusServes:
    """From now on `consensus` is in force, in `epoch`; said again at each boundary."""

    consensus: Consensus
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class ConsensusLost:
    """No document is in force any more; the text is for the operator."""

    text: str


@dataclass(frozen=True, slots=True)
class DocumentRefused:
    """Count it."""

    reason: Drop


DirectoryClientEvent = PublishAnswered | FetchAnswered
DirectoryClientEffect = (
    Publish
    | Fetch
    | KeepState
    | DocumentAccepted
    | ConsensusServes
    | ConsensusLost
    | DocumentRefused
)


class DirectoryClientCore:
    """`now` is Unix time that does not step back. `make_descriptor(now)` gives the signed bytes of
    a descriptor whose first key is the present epoch's; None for one who only fetches."""

    def __init__(
        self,
        genesis: Genesis,
        keeper: DocumentKeeper,
        make_descriptor: Callable[[float], bytes] | None,
        rng: Randomness,
    ) -> None:
        self._genesis = genesis
        self._parameters = genesis.parameters
        self._keeper = keeper
        self._make_descriptor = make_descriptor
        self._rng = rng
        self._now = 0.0
        self._epoch: Epoch | None = None
        self._descriptor: bytes | None = None
        self._publish_at: dict[int, float] = {}  # authorities that do not have it yet
        self._fetch_at = 0.0
        self._is_fetching = False
        self._asked = below(rng, len(genesis.authorities))
        self._serving: tuple[bytes, Epoch] | None = None

    def receive(self, event: DirectoryClientEvent, now: float) -> list[DirectoryClientEffect]:
        self._now = max(self._now, now)
        effects: list[DirectoryClientEffect] = []
        match event:
            case PublishAnswered(authority, outcome):
                self._note_outcome(authority, outcome)
            case FetchAnswered(_, data):
                self._is_fetching = False
                self._fetch_at = self._now + self._retry_seconds()
                if data is not None:
                    effects += self._take(data)
            case _:
                assert_never(event)
        return effects + self._proceed()

    def next_deadline(self) -> float | None:
        if self._epoch is None:
            return self._now
        due = next_document_due(self._epoch, self._parameters)
        times = [epoch_start(next_epoch(self._epoch), self._parameters), *self._publish_at.values()]
        if due > self._now:
            times.append(due)
        if not self._is_fetching and self._keeper.wanted(self._now) is not None:
            times.append(self._fetch_at)
        return min(times)

    def advance(self, now: float) -> list[DirectoryClientEffect]:
        self._now = max(self._now, now)
        return self._proceed()

    def _proceed(self) -> list[DirectoryClientEffect]:
        effects: list[DirectoryClientEffect] = []
        epoch = epoch_at(self._now, self._parameters)
        if epoch != self._epoch:
            effects += self._turn(epoch)
        effects += self._publish()
        effects += self._fetch()
        effects += self._serve(epoch)
        return effects

    def _turn(self, epoch: Epoch) -> list[DirectoryClientEffect]:
        """A new epoch: a new descriptor, sent at once by a starting node and spread out after."""
        spread = 0.0 if self._epoch is None else self._parameters.epoch_seconds / 20
        self._epoch = epoch
        self._renew_descriptor()
        self._publish_to_all(self._now, spread)
        return [] if self._keeper.newest is None else [KeepState(self._keeper.state())]

    def _renew_descriptor(self) -> None:
        if self._make_descriptor is not None:
            self._descriptor = self._make_descriptor(self._now)

    def _note_outcome(self, authority: int, outcome: PublishOutcome) -> None:
        if outcome is PublishOutcome.FAILED:
            self._publish_at.setdefault(authority, self._now + self._retry_seconds())
        elif outcome is PublishOutcome.TOO_OLD:
            # To all, so that authorities do not vote with a different one each.
            self._renew_descriptor()
            self._publish_to_all(self._now + self._retry_seconds(), 0.0)

    def _publish_to_all(self, start: float, spread: float) -> None:
        if self._descriptor is not None:
            for authority in range(len(self._genesis.authorities)):
                self._publish_at[authority] = start + spread * unit(self._rng)

    def _publish(self) -> list[DirectoryClientEffect]:
        effects: list[DirectoryClientEffect] = []
        if self._descriptor is not None:
            for authority in [a for a, at in self._publish_at.items() if at <= self._now]:
                del self._publish_at[authority]
                effects.append(Publish(authority, self._descriptor))
        return effects

    def _fetch(self) -> list[DirectoryClientEffect]:
        wanted = self._keeper.wanted(self._now)
        if wanted is None or self._is_fetching or self._fetch_at > self._now:
            return []
        self._is_fetching = True
        # Never the same one twice in a row: it may be the dead or the late one.
        count = len(self._genesis.authorities)
        self._asked = (self._asked + 1 + below(self._rng, count - 1)) % count
        return [Fetch(self._asked, wanted)]

    def _take(self, data: bytes) -> list[DirectoryClientEffect]:
        try:
            is_new = self._keeper.accept(data, self._now)
        except PeerError as error:
            return [DocumentRefused(error.reason)]
        if not is_new:
            return []
        self._fetch_at = self._now
        return [KeepState(self._keeper.state()), DocumentAccepted(data)]

    def _serve(self, epoch: Epoch) -> list[DirectoryClientEffect]:
        try:
            consensus = self._keeper.current(self._now)
        except UserError as error:
            if self._serving is None:
                return []
            self._serving = None
            return [ConsensusLost(str(error))]
        if self._serving == (consensus.digest, epoch):
            return []
        self._serving = (consensus.digest, epoch)
        return [ConsensusServes(consensus, epoch)]

    def _retry_seconds(self) -> float:
        base = min(30.0, max(0.5, self._parameters.epoch_seconds / 60))
        return base * (0.5 + unit(self._rng))
