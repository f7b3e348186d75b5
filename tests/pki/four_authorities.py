"""Four AuthorityCores and the messages between them, in memory and virtual time."""

import math
from collections import deque
from collections.abc import Iterator

from hushmill.drops import Drop
from hushmill.identifiers import Epoch
from hushmill.link import DirectoryMessage, DocumentFound, Share, Vote
from pki import Consensus, verify_consensus
from pki.authority import AuthorityCore
from pki.authority_events import (
    AuthorityEffect,
    AuthorityEvent,
    DescriptorOffered,
    DocumentArrived,
    Dropped,
    KeepDescriptor,
    KeepDocument,
    PeerUp,
    Reply,
    ShareArrived,
    ToAll,
    ToAuthority,
    VoteArrived,
)
from pki.store import AuthorityStore
from tests.pki.network import FIRST, START, Network


def event_of(source: int, message: DirectoryMessage) -> AuthorityEvent:
    match message:
        case Vote(data):
            return VoteArrived(data)
        case Share(data):
            return ShareArrived(source, data)
        case DocumentFound(data):
            return DocumentArrived(data)
    raise AssertionError(message)


class FourAuthorities:
    """`down` authorities hear and say nothing; a crash loses all but the database."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.now = float(START)
        self.stores = [AuthorityStore(":memory:", network.genesis.network_id) for _ in range(4)]
        self.cores = [self._core(number) for number in range(4)]
        self.down: set[int] = set()
        self.published: list[tuple[int, Consensus, bytes]] = []  # by whom
        self.replies: list[Reply] = []
        self.drops: list[Drop] = []
        self.said: list[tuple[int, DirectoryMessage]] = []
        self._wire: deque[tuple[int, int, DirectoryMessage]] = deque()
        self.held_back: list[tuple[int, int, DirectoryMessage]] = []
        self.late: set[int] = set()  # what these say is held back until `release`

    def publish_descriptors(self, to: tuple[int, ...] = (0, 1, 2, 3), first: int = FIRST) -> None:
        for number in self.network.node_keys:
            data = self.network.descriptor(number, first, made_at=self.now)
            for authority in to:
                self.give(authority, DescriptorOffered(0, data))

    def give(self, number: int, event: AuthorityEvent) -> None:
        if number not in self.down:
            self._carry_out(number, self.cores[number].receive(event, self.now))
            self._deliver()

    def run_until(self, time: float) -> None:
        """Moves to `time`, deadline by deadline."""
        while True:
            deadlines = [at for number, at in self._deadlines() if number not in self.down]
            due = min(deadlines, default=math.inf)
            if due > time:
                break
            self.now = max(self.now, due)
            for number, core in enumerate(self.cores):
                if number not in self.down:
                    self._carry_out(number, core.advance(self.now))
            self._deliver()
        self.now = time

    def crash(self, number: int) -> None:
        self.down.add(number)

    def restart(self, number: int) -> None:
        """From its database alone; every link comes up again."""
        self.down.discard(number)
        self.cores[number] = self._core(number)
        for other in range(4):
            if other != number:
                self.give(other, PeerUp(number))
                self.give(number, PeerUp(other))

    def release(self) -> None:
        """Delivers what the late ones said."""
        self.late.clear()
        self._wire.extend(self.held_back)
        self.held_back.clear()
        self._deliver()

    def documents(self, epoch: int) -> set[bytes]:
        return {made.digest for _, made, _ in self.published if made.epoch == epoch}

    def _core(self, number: int) -> AuthorityCore:
        store = self.stores[number]
        return AuthorityCore(
            self.network.genesis,
            number,
            self.network.authority_keys[number],
            self.network.kem,
            store,
            store.descriptors(),
            store.documents(),
        )

    def _deadlines(self) -> Iterator[tuple[int, float]]:
        for number, core in enumerate(self.cores):
            deadline = core.next_deadline()
            if deadline is not None:
                yield number, deadline

    def _carry_out(self, number: int, effects: list[AuthorityEffect]) -> None:
        for effect in effects:
            match effect:
                case ToAll(message):
                    self.said.append((number, message))
                    for other in range(4):
                        if other != number:
                            self._send(number, other, message)
                case ToAuthority(other, message):
                    self._send(number, other, message)
                case KeepDescriptor(node, data):
                    self.stores[number].keep_descriptor(node, data)
                case KeepDocument(epoch, data):
                    self.stores[number].keep_document(Epoch(epoch), data)
                    made = verify_consensus(self.network.genesis, data)
                    self.published.append((number, made, data))
                case Reply():
                    self.replies.append(effect)
                case Dropped(reason):
                    self.drops.append(reason)

    def _send(self, source: int, to: int, message: DirectoryMessage) -> None:
        (self.held_back if source in self.late else self._wire).append((source, to, message))

    def _deliver(self) -> None:
        while self._wire:
            source, to, message = self._wire.popleft()
            if source not in self.down and to not in self.down:
                event = event_of(source, message)
                self._carry_out(to, self.cores[to].receive(event, self.now))
