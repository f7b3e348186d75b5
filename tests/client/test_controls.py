"""Errands: carried by some frame until a mail frame answers it."""

import dataclasses

import apsw

from client import ClientStore
from client.controls import HANDLES_LIMIT, ControlBase, ControlDesk, Errand
from client.directory_pieces import DocumentPieces
from client.network_view import NetworkView
from experiments.simnet.seeded import SeededRandomness
from hushmill.identifiers import InboxId, NodeNumber
from hushmill.link import HANDLES_IN_CONTROL, NO_HANDLE, Control, InboxOperation, MailHandle
from tests.client.street import Street
from tests.client.street_network import START

MIX = NodeNumber(1)
INBOX = InboxId(b"i" * 32)


def desk() -> tuple[ControlDesk, ClientStore]:
    store = ClientStore(apsw.Connection(":memory:"))
    view = NetworkView(Street().genesis, None)
    pieces = DocumentPieces(view.keeper, 500)
    return ControlDesk(store.mailbox, pieces), store


RNG = SeededRandomness(1, "slots")


def compose(one: ControlDesk) -> tuple[Control, Errand]:
    """The first control field of a new slot."""
    return one.compose(one.open(RNG, START), MIX)


def handle(number: int) -> MailHandle:
    return MailHandle(number.to_bytes(8, "big"))


def test_a_frame_carries_eight_handles_and_the_next_frame_the_ninth() -> None:
    one, _ = desk()
    for number in range(1, 10):
        one.add_committed(handle(number))
    first, _ = compose(one)
    second, _ = compose(one)
    assert first.handles == tuple(handle(number) for number in range(1, 9))
    assert second.handles == (handle(9), *[NO_HANDLE] * (HANDLES_IN_CONTROL - 1))
    assert not one.has_news()


def test_an_answer_ends_exactly_what_was_sent_until_then() -> None:
    one, _ = desk()
    one.add_committed(handle(1))
    _, early = compose(one)
    one.add_committed(handle(2))
    _, late = compose(one)
    one.mark_sent(late)  # frames leave in another order than they were made
    one.mark_sent(early)
    one.release(late)
    one.release(early)
    one.answer(1, START)
    assert one.knows(handle(1))
    assert not one.knows(handle(2))
    one.answer(2, START)
    assert not one.knows(handle(1))


def test_what_was_sent_into_a_dead_link_is_carried_again() -> None:
    one, store = desk()
    one.add_committed(handle(1))
    store.mailbox.ask(InboxOperation.REGISTER_LIVE, INBOX, 5)
    control, errand = compose(one)
    assert (control.operation, control.inbox) == (InboxOperation.REGISTER_LIVE, INBOX)
    one.mark_sent(errand)
    one.release(errand)
    assert not one.has_news()
    one.link_down()
    assert one.has_news()
    one.link_up()
    again, errand = compose(one)
    assert (again.operation, again.handles) == (control.operation, control.handles)
    one.mark_sent(errand)
    one.answer(1, START)
    assert store.mailbox.operations() == []


def test_a_frame_that_will_not_leave_gives_its_errand_back() -> None:
    one, _ = desk()
    one.add_committed(handle(1))
    _, errand = compose(one)
    one.release(errand)
    assert compose(one)[0].handles[0] == handle(1)


def test_every_frame_names_a_fresh_one_time_inbox() -> None:
    one, _ = desk()
    controls = [compose(one)[0] for _ in range(100)]
    assert len({control.one_time_inbox for control in controls}) == 100
    assert len({control.inbox for control in controls}) == 100
    assert all(len(control.encode(SeededRandomness(2, "x"))) == 256 for control in controls)


def test_a_slots_later_control_fields_ask_for_the_same_as_its_first() -> None:
    one, _ = desk()
    base = one.open(RNG, START)
    first, errand = one.compose(base, MIX)
    one.release(errand)
    one.add_committed(handle(1))
    second, _ = one.compose(base, MIX)
    assert first.handles != second.handles
    assert dataclasses.replace(second, handles=first.handles) == first
    assert isinstance(base, ControlBase)
    assert one.compose(one.open(RNG, START), MIX)[0].one_time_inbox != first.one_time_inbox


def test_remembers_4096_handles_and_not_one_more() -> None:
    one, _ = desk()
    for number in range(1, HANDLES_LIMIT + 1):
        one.add_committed(handle(number))
    assert one.knows(handle(1))
    one.add_committed(handle(HANDLES_LIMIT + 1))
    assert not one.knows(handle(1))
    assert one.knows(handle(2))
