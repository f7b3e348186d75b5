"""The consensus in pieces, from a provider that may be hostile."""

import pytest

from client.directory_pieces import PATIENCE_REQUESTS, DocumentPieces
from client.network_view import NetworkView
from hushmill.drops import Drop
from hushmill.errors import PeerError, UserError
from hushmill.identifiers import Epoch
from hushmill.link import DIRECTORY_MESSAGE_LIMIT, NEWEST_DOCUMENT, PieceOfDocument
from pki import epoch_at
from tests.client.street import House, Street
from tests.client.street_network import PARAMETERS, PROVIDERS, START

ROOM = 500
NOW_EPOCH = epoch_at(START, PARAMETERS)


def cut(street: Street, epoch: Epoch) -> list[PieceOfDocument]:
    data = street.documents[epoch]
    count = -(-len(data) // ROOM)
    return [
        PieceOfDocument(epoch, index, count, data[index * ROOM : (index + 1) * ROOM])
        for index in range(count)
    ]


def begin(street: Street) -> tuple[NetworkView, DocumentPieces]:
    view = NetworkView(street.genesis, None)
    return view, DocumentPieces(view.keeper, ROOM)


def test_asks_for_every_piece_and_gives_the_document() -> None:
    street = Street()
    view, pieces = begin(street)
    offered = {piece.index: piece for piece in cut(street, NOW_EPOCH)}
    given: bytes | None = None
    for _ in range(3 * len(offered)):
        _, index = pieces.request(START)
        given = pieces.take(offered[index], START)
        if given is not None:
            break
    assert given == street.documents[NOW_EPOCH]
    assert view.accept(given, START)
    assert view.at(START) is not None


def test_always_asks_for_something() -> None:
    street = Street()
    view, pieces = begin(street)
    view.accept(street.documents[NOW_EPOCH], START)
    assert {pieces.request(START) for _ in range(20)} == {(NEWEST_DOCUMENT, 0)}


def test_asks_for_the_present_document_when_only_the_next_one_is_held() -> None:
    street = Street()
    following = Epoch(NOW_EPOCH + 1)
    street.publish(following)
    view, pieces = begin(street)
    view.accept(street.documents[following], START)
    asked = {pieces.request(START) for _ in range(20)}
    assert asked == {(NEWEST_DOCUMENT, 0), (NOW_EPOCH, 0)}
    assert view.at(START) is None
    *_, last = [pieces.take(piece, START) for piece in cut(street, NOW_EPOCH)]
    assert last is not None
    assert view.accept(last, START)
    assert view.at(START) is not None


def test_wants_the_next_document_and_not_the_one_it_has() -> None:
    street = Street()
    view, pieces = begin(street)
    view.accept(street.documents[NOW_EPOCH], START)
    assert all(pieces.take(piece, START) is None for piece in cut(street, NOW_EPOCH))
    following = Epoch(NOW_EPOCH + 1)
    street.publish(following)
    *_, last = [pieces.take(piece, START) for piece in cut(street, following)]
    assert last == street.documents[following]


def test_refuses_a_document_above_the_limit() -> None:
    street = Street()
    _, pieces = begin(street)
    most = -(-DIRECTORY_MESSAGE_LIMIT // ROOM)
    assert pieces.take(PieceOfDocument(NOW_EPOCH, 0, most, b"x"), START) is None
    with pytest.raises(PeerError) as refused:
        pieces.take(PieceOfDocument(NOW_EPOCH, 0, most + 1, b"x"), START)
    assert refused.value.reason is Drop.DOCUMENT


def test_gives_up_a_document_that_never_becomes_whole() -> None:
    """A hostile provider names an epoch far ahead, and sends no more of it."""
    street = Street()
    view, pieces = begin(street)
    pieces.take(PieceOfDocument(Epoch(2**32 - 1), 0, 100, b"x"), START)
    for _ in range(2 * PATIENCE_REQUESTS):
        pieces.request(START)
    for piece in cut(street, NOW_EPOCH):
        document = pieces.take(piece, START)
    assert document is not None
    assert view.accept(document, START)


def test_keeps_at_most_two_collections() -> None:
    street = Street()
    _, pieces = begin(street)
    for ahead in range(5):
        pieces.take(PieceOfDocument(Epoch(NOW_EPOCH + ahead), 0, 9, b"x"), START)
    assert len(pieces._collections) == 2


def test_a_forged_document_is_dropped_and_counted() -> None:
    street = Street()
    data = bytearray(street.documents[NOW_EPOCH])
    data[-1] ^= 1
    street.documents[NOW_EPOCH] = bytes(data)
    alice = House(street, "alice", PROVIDERS[0])
    street.run_for(60)
    status = alice.messenger.status(street.now)
    assert status.document_epoch is None
    assert dict(status.drops)["document"] >= 1
    assert alice.relayed == []


def test_documents_survive_a_restart_and_old_ones_are_refused() -> None:
    street = Street()
    alice = House(street, "alice", PROVIDERS[0])
    assert street.run_until(alice.is_ready, 60)
    street.publish(Epoch(NOW_EPOCH + 1))
    assert street.run_until(
        lambda: alice.messenger.status(street.now).document_epoch == NOW_EPOCH + 1, 60
    )
    del street.documents[Epoch(NOW_EPOCH + 1)]
    alice.crash()
    assert alice.messenger.status(street.now).document_epoch == NOW_EPOCH + 1
    assert not alice.messenger.status(street.now).document_stale


def test_a_clock_that_steps_back_holds_the_payload() -> None:
    street = Street()
    view, _ = begin(street)
    view.accept(street.documents[NOW_EPOCH], START)
    assert view.at(START) is not None
    assert view.at(START + 5 * PARAMETERS.epoch_seconds) is None
    assert view.at(START) is None
    with pytest.raises(UserError):
        view.keeper.current(START)


@pytest.mark.parametrize("back", [1, 3, 5])
def test_a_clock_set_back_behind_a_restart_opens_no_old_document_again(back: int) -> None:
    street = Street()
    alice = House(street, "alice", PROVIDERS[0])
    assert street.run_until(alice.is_ready, 60)
    street.publishes = False
    alice.link_down()
    for _ in range(6):
        street.now += PARAMETERS.epoch_seconds
        alice.advance()
    assert alice.messenger.status(street.now).document_stale
    street.now -= back * PARAMETERS.epoch_seconds
    alice.crash()
    assert alice.messenger.status(street.now).document_stale


def test_a_clock_that_was_years_ahead_does_not_stop_us_for_years() -> None:
    street = Street()
    alice = House(street, "alice", PROVIDERS[0])
    assert street.run_until(alice.is_ready, 60)
    right = street.now
    street.now += 10 * 365 * 86400
    street.publishes = False
    alice.link_down()
    alice.advance()
    street.now = right + 25 * 3600
    alice.crash()
    street.publishes = True
    alice.link_up()
    assert street.run_until(lambda: not alice.messenger.status(street.now).document_stale, 120)
