"""A message is encrypted once and tried until the recipient says that it has it."""

import itertools

import pytest

from client import ClientLimits, File, MessageState, Text
from client.acknowledgements import (
    LARGEST_WAIT_SECONDS,
    TRIES,
    UNCONFIRMED_SECONDS,
    first_retry_seconds,
)
from client.envelope import FRAGMENTS_LIMIT
from hushmill.errors import ExitCode, UserError
from hushmill.packet import Deposit
from tests.client.street import House, Street, friends, introduce, two_people
from tests.client.street_network import PARAMETERS, PROVIDERS

RETRY = first_retry_seconds(PARAMETERS)


class Wire:
    """Everything that is deposited from now on."""

    def __init__(self, street: Street, inboxes: set[object]) -> None:
        self.deposits: list[Deposit] = []
        self.raw: list[bytes] = []
        carry = street.carry

        def watched(first: int, raw: bytes) -> None:
            deposit = street.open(first, raw)[2]  # type: ignore[arg-type]
            if deposit.inbox in inboxes:
                self.deposits.append(deposit)
                self.raw.append(raw)
            carry(first, raw)  # type: ignore[arg-type]

        street.carry = watched  # type: ignore[method-assign]


def state_of(house: House, id_: int) -> MessageState:
    view = house.messenger.message(id_)
    assert view is not None
    return view.state


def test_a_retry_is_the_same_ciphertext_in_another_packet() -> None:
    street, alice, bob = friends()
    bob.link_down()  # nothing comes back
    street.run_for(15)
    wire = Wire(street, set(bob.inboxes))
    street.weather.loss = 1.0
    id_ = alice.messenger.send("bob", Text("again and again"), street.now)
    root = alice.query("SELECT root FROM session")
    sealed = alice.query("SELECT deposit, sealed FROM fragment")
    alice.acted()
    street.run_for(RETRY * (1 + 2 + 4 + 8 + 16) + 20)
    ours = [one for one in wire.deposits if (one.deposit, one.body) == sealed[0]]
    assert len(ours) >= 6
    assert [one for one in wire.deposits if one.deposit == sealed[0][0]] == ours
    assert len(set(wire.raw)) == len(wire.raw)
    assert alice.query("SELECT root FROM session") == root
    assert alice.query("SELECT deposit, sealed FROM fragment") == sealed
    assert alice.query("SELECT tries FROM fragment") == [(len(ours),)]
    assert state_of(alice, id_) is MessageState.SENT


def test_first_retry_waits_for_three_round_trips_and_then_doubles() -> None:
    street, alice, bob = friends()
    bob.link_down()
    street.weather.loss = 1.0
    alice.messenger.send("bob", Text("x"), street.now)
    alice.acted()
    times: list[float] = []
    before = 0
    while len(times) < 4:
        street.run_for(0.5)
        tries = alice.query("SELECT tries FROM fragment")[0][0]
        assert isinstance(tries, int)
        if tries > before:
            times.append(street.now)
            before = tries
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([RETRY, 2 * RETRY, 4 * RETRY], abs=4)
    assert RETRY >= 30


def test_only_missing_fragments_are_tried_again() -> None:
    street, alice, bob = friends()
    id_ = alice.messenger.send("bob", Text("z" * 20_000), street.now)
    alice.acted()
    count = len(alice.query("SELECT * FROM fragment"))
    assert count == 8
    wire = Wire(street, set(bob.inboxes))
    street.weather.loss = 0.5
    street.run_for(RETRY * 0.9)
    street.weather.loss = 0.0
    missing = {deposit for (deposit,) in alice.query("SELECT deposit FROM fragment")}
    assert 0 < len(missing) < count
    tried = len(wire.deposits)
    assert street.run_until(lambda: state_of(alice, id_) is MessageState.DELIVERED, 200)
    sealed = {one.deposit for one in wire.deposits[tried:] if one.deposit in missing}
    others = {one.deposit for one in wire.deposits[:tried] if one.deposit not in missing} & {
        one.deposit for one in wire.deposits[tried:]
    }
    assert sealed == missing
    assert others == set()
    assert bob.texts == ["z" * 20_000]


def test_states_go_from_queued_to_sent_to_delivered() -> None:
    street, alice, bob = friends()
    id_ = alice.messenger.send("bob", Text("x" * 9_000), street.now)
    assert state_of(alice, id_) is MessageState.QUEUED
    alice.acted()
    assert street.run_until(lambda: state_of(alice, id_) is MessageState.SENT, 20)
    assert street.run_until(lambda: state_of(alice, id_) is MessageState.DELIVERED, 60)
    assert alice.query("SELECT count(*) FROM fragment") == [(0,)]
    assert alice.query("SELECT count(*) FROM parcel") == [(0,)]
    assert len(bob.texts) == 1


def test_what_nobody_confirms_ends_unconfirmed_and_a_late_word_mends_it() -> None:
    street, alice, bob = friends()
    id_ = alice.messenger.send("bob", Text("did it arrive?"), street.now)
    alice.acted()
    assert street.run_until(lambda: bob.texts == ["did it arrive?"], 20)
    with alice.store.transaction():
        alice.connection.execute("UPDATE parcel SET first_sent_at = ?", (street.now - 10,))
    alice.messenger.advance(street.now + UNCONFIRMED_SECONDS - 60)
    assert state_of(alice, id_) is MessageState.SENT
    alice.messenger.advance(street.now + UNCONFIRMED_SECONDS + 60)
    assert state_of(alice, id_) is MessageState.UNCONFIRMED
    assert alice.query("SELECT count(*) FROM fragment") == [(0,)]
    assert street.run_until(lambda: state_of(alice, id_) is MessageState.DELIVERED, 120)


def test_after_twenty_tries_it_ends_too() -> None:
    street, alice, _ = friends()
    id_ = alice.messenger.send("bob", Text("x"), street.now)
    with alice.store.transaction():
        alice.connection.execute(
            "UPDATE fragment SET tries = ?, due_at = ?", (TRIES - 1, street.now)
        )
    street.weather.loss = 1.0
    alice.acted()
    assert street.run_until(lambda: alice.query("SELECT tries FROM fragment") == [(TRIES,)], 20)
    with alice.store.transaction():
        alice.connection.execute("UPDATE fragment SET due_at = ?", (street.now,))
    alice.acted()
    street.run_for(100)
    assert state_of(alice, id_) is MessageState.UNCONFIRMED


def test_a_given_up_message_does_not_hold_up_later_ones() -> None:
    street, alice, bob = friends()
    alice.messenger.send("bob", Text("lost"), street.now)
    with alice.store.transaction():
        alice.connection.execute("UPDATE parcel SET first_sent_at = 1")
        alice.connection.execute("UPDATE fragment SET due_at = due_at + 1e4")
    alice.messenger.advance(street.now + 60)
    ids = [alice.messenger.send("bob", Text(f"{n}"), street.now) for n in range(3)]
    alice.acted()
    assert street.run_until(lambda: bob.texts == ["0", "1", "2"], 60)
    street.run_for(30)
    assert {state_of(alice, id_) for id_ in ids} == {MessageState.DELIVERED}
    assert bob.query("SELECT received_through FROM contact") == [(5,)]


def test_a_clock_that_was_once_a_year_ahead_holds_nothing_up() -> None:
    street, alice, bob = friends()
    street.weather.loss = 1.0
    alice.messenger.send("bob", Text("held?"), street.now)
    with alice.store.transaction():
        alice.connection.execute("UPDATE fragment SET due_at = ?", (street.now + 365 * 86400,))
    alice.messenger.advance(street.now + 60)
    ((due_at,),) = alice.query("SELECT due_at FROM fragment")
    assert due_at == street.now + 60 + LARGEST_WAIT_SECONDS
    assert bob.texts == []


def test_contacts_take_turns() -> None:
    street, alice, bob = friends()
    carol = House(street, "carol", PROVIDERS[0])
    assert street.run_until(carol.is_ready, 60)
    introduce(street, alice, carol)
    alice.messenger.send("bob", File("large", bytes(200_000)), street.now)
    alice.messenger.send("carol", Text("short"), street.now)
    alice.acted()
    assert street.run_until(lambda: carol.texts == ["short"], 10)
    assert bob.shown == []


def test_takes_a_file_of_256_fragments_and_not_a_byte_more() -> None:
    street, alice, _ = friends()
    most = alice.messenger._outbox.largest_content
    alice.messenger.send("bob", File("n" * 255, bytes(most)), street.now)
    assert alice.query("SELECT count(*) FROM fragment") == [(FRAGMENTS_LIMIT,)]
    with pytest.raises(UserError, match=str(most)) as refused:
        alice.messenger.send("bob", File("n", bytes(most + 1)), street.now)
    assert refused.value.exit_code is ExitCode.USAGE
    assert alice.query("SELECT count(*) FROM message") == [(1,)]


def test_takes_a_text_of_64_kib_and_not_a_byte_more() -> None:
    street, alice, _ = friends()
    alice.messenger.send("bob", Text("é" * 32768), street.now)
    with pytest.raises(UserError, match="as a file"):
        alice.messenger.send("bob", Text("é" * 32768 + "x"), street.now)


def test_text_that_is_no_unicode_is_sent_with_marks() -> None:
    street, alice, bob = friends()
    alice.messenger.send("bob", Text("a\udcffb"), street.now)
    alice.acted()
    assert street.run_until(lambda: bob.texts == ["a?b"], 60)


@pytest.mark.parametrize("has_met", [True, False])
def test_the_outbox_has_a_limit_in_bytes(has_met: bool) -> None:
    street, alice, bob = two_people()
    if has_met:
        introduce(street, alice, bob)
    else:
        alice.messenger.invite("bob", street.now)
    room = alice.messenger._outbox.padded_bytes(10)
    alice.messenger._limits = ClientLimits(outbox_bytes=4 * room)
    alice.link_down()
    for _ in range(64):
        if alice.messenger._outbox.bytes_kept() + room > 4 * room:
            break
        alice.messenger.send("bob", Text("x" * 1000), street.now)
    before = alice.query("SELECT count(*) FROM message")
    assert before >= [(3,)]
    with pytest.raises(UserError, match="outbox is full") as refused:
        alice.messenger.send("bob", Text("x"), street.now)
    assert refused.value.exit_code is ExitCode.USAGE
    assert alice.query("SELECT count(*) FROM message") == before


def test_claims_of_what_was_never_sent_change_nothing() -> None:
    from client.envelope import WHOLE, Acknowledgement, Entry

    street, alice, _ = friends()
    id_ = alice.messenger.send("bob", Text("x"), street.now)
    row = alice.store.contacts.named("bob")
    assert row is not None
    with alice.store.transaction():
        for claim in (
            Acknowledgement(row.next_sequence, ()),
            Acknowledgement(2**32 - 1, ()),
            Acknowledgement(0, (Entry(row.next_sequence + 7, WHOLE), Entry(2**32 - 1, WHOLE))),
        ):
            assert alice.messenger._outbox.acknowledge(row, claim) == []
    assert state_of(alice, id_) is MessageState.QUEUED
