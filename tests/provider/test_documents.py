"""Pieces of the consensus in mail frames."""

import pytest

from hushmill import codec
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from pki import ConsensusBody, SignatureShare, SignedConsensus
from provider import DocumentKnown
from provider.documents import DOCUMENTS_KEPT, Documents
from tests.provider.harness import NETWORK, ProviderInTime, connected


def document(epoch: int, length: int = 40_000) -> bytes:
    """A document in form; nobody signed it."""
    body = ConsensusBody(
        network_id=NETWORK,
        epoch=Epoch(epoch),
        previous_epoch=Epoch(0),
        previous=bytes(32),
        nodes=(),
    )
    shares = tuple(SignatureShare(number, bytes(64 + 3309)) for number in range(length // 3400))
    return codec.encode(SignedConsensus(codec.encode(body), shares))


def fetch(provider: ProviderInTime, epoch: int) -> bytes | None:
    """The document as a client gathers it."""
    client = connected(provider)
    first = client.ask(client.control(piece=(Epoch(epoch), 0))).piece
    if first is None:
        return None
    parts = [first.data]
    for index in range(1, first.count):
        piece = client.ask(client.control(piece=(first.epoch, index))).piece
        assert piece is not None
        assert (piece.epoch, piece.index, piece.count) == (first.epoch, index, first.count)
        parts.append(piece.data)
    assert len({len(part) for part in parts[:-1]}) == 1
    beyond = client.ask(client.control(piece=(first.epoch, first.count))).piece
    assert beyond is None
    return b"".join(parts)


def test_a_document_is_fetched_in_pieces_by_epoch_or_as_the_newest() -> None:
    provider = ProviderInTime()
    assert fetch(provider, 0) is None
    for epoch in (1000, 1002, 1001):
        provider.give(DocumentKnown(document(epoch)))
    assert fetch(provider, 1001) == document(1001)
    assert fetch(provider, 0) == document(1002)
    assert fetch(provider, 999) is None


def test_the_newest_eight_documents_are_kept() -> None:
    provider = ProviderInTime()
    for epoch in range(1000, 1000 + DOCUMENTS_KEPT + 1):
        provider.give(DocumentKnown(document(epoch, 4000)))
    assert fetch(provider, 1000) is None
    assert fetch(provider, 1001) == document(1001, 4000)
    provider.give(DocumentKnown(document(1000, 4000)))
    assert fetch(provider, 0) == document(1000 + DOCUMENTS_KEPT, 4000)


def test_what_is_no_document_is_counted() -> None:
    provider = ProviderInTime()
    provider.give(DocumentKnown(b"not a document"))
    assert provider.drops[Drop.DOCUMENT] == 1


@pytest.mark.parametrize(
    ("epoch", "piece_bytes"), [(2**32, 400), (1000, 1)], ids=["epoch", "pieces"]
)
def test_what_no_mail_frame_can_name_is_refused(epoch: int, piece_bytes: int) -> None:
    """An epoch has 4 bytes in a frame, and a count of pieces 2."""
    with pytest.raises(PeerError):
        Documents(piece_bytes).learn(document(epoch, 80_000))
    Documents(2).learn(document(2**32 - 1, 80_000))
