"""The signed documents that clients fetch in equal pieces. Spec: docs/spec/mailbox.md (Pieces)."""

from hushmill.codec import decode
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from hushmill.link import DIRECTORY_MESSAGE_LIMIT, NEWEST_DOCUMENT, PieceOfDocument
from pki import ConsensusBody, SignedConsensus

DOCUMENTS_KEPT = 8  # the newest
EPOCH_LIMIT, PIECES_LIMIT = 2**32 - 1, 2**16 - 1  # what a mail frame can name


class Documents:
    """Documents by epoch. They are not verified here: whoever brings them has, and whoever fetches
    them does."""

    def __init__(self, piece_bytes: int) -> None:
        self._piece_bytes = piece_bytes
        self._by_epoch: dict[Epoch, bytes] = {}

    def learn(self, data: bytes) -> None:
        """Keeps the document; above the limit the oldest goes. Raises PeerError(DOCUMENT)."""
        signed = decode(data, SignedConsensus, DIRECTORY_MESSAGE_LIMIT)
        epoch = Epoch(decode(signed.body, ConsensusBody, DIRECTORY_MESSAGE_LIMIT).epoch)
        if epoch > EPOCH_LIMIT or -(-len(data) // self._piece_bytes) > PIECES_LIMIT:
            raise PeerError(Drop.DOCUMENT)
        self._by_epoch.setdefault(epoch, data)
        if len(self._by_epoch) > DOCUMENTS_KEPT:
            del self._by_epoch[min(self._by_epoch)]

    def piece(self, epoch: Epoch, index: int) -> PieceOfDocument | None:
        """Piece `index` of the document of `epoch` (NEWEST_DOCUMENT: of the newest); None when
        there is no such document or no such piece."""
        if epoch == NEWEST_DOCUMENT:
            epoch = max(self._by_epoch, default=NEWEST_DOCUMENT)
        data = self._by_epoch.get(epoch)
        if data is None:
            return None
        count = -(-len(data) // self._piece_bytes)
        if index >= count:
            return None
        start = index * self._piece_bytes
        return PieceOfDocument(epoch, index, count, data[start : start + self._piece_bytes])
