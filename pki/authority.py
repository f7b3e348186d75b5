"""An authority, as a pure core: one table of states, guards and actions.

After each event the first row of the present state whose guard holds is taken, again and again,
until none does. Peers' bytes are opened before they touch the state.
Spec: docs/spec/directory.md (Voting).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from hushmill import codec
from hushmill.crypto import Kem, Label, SigningKey
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import Epoch
from hushmill.link import (
    NEWEST,
    Accepted,
    DocumentFound,
    NotFound,
    Refusal,
    Refused,
    Share,
    Vote,
)
from pki.admission import check_widths
from pki.authority_events import (
    AuthorityEffect,
    AuthorityEvent,
    DescriptorOffered,
    DocumentArrived,
    DocumentAsked,
    Dropped,
    KeepDescriptor,
    KeepDocument,
    PeerUp,
    Reply,
    ShareArrived,
    SigningRecord,
    ToAll,
    ToAuthority,
    VoteArrived,
)
from pki.consensus import (
    Consensus,
    SignatureShare,
    SignedConsensus,
    consensus_digest,
    verify_consensus,
    verify_share,
)
from pki.descriptor_book import DescriptorBook
from pki.epochs import epoch_at, epoch_middle, epoch_start, next_epoch, vote_window_seconds
from pki.genesis import Genesis
from pki.voting import (
    NO_HEAD,
    Head,
    OpenVote,
    ShareBody,
    VoteBody,
    document_of,
    open_vote,
    read_vote,
    sign_vote,
    verify_vote,
)

DOCUMENTS_KEPT = 8  # older ones are forgotten; a client that asks for them gets "not found"
_SHARE_BYTES_LIMIT = 1 << 13


class State(StrEnum):
    """Where the work on the target epoch's document stands."""

    WAITING = "waiting"  # for the descriptors of a sound network
    VOTING = "voting"  # the own vote is out, the set is open
    DECIDED = "decided"  # the set is closed and gives a document
    SIGNED = "signed"  # the own share is out
    BARRED = "barred"  # no signature of ours: no sound document, or the record names another
    RESTING = "resting"  # the target's document is published


class AuthorityCore:
    """`now` is Unix time that does not step back. One target epoch at a time."""

    def __init__(
        self,
        genesis: Genesis,
        number: int,
        key: SigningKey,
        kem: Kem,
        record: SigningRecord,
        descriptors: Iterable[bytes],
        documents: Iterable[bytes],
    ) -> None:
        """`descriptors` and `documents` are what was kept before a restart; one that no longer
        opens is a UsageError, since the store checks its own damage."""
        if key.public != genesis.authority_keys[number]:
            raise UsageError("the signing key is not the one that the genesis names")
        self._genesis = genesis
        self._parameters = genesis.parameters
        self._number = number
        self._key = key
        self._kem = kem
        self._record = record
        self._book = DescriptorBook(genesis, kem)
        self._documents: dict[Epoch, bytes] = {}
        self._published: Consensus | None = None
        self._votes: dict[Epoch, dict[int, OpenVote]] = {}
        self._shares: dict[Epoch, dict[int, ShareBody]] = {}  # not verified yet
        self._verified: dict[int, SignatureShare] = {}  # over the own body
        self._target = Epoch(0)
        self._state = State.WAITING
        self._closes_at: float | None = None
        self._own_vote: bytes | None = None
        self._own_share: bytes | None = None
        self._body: bytes | None = None
        self._effects: list[AuthorityEffect] = []
        self._now = 0.0
        try:
            for data in descriptors:
                self._book.restore(data)
            for data in documents:
                self._adopt(verify_consensus(genesis, data), data)
        except PeerError as error:
            raise UsageError("a kept descriptor or document is not valid") from error

    # ── the three verbs ──────────────────────────────────────────────────────────────────────

    def receive(self, event: AuthorityEvent, now: float) -> list[AuthorityEffect]:
        """What follows from the event. A peer's wrong bytes change nothing and give `Dropped`."""
        self._now = max(self._now, now)
        self._settle()
        try:
            match event:
                case DescriptorOffered(session, data):
                    self._effects.append(Reply(session, self._offer(data)))
                case DocumentAsked(session, epoch):
                    self._effects.append(Reply(session, self._find(epoch)))
                case VoteArrived(data):
                    self._take_vote(data)
                case ShareArrived(authority, data):
                    self._take_share(authority, data)
                case DocumentArrived(data):
                    self._take_document(data)
                case PeerUp(authority):
                    self._tell_all_again(authority)
                case _:
                    assert_never(event)
        except PeerError as error:
            self._effects.append(Dropped(error.reason))
        self._settle()
        return self._flush()

    def next_deadline(self) -> float | None:
        """When the target moves or the vote set closes, whichever comes first."""
        epoch = epoch_at(self._now, self._parameters)
        middle = epoch_middle(epoch, self._parameters)
        boundary = epoch_start(next_epoch(epoch), self._parameters)
        moves = middle if self._now < middle else boundary
        closes = self._closes_at if self._state is State.VOTING else None
        return moves if closes is None or closes <= self._now else min(moves, closes)

    def advance(self, now: float) -> list[AuthorityEffect]:
        self._now = max(self._now, now)
        self._settle()
        return self._flush()

    @property
    def state(self) -> State:
        return self._state

    @property
    def target(self) -> Epoch:
        """The epoch whose document is being made, or was made last."""
        return self._target

    @property
    def published(self) -> Consensus | None:
        """The newest published document."""
        return self._published

    @property
    def descriptor_count(self) -> int:
        return len(self._book.held)

    # ── guards: pure claims about the present ────────────────────────────────────────────────

    def _target_moved(self) -> bool:
        return self._due_target() > self._target

    def _is_published(self) -> bool:
        return self._published is not None and self._published.epoch >= self._target

    def _may_vote(self) -> bool:
        """Enough descriptors: every genesis node's for a first document, a sound network's else."""
        entries = self._book.entries(self._target)
        if self._published is None:
            return len(entries) == len(self._genesis.nodes)
        try:
            check_widths(entries, self._parameters.layers, self._genesis.narrowest)
        except ValueError:
            return False
        return any(entry.role == "provider" for entry in entries)

    def _set_is_closed(self) -> bool:
        """All votes are here, or the window is over and a quorum's are."""
        count = len(self._votes[self._target])
        if count == len(self._genesis.authorities):
            return True
        is_over = self._closes_at is not None and self._now >= self._closes_at
        return is_over and count >= self._genesis.quorum

    def _has_quorum_of_shares(self) -> bool:
        return len(self._valid_shares()) >= self._genesis.quorum

    def _always(self) -> bool:
        return True

    # ── actions: each gives the next state ───────────────────────────────────────────────────

    def _begin(self) -> State:
        """Turns to the epoch that is due; votes and shares of past epochs are forgotten."""
        self._target = self._due_target()
        self._votes = {epoch: held for epoch, held in self._votes.items() if epoch >= self._target}
        self._shares = {
            epoch: held for epoch, held in self._shares.items() if epoch >= self._target
        }
        self._own_vote = self._own_share = self._body = self._closes_at = None
        self._verified = {}
        return State.WAITING

    def _cast_vote(self) -> State:
        self._own_vote = sign_vote(
            VoteBody(
                network_id=self._genesis.network_id,
                authority=self._number,
                epoch=self._target,
                published=self._published_head(),
                signed=self._signed_head(),
                descriptors=self._book.signed(),
            ),
            self._key,
        )
        own = open_vote(self._genesis, self._own_vote, self._kem, self._book.held)
        self._votes.setdefault(self._target, {})[self._number] = own
        self._closes_at = self._now + vote_window_seconds(self._parameters)
        self._effects.append(ToAll(Vote(self._own_vote)))
        return State.VOTING

    def _decide(self) -> State:
        """The document is a function of the vote set alone."""
        self._body = document_of(self._genesis, self._target, self._votes[self._target])
        return State.BARRED if self._body is None else State.DECIDED

    def _sign(self) -> State:
        """The record is on disk before a signature exists."""
        body = self._require_body()
        digest = consensus_digest(body)
        if not self._record.record(self._target, digest):
            return State.BARRED
        share = ShareBody(
            network_id=self._genesis.network_id,
            authority=self._number,
            epoch=self._target,
            digest=digest,
            signature=self._key.sign(Label.CONSENSUS, body),
        )
        self._shares.setdefault(self._target, {})[self._number] = share
        self._own_share = codec.encode(share)
        self._effects.append(ToAll(Share(self._own_share)))
        return State.SIGNED

    def _publish(self) -> State:
        body = self._require_body()
        data = codec.encode(SignedConsensus(body, tuple(self._valid_shares())))
        consensus = verify_consensus(self._genesis, data)
        self._adopt(consensus, data)
        self._effects.append(KeepDocument(consensus.epoch, data))
        self._effects.append(ToAll(DocumentFound(data)))
        return State.RESTING

    def _rest(self) -> State:
        return State.RESTING

    def _settle(self) -> None:
        while True:
            row = next((row for row in TABLE if row.state is self._state and row.guard(self)), None)
            if row is None:
                return
            self._state = row.action(self)
            if self._state not in row.leads_to:
                raise UsageError(f"{row.state} cannot lead to {self._state}")

    # ── what peers bring ─────────────────────────────────────────────────────────────────────

    def _offer(self, data: bytes) -> Accepted | Refused:
        try:
            node = self._book.offer(data, self._published, self._now)
        except PeerError as error:
            self._effects.append(Dropped(error.reason))
            return Refused(Refusal.TOO_OLD if error.reason is Drop.STALE else Refusal.INVALID)
        if node is not None:
            self._effects.append(KeepDescriptor(node, data))
        return Accepted()

    def _find(self, epoch: Epoch) -> DocumentFound | NotFound:
        if epoch == NEWEST and self._published is not None:
            epoch = self._published.epoch
        data = self._documents.get(epoch)
        return NotFound() if data is None else DocumentFound(data)

    def _take_vote(self, data: bytes) -> None:
        claimed = read_vote(self._genesis, data)
        authority, epoch = claimed.body.authority, claimed.body.epoch
        self._check_near(epoch)
        # The first vote stands, and the own one is made here: nothing is verified for another.
        if authority == self._number or authority in self._votes.get(epoch, {}):
            return
        vote = verify_vote(self._genesis, claimed, self._kem, self._book.held)
        self._votes.setdefault(epoch, {})[authority] = vote

    def _take_share(self, source: int, data: bytes) -> None:
        """Held unverified, one of each authority, until the own body is there to check it with."""
        share = codec.decode(data, ShareBody, _SHARE_BYTES_LIMIT)
        if share.network_id != self._genesis.network_id:
            raise PeerError(Drop.DOCUMENT)
        if share.authority != source or source == self._number:
            raise PeerError(Drop.DOCUMENT)
        self._check_near(share.epoch)
        if share.epoch == self._target and source in self._verified:
            return
        # The first one stands until it is found wrong: later junk does not replace it.
        self._shares.setdefault(share.epoch, {}).setdefault(source, share)

    def _take_document(self, data: bytes) -> None:
        consensus = verify_consensus(self._genesis, data)
        if consensus.epoch > epoch_at(self._now, self._parameters) + 1:
            raise PeerError(Drop.DOCUMENT)
        if self._published is not None and consensus.epoch <= self._published.epoch:
            same = consensus.digest == self._published.digest
            if consensus.epoch == self._published.epoch and not same:
                raise PeerError(Drop.DOCUMENT)  # two quorums for one epoch: a proof of fraud
            return
        self._adopt(consensus, data)
        self._effects.append(KeepDocument(consensus.epoch, data))

    def _tell_all_again(self, authority: int) -> None:
        if self._published is not None:
            newest = DocumentFound(self._documents[self._published.epoch])
            self._effects.append(ToAuthority(authority, newest))
        if self._own_vote is not None:
            self._effects.append(ToAuthority(authority, Vote(self._own_vote)))
        if self._own_share is not None:
            self._effects.append(ToAuthority(authority, Share(self._own_share)))

    # ── smaller parts ────────────────────────────────────────────────────────────────────────

    def _due_target(self) -> Epoch:
        """The present epoch while it has no document, the next one from the middle on."""
        epoch = epoch_at(self._now, self._parameters)
        if self._published is None:
            return epoch
        is_late = self._now >= epoch_middle(epoch, self._parameters)
        return next_epoch(epoch) if is_late else epoch

    def _check_near(self, epoch: Epoch) -> None:
        """Votes and shares are held for the target and the next epoch only."""
        if not self._target <= epoch <= epoch_at(self._now, self._parameters) + 1:
            raise PeerError(Drop.STALE)

    def _valid_shares(self) -> list[SignatureShare]:
        """Shares over the own body, by rising authority; each is verified once. A wrong one is
        forgotten, so that its authority can still send the right one."""
        body = self._require_body()
        digest = consensus_digest(body)
        for authority, held in self._shares.pop(self._target, {}).items():
            share = SignatureShare(authority, held.signature)
            try:
                if held.digest != digest:
                    raise PeerError(Drop.DOCUMENT)
                verify_share(self._genesis, share, body)
            except PeerError as error:
                self._effects.append(Dropped(error.reason))
                continue
            self._verified[authority] = share
        return [self._verified[authority] for authority in sorted(self._verified)]

    def _adopt(self, consensus: Consensus, data: bytes) -> None:
        self._documents[consensus.epoch] = data
        for epoch in sorted(self._documents)[:-DOCUMENTS_KEPT]:
            del self._documents[epoch]
        if self._published is None or consensus.epoch > self._published.epoch:
            self._published = consensus

    def _published_head(self) -> Head:
        if self._published is None or self._published.epoch >= self._target:
            return NO_HEAD
        return Head(self._published.epoch, self._published.digest)

    def _signed_head(self) -> Head:
        newest = self._record.newest_before(self._target)
        return NO_HEAD if newest is None else Head(*newest)

    def _require_body(self) -> bytes:
        if self._body is None:
            raise UsageError("there is no document in this state")
        return self._body

    def _flush(self) -> list[AuthorityEffect]:
        effects, self._effects = self._effects, []
        return effects


@dataclass(frozen=True, slots=True)
class Row:
    """In `state`, when `guard` holds: `action`, which leads to one of `leads_to`."""

    state: State
    guard: Callable[[AuthorityCore], bool]
    action: Callable[[AuthorityCore], State]
    leads_to: frozenset[State]


def _row(
    state: State,
    guard: Callable[[AuthorityCore], bool],
    action: Callable[[AuthorityCore], State],
    *leads_to: State,
) -> Row:
    return Row(state, guard, action, frozenset(leads_to))


_CORE = AuthorityCore
# fmt: off
TABLE: tuple[Row, ...] = (
    *(_row(s, _CORE._target_moved, _CORE._begin, State.WAITING) for s in State),
    _row(State.WAITING, _CORE._is_published, _CORE._rest, State.RESTING),
    _row(State.VOTING, _CORE._is_published, _CORE._rest, State.RESTING),
    _row(State.SIGNED, _CORE._is_published, _CORE._rest, State.RESTING),
    _row(State.BARRED, _CORE._is_published, _CORE._rest, State.RESTING),
    _row(State.WAITING, _CORE._may_vote, _CORE._cast_vote, State.VOTING),
    _row(State.VOTING, _CORE._set_is_closed, _CORE._decide, State.DECIDED, State.BARRED),
    _row(State.DECIDED, _CORE._always, _CORE._sign, State.SIGNED, State.BARRED),
    _row(State.SIGNED, _CORE._has_quorum_of_shares, _CORE._publish, State.RESTING),
)
# fmt: on
