"""The consensus, fetched in equal pieces with the mail: what to ask for next, and what has come.

Every upstream frame asks for some piece, wanted or not. Pieces come from a provider who may be
hostile: the document is checked by the keeper when it is whole. Spec: docs/spec/traffic.md.
"""

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from hushmill.link import DIRECTORY_MESSAGE_LIMIT, NEWEST_DOCUMENT, PieceOfDocument
from pki import DocumentKeeper

COLLECTIONS_LIMIT = 2  # documents in the making
PATIENCE_REQUESTS = 128  # without a new piece, then a collection is given up
_NEWEST_EVERY = 4  # while collecting, each fourth request still looks for the newest document


class _Collection:
    """The pieces of one document so far."""

    __slots__ = ("asked", "count", "pieces", "requests")

    def __init__(self, count: int) -> None:
        self.count = count
        self.pieces: dict[int, bytes] = {}
        self.asked = 0  # the index asked for last
        self.requests = 0  # since the last new piece

    def next_missing(self) -> int:
        """The missing indices in turn, so that frames on their way ask for different ones."""
        for step in range(1, self.count + 1):
            index = (self.asked + step) % self.count
            if index not in self.pieces:
                self.asked = index
                return index
        return 0


class DocumentPieces:
    """Brings the keeper the documents it wants."""

    def __init__(self, keeper: DocumentKeeper, piece_bytes: int) -> None:
        self._keeper = keeper
        self._count_limit = -(-DIRECTORY_MESSAGE_LIMIT // piece_bytes)
        self._collections: dict[Epoch, _Collection] = {}
        self._requests = 0

    def request(self, now: float) -> tuple[Epoch, int]:
        """What the next frame asks for: (epoch, index). Some requests are always for the first
        piece of the newest document, by which a new one is noticed."""
        self._requests += 1
        if self._collections and self._requests % _NEWEST_EVERY:
            epoch = max(self._collections)
            collection = self._collections[epoch]
            collection.requests += 1
            if collection.requests > PATIENCE_REQUESTS:
                del self._collections[epoch]
            return epoch, collection.next_missing()
        wanted = self._keeper.wanted(now)
        if wanted is None or self._collections or self._requests % 2:
            return NEWEST_DOCUMENT, 0
        return wanted, 0

    def take(self, piece: PieceOfDocument, now: float) -> bytes | None:
        """The document that `piece` (hostile) completed, as it came, if it did.

        Raises PeerError(DOCUMENT) for a piece of a document that is too large.
        """
        if not self._is_wanted(piece.epoch, now):
            self._collections.pop(piece.epoch, None)
            return None
        if piece.count > self._count_limit:
            raise PeerError(Drop.DOCUMENT)
        collection = self._collections.get(piece.epoch)
        if collection is None or collection.count != piece.count:
            if len(self._collections) >= COLLECTIONS_LIMIT:
                del self._collections[min(self._collections)]
            collection = self._collections[piece.epoch] = _Collection(piece.count)
        if piece.index not in collection.pieces:
            collection.pieces[piece.index] = piece.data
            collection.requests = 0
        if len(collection.pieces) < collection.count:
            return None
        del self._collections[piece.epoch]
        return b"".join(collection.pieces[index] for index in range(collection.count))

    def _is_wanted(self, epoch: Epoch, now: float) -> bool:
        newest = self._keeper.newest
        return newest is None or epoch > newest.epoch or epoch == self._keeper.wanted(now)
