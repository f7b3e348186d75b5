"""A node's part: publish once an epoch to all, fetch from any, say which document serves."""

from itertools import pairwise

from hushmill.drops import Drop
from hushmill.identifiers import Epoch
from hushmill.link import NEWEST
from pki import DocumentKeeper
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
from tests.pki.documents import chain
from tests.pki.network import FIRST, START, SeededRandomness, small_network

NETWORK = small_network()
CHAIN = chain(NETWORK, 3)
HOUR = 3600.0


class Driven:
    """The core, moved from deadline to deadline; answers come from `answer`."""

    def __init__(self, seed: int = 1, state: bytes | None = None) -> None:
        self.made: list[float] = []
        self.keeper = DocumentKeeper(NETWORK.genesis, state)
        self.core = DirectoryClientCore(
            NETWORK.genesis, self.keeper, self._make, SeededRandomness(seed)
        )
        self.now = float(START)
        self.log: list[tuple[float, DirectoryClientEffect]] = []
        self.outcome = PublishOutcome.ACCEPTED
        self.served: dict[int, bytes] = {}

    def _make(self, now: float) -> bytes:
        self.made.append(now)
        return b"descriptor %d" % len(self.made)

    def run_until(self, time: float) -> None:
        while True:
            deadline = self.core.next_deadline()
            assert deadline is not None
            if deadline > time:
                break
            self.now = max(self.now, deadline)
            self._answer(self.core.advance(self.now))
        self.now = time

    def _answer(self, effects: list[DirectoryClientEffect]) -> None:
        for effect in effects:
            self.log.append((self.now, effect))
            event: DirectoryClientEvent
            match effect:
                case Publish(authority, _):
                    event = PublishAnswered(authority, self.outcome)
                case Fetch(authority, epoch):
                    wanted = max(self.served, default=0) if epoch == NEWEST else epoch
                    event = FetchAnswered(authority, self.served.get(wanted))
                case _:
                    continue
            self._answer(self.core.receive(event, self.now))

    def seen(self, kind: type[DirectoryClientEffect]) -> list[DirectoryClientEffect]:
        return [effect for _, effect in self.log if isinstance(effect, kind)]


def test_publishes_once_an_epoch_to_every_authority() -> None:
    node = Driven()
    node.served = {made.epoch: data for made, data in CHAIN}
    node.run_until(START + 2 * HOUR - 1)
    published = [effect for effect in node.seen(Publish) if isinstance(effect, Publish)]
    assert sorted((p.data, p.authority) for p in published) == [
        (b"descriptor %d" % epoch, authority) for epoch in (1, 2) for authority in range(4)
    ]
    assert len(node.made) == 2
    late = [at for at, effect in node.log if isinstance(effect, Publish) and at >= START + HOUR]
    assert max(late) < START + HOUR * 1.25  # well before the vote
    assert len(set(late)) == 4  # spread out


def test_tries_the_same_bytes_again_where_it_failed() -> None:
    node = Driven()
    node.outcome = PublishOutcome.FAILED
    node.run_until(START + 100)
    assert len(node.made) == 1
    tries = [effect for effect in node.seen(Publish) if isinstance(effect, Publish)]
    assert 8 < len(tries) < 60
    node.outcome = PublishOutcome.ACCEPTED
    node.run_until(START + 200)
    count = len(node.seen(Publish))
    node.run_until(START + 1000)
    assert len(node.seen(Publish)) == count


def test_makes_a_newer_one_for_all_when_one_is_too_old() -> None:
    node = Driven()
    node.run_until(START + 1)
    before = len(node.seen(Publish))
    node._answer(node.core.receive(PublishAnswered(2, PublishOutcome.TOO_OLD), node.now))
    node.run_until(START + 100)
    again = [e for e in node.seen(Publish)[before:] if isinstance(e, Publish)]
    assert sorted((p.authority, p.data) for p in again) == [(a, b"descriptor 2") for a in range(4)]


def test_fetches_until_there_is_a_document_and_never_one_authority_twice_in_a_row() -> None:
    node = Driven()
    node.run_until(START + 600)
    asked = [effect.authority for effect in node.seen(Fetch) if isinstance(effect, Fetch)]
    assert len(asked) > 10
    assert set(asked) == {0, 1, 2, 3}
    assert all(one != other for one, other in pairwise(asked))


def test_persists_before_it_tells() -> None:
    node = Driven()
    node.served = {CHAIN[0][0].epoch: CHAIN[0][1]}
    node.run_until(START + 1)
    said = [e for _, e in node.log if isinstance(e, KeepState | DocumentAccepted | ConsensusServes)]
    assert [type(effect) for effect in said] == [KeepState, DocumentAccepted, ConsensusServes]
    assert said[2] == ConsensusServes(CHAIN[0][0], FIRST)


def test_the_next_document_is_handed_on_early_and_serves_at_the_boundary() -> None:
    node = Driven()
    node.served = {CHAIN[0][0].epoch: CHAIN[0][1]}
    node.run_until(START + HOUR / 2)
    node.served[CHAIN[1][0].epoch] = CHAIN[1][1]
    node.run_until(START + HOUR * 0.9)
    assert node.seen(DocumentAccepted)[-1] == DocumentAccepted(CHAIN[1][1])
    assert len(node.seen(ConsensusServes)) == 1
    node.run_until(START + HOUR)
    assert node.seen(ConsensusServes)[-1] == ConsensusServes(CHAIN[1][0], Epoch(FIRST + 1))


def test_says_when_the_last_document_has_run_out() -> None:
    node = Driven()
    node.served = {CHAIN[0][0].epoch: CHAIN[0][1]}
    node.run_until(START + 4 * HOUR - 1)
    assert not node.seen(ConsensusLost)
    assert [e.epoch for e in node.seen(ConsensusServes) if isinstance(e, ConsensusServes)] == [
        FIRST + n for n in range(4)
    ]
    node.run_until(START + 4 * HOUR)
    assert len(node.seen(ConsensusLost)) == 1


def test_a_bad_document_is_counted_and_asked_for_again() -> None:
    node = Driven()
    node.served = {1 << 31: b"junk"}
    node.run_until(START + 100)
    refused = node.seen(DocumentRefused)
    assert refused[0] == DocumentRefused(Drop.DOCUMENT)
    assert len(refused) > 2


def test_a_restart_goes_on_from_the_kept_state() -> None:
    node = Driven()
    node.served = {CHAIN[0][0].epoch: CHAIN[0][1]}
    node.run_until(START + 1)
    again = Driven(state=node.keeper.state())
    again.run_until(START + 2)
    assert again.seen(ConsensusServes) == [ConsensusServes(CHAIN[0][0], FIRST)]
    assert not again.seen(Fetch)
