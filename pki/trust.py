"""Which documents a client or node trusts: the keeper, a pure core whose state its owner persists.

Older documents, other networks', broken chains and equivocation are refused, before and after a
restart; a clock that steps back reopens nothing. Spec: docs/spec/directory.md (Keeping).
"""

import msgspec

from hushmill import codec
from hushmill.drops import Drop
from hushmill.errors import ExitCode, PeerError, UserError
from hushmill.identifiers import Epoch
from hushmill.link import NEWEST
from pki.consensus import DOCUMENT_BYTES_LIMIT, NO_DOCUMENT, Consensus, verify_consensus
from pki.epochs import epoch_at, epoch_start, last_served, next_document_due, next_epoch
from pki.fields import NetworkField, SecondsField
from pki.genesis import Genesis

_SEEN_BEYOND_SECONDS = 24 * 3600
_STATE_BYTES_LIMIT = 2 * DOCUMENT_BYTES_LIMIT + 1024


class _KeeperState(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """`documents`: at most two, the older first. `latest_wall`: the highest Unix time seen."""

    network_id: NetworkField
    latest_wall: SecondsField
    documents: tuple[bytes, ...]


class DocumentKeeper:
    """Holds the newest document and the one before it, which serves until the boundary."""

    __slots__ = ("_documents", "_genesis", "_latest_wall")

    def __init__(self, genesis: Genesis, state: bytes | None) -> None:
        """`state` is what `state()` gave before the restart, None for a first start.

        Raises UserError(SECURITY_STOP) for a state that is damaged or of another network.
        """
        self._genesis = genesis
        self._documents: list[tuple[Consensus, bytes]] = []
        self._latest_wall = 0
        if state is not None:
            try:
                self._load(state)
            except PeerError as error:
                raise UserError(
                    "The kept directory state is damaged or belongs to another network. It guards "
                    "against old directories; restore it, or remove it if you know why it changed.",
                    ExitCode.SECURITY_STOP,
                ) from error

    @property
    def newest(self) -> Consensus | None:
        """The document of the highest epoch, which may not have begun yet."""
        return self._documents[-1][0] if self._documents else None

    @property
    def newest_data(self) -> bytes | None:
        """The signed bytes of `newest`."""
        return self._documents[-1][1] if self._documents else None

    def held_data(self) -> tuple[bytes, ...]:
        """The signed bytes of all held documents, the older first."""
        return tuple(data for _, data in self._documents)

    def data_of(self, epoch: Epoch) -> bytes | None:
        """The signed bytes of a held document."""
        return next((data for held, data in self._documents if held.epoch == epoch), None)

    def state(self) -> bytes:
        """What the owner must persist whenever `accept` returned True, and at each epoch's turn.

        The latest time in it is at most a day past what the newest document serves: that is enough
        to keep it shut, and a clock that was once years ahead does not stop us for years.
        """
        latest, newest = self._latest_wall, self.newest
        if newest is not None:
            end = epoch_start(next_epoch(last_served(newest.epoch)), self._genesis.parameters)
            latest = min(latest, int(end) + _SEEN_BEYOND_SECONDS)
        return codec.encode(
            _KeeperState(
                network_id=self._genesis.network_id,
                latest_wall=latest,
                documents=tuple(data for _, data in self._documents),
            )
        )

    def accept(self, data: bytes, wall: float) -> bool:
        """True when `data` is a valid document that was not held yet; False when it was.

        Raises PeerError: STALE for an older or expired one, DOCUMENT for everything else (not
        valid, another network, not linked to the held one, a second document of one epoch).
        """
        if any(data == held for _, held in self._documents):
            return False
        now = self._witness(wall)
        offered = verify_consensus(self._genesis, data)
        if epoch_at(now, self._genesis.parameters) > last_served(offered.epoch):
            raise PeerError(Drop.STALE)
        newest = self.newest
        if newest is None or offered.epoch > newest.epoch:
            if newest is not None and not _follows(offered, newest):
                raise PeerError(Drop.DOCUMENT)
            self._documents = [*self._documents[-1:], (offered, data)]
            return True
        if offered.epoch == newest.epoch:
            if offered.digest != newest.digest:
                raise PeerError(Drop.DOCUMENT)
            return False
        if offered.digest == newest.previous and len(self._documents) == 1:
            self._documents.insert(0, (offered, data))
            return True
        raise PeerError(Drop.STALE)

    def current(self, wall: float) -> Consensus:
        """The document that serves at `wall`: the newest whose epoch has begun, for three more.

        Raises UserError(NO_CONSENSUS) when there is none, when all have run out, or when the clock
        reads far earlier than it did or than the documents show.
        """
        now = self._witness(wall)
        self._check_clock(wall)
        epoch = epoch_at(now, self._genesis.parameters)
        for held, _ in reversed(self._documents):
            if held.epoch <= epoch:
                if held.serves(epoch):
                    return held
                raise _no_consensus(
                    "The newest directory document has run out, so nothing is sent. Wait until the "
                    "network's authorities publish again, or check your connection and clock."
                )
        raise _no_consensus(
            "There is no directory document yet. Wait until the network's authorities publish one, "
            "or check your connection."
        )

    def wanted(self, wall: float) -> Epoch | None:
        """Which document to ask for now: NEWEST, an epoch, or None.

        The newest, while the present epoch's is missing or the next one's is due; and its
        predecessor, when the newest has not begun: it has no keys for the present.
        """
        now = self._witness(wall)
        parameters = self._genesis.parameters
        epoch = epoch_at(now, parameters)
        newest = self.newest
        if newest is None or newest.epoch < epoch:
            return NEWEST
        if newest.epoch == epoch:
            return NEWEST if now >= next_document_due(epoch, parameters) else None
        is_ready = any(held.epoch <= epoch for held, _ in self._documents)
        is_first = newest.previous == NO_DOCUMENT
        return None if is_ready or is_first else newest.previous_epoch

    def _witness(self, wall: float) -> float:
        """The latest time ever seen: what ran out stays out when a clock steps back."""
        self._latest_wall = max(self._latest_wall, int(wall))
        return max(wall, float(self._latest_wall))

    def _check_clock(self, wall: float) -> None:
        parameters = self._genesis.parameters
        allowance = 2.0 * max(parameters.skew_seconds, 1)
        seen = float(self._latest_wall)
        if self.newest is not None:
            # No document is voted on before the middle of the epoch before its own.
            shown = epoch_start(self.newest.epoch, parameters) - parameters.epoch_seconds
            seen = max(seen, shown)
        if wall + allowance < seen:
            raise _no_consensus(
                f"This machine's clock reads {seen - wall:.0f} s earlier than it did before, or "
                "than the network's directory shows. Set the clock; nothing is sent meanwhile."
            )

    def _load(self, state: bytes) -> None:
        kept = codec.decode(state, _KeeperState, _STATE_BYTES_LIMIT)
        if kept.network_id != self._genesis.network_id or len(kept.documents) > 2:
            raise PeerError(Drop.DOCUMENT)
        documents = [(verify_consensus(self._genesis, data), data) for data in kept.documents]
        epochs = [held.epoch for held, _ in documents]
        if epochs != sorted(set(epochs)):
            raise PeerError(Drop.DOCUMENT)
        self._documents = documents
        self._latest_wall = kept.latest_wall


def _follows(later: Consensus, earlier: Consensus) -> bool:
    """False when `later` names another document in `earlier`'s place, or skips it.

    A later link of the chain cannot be followed over documents that were never fetched; that
    2f + 1 authorities signed it stands for those.
    """
    if later.previous_epoch == earlier.epoch:
        return later.previous == earlier.digest
    return later.previous_epoch > earlier.epoch


def _no_consensus(message: str) -> UserError:
    return UserError(message, ExitCode.NO_CONSENSUS)
