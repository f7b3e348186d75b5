"""The directory as a node uses it: DirectoryClientCore wired to sockets, a file and the clock."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never

from hushmill.drops import Drop
from hushmill.identifiers import Epoch
from hushmill.link import (
    Accepted,
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    PublishDescriptor,
    Refusal,
    Refused,
)
from hushmill.randomness import Randomness, shuffled
from hushmill.runtime import Driver, LinkIdentity, Reactor, SystemRandomness, atomic_write
from pki.consensus import DOCUMENT_BYTES_LIMIT, Consensus
from pki.directory_client import (
    ConsensusLost,
    ConsensusServes,
    DirectoryClientCore,
    DirectoryClientEffect,
    DirectoryClientEvent,
    DocumentAccepted,
    DocumentRefused,
    Fetch,
    FetchAnswered,
    KeepState,
    Publish,
    PublishAnswered,
    PublishOutcome,
)
from pki.genesis import Genesis, GenesisAuthority
from pki.service_exchange import Exchange, exchange_seconds
from pki.trust import DocumentKeeper

KEEPER_FILE = "directory.state"
_SECONDS_EACH = 5.0  # of a person who waits
_log = logging.getLogger(__name__)


def load_keeper(genesis: Genesis, path: Path) -> DocumentKeeper:
    """The keeper whose state is in `path`, or a new one where there is no such file.

    Raises UserError(SECURITY_STOP) for a damaged state.
    """
    try:
        with path.open("rb") as file:
            state = file.read(2 * DOCUMENT_BYTES_LIMIT + 4096)
    except FileNotFoundError:
        return DocumentKeeper(genesis, None)
    return DocumentKeeper(genesis, state)


class DirectoryClient:
    """Publishes descriptors and keeps documents for one node, from `start` to `stop`.

    `on_consensus(consensus, epoch)` is called when a document comes into force and at each epoch's
    beginning; `on_document(data)` for every new valid document, the next epoch's too.
    `make_descriptor(now)` gives the node's signed descriptor; None for one who only fetches.
    """

    def __init__(
        self,
        reactor: Reactor,
        genesis: Genesis,
        identity: LinkIdentity | None,
        on_consensus: Callable[[Consensus, Epoch], None],
        make_descriptor: Callable[[float], bytes] | None,
        *,
        state_path: Path,
        on_document: Callable[[bytes], None] = lambda data: None,
        rng: Randomness | None = None,
    ) -> None:
        self._reactor = reactor
        self._genesis = genesis
        self._identity = identity
        self._on_consensus = on_consensus
        self._on_document = on_document
        self._state_path = state_path
        self._exchanges: set[Exchange] = set()
        self._refused: Counter[Drop] = Counter()
        self.keeper = load_keeper(genesis, state_path)
        core = DirectoryClientCore(genesis, self.keeper, make_descriptor, rng or SystemRandomness())
        self._driver: Driver[DirectoryClientEvent, DirectoryClientEffect] = Driver(
            core, self._perform, reactor
        )

    def start(self) -> None:
        """Tells what is held already, then publishes and fetches."""
        for data in self.keeper.held_data():
            self._on_document(data)
        self._driver.start()

    def stop(self) -> None:
        self._driver.stop()
        for exchange in list(self._exchanges):
            exchange.cancel()
        self._exchanges.clear()

    @property
    def refused(self) -> Counter[Drop]:
        """Documents refused, by reason."""
        return self._refused

    def _perform(self, effect: DirectoryClientEffect) -> None:
        match effect:
            case Publish(authority, data):
                self._ask(
                    authority, PublishDescriptor(data), lambda a: self._published(authority, a)
                )
            case Fetch(authority, epoch):
                self._ask(authority, FetchDocument(epoch), lambda a: self._fetched(authority, a))
            case KeepState(state):
                atomic_write(self._state_path, state)
            case DocumentAccepted(data):
                self._on_document(data)
            case ConsensusServes(consensus, epoch):
                _log.info("directory document in force", extra={"epoch": epoch})
                self._on_consensus(consensus, epoch)
            case ConsensusLost(_):
                _log.warning("no directory document is in force")
            case DocumentRefused(reason):
                self._refused[reason] += 1
                _log.warning("directory document refused", extra={"reason": reason})
            case _:
                assert_never(effect)

    def _ask(
        self,
        authority: int,
        question: DirectoryMessage,
        on_answer: Callable[[DirectoryMessage | None], None],
    ) -> None:
        def answered(answer: DirectoryMessage | None) -> None:
            self._exchanges.discard(exchange)
            on_answer(answer)

        exchange = Exchange(
            self._reactor,
            self._genesis.authorities[authority],
            self._identity,
            question,
            answered,
            exchange_seconds(self._genesis.parameters),
        )
        self._exchanges.add(exchange)

    def _published(self, authority: int, answer: DirectoryMessage | None) -> None:
        match answer:
            case Accepted():
                outcome = PublishOutcome.ACCEPTED
            case Refused(Refusal.TOO_OLD):
                outcome = PublishOutcome.TOO_OLD
            case _:
                outcome = PublishOutcome.FAILED
        if outcome is not PublishOutcome.ACCEPTED and answer is not None:
            _log.warning("an authority did not take the descriptor")
        self._driver.receive(PublishAnswered(authority, outcome))

    def _fetched(self, authority: int, answer: DirectoryMessage | None) -> None:
        data = answer.data if isinstance(answer, DocumentFound) else None
        self._driver.receive(FetchAnswered(authority, data))


def ask_any(
    reactor: Reactor,
    authorities: Sequence[GenesisAuthority],
    question: DirectoryMessage,
    on_answer: Callable[[DirectoryMessage | None], None],
) -> None:
    """Asks one authority after the other, in a random order, until one finds a document."""
    waiting = shuffled(SystemRandomness(), authorities)

    def ask_next(answer: DirectoryMessage | None) -> None:
        if isinstance(answer, DocumentFound) or not waiting:
            on_answer(answer)
            return
        Exchange(reactor, waiting.pop(), None, question, ask_next, _SECONDS_EACH)

    ask_next(None)
