"""The store: one schema, all or nothing, nothing reset."""

import apsw
import pytest

from client import ClientStore, ContactState, Text, found_person
from client.content import Message
from client.introductions import PREKEYS_KEPT
from client.store_schema import SCHEMA_VERSION
from experiments.simnet.seeded import SeededRandomness
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import InboxId, NetworkId, NodeNumber
from hushmill.link import InboxOperation
from tests.client.street import friends

NOW = 1_800_000_000.0


def empty() -> ClientStore:
    return ClientStore(apsw.Connection(":memory:"))


def test_opens_again_what_it_made() -> None:
    store = empty()
    store.contacts.add("bob", ContactState.ADDED, NOW)
    again = ClientStore(store.connection)
    assert [contact.name for contact in again.contacts.all()] == ["bob"]


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99])
def test_refuses_another_version_and_leaves_it_alone(version: int) -> None:
    store = empty()
    store.contacts.add("bob", ContactState.ADDED, NOW)
    store.connection.pragma("user_version", version)
    with pytest.raises(UserError) as refused:
        ClientStore(store.connection)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP
    assert store.connection.pragma("user_version") == version
    assert len(store.contacts.all()) == 1


def test_refuses_somebody_elses_database() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE recipes (name)")
    with pytest.raises(UserError):
        ClientStore(connection)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
    assert tables == ["recipes"]


def test_a_transaction_is_all_or_nothing() -> None:
    store = empty()

    def fail() -> None:
        with store.transaction():
            store.contacts.add("bob", ContactState.ADDED, NOW)
            with store.transaction():
                store.contacts.add("carol", ContactState.ADDED, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.contacts.all() == []


def test_writes_are_synced() -> None:
    store = empty()
    assert store.connection.pragma("synchronous") == 2
    assert store.connection.pragma("foreign_keys") == 1


def test_a_person_is_founded_once() -> None:
    store = empty()
    rng = SeededRandomness(1, "founding")
    with pytest.raises(UserError) as missing:
        store.person.read()
    assert missing.value.exit_code is ExitCode.CONFIGURATION
    arguments = (store, "alice", NetworkId(bytes(32)), NodeNumber(4), rng, NOW)
    person = found_person(*arguments)
    assert store.person.read() == person
    assert len({person.identity_seed, person.account_seed, person.loop_secret}) == 3
    with pytest.raises(UserError) as refused:
        found_person(*arguments)
    assert refused.value.exit_code is ExitCode.CONFIGURATION
    assert store.person.read() == person


def test_secrets_do_not_print() -> None:
    store = empty()
    person = found_person(
        store, "alice", NetworkId(bytes(32)), NodeNumber(4), SeededRandomness(1, "x"), NOW
    )
    assert "secret" in repr(person)
    assert person.identity_seed.hex() not in repr(person)
    assert repr(person.identity_seed) not in repr(person)


def test_inbox_operations_stand_in_line_once_each() -> None:
    store = empty()
    for hours in (5, 6):
        store.mailbox.ask(InboxOperation.REGISTER_LIVE, InboxId(bytes(32)), hours)
    store.mailbox.ask(InboxOperation.REMOVE, InboxId(bytes(32)), 0)
    asked = store.mailbox.operations()
    assert [(one.operation, one.lifetime_hours) for one in asked] == [
        (InboxOperation.REGISTER_LIVE, 5),
        (InboxOperation.REMOVE, 0),
    ]
    store.mailbox.finish(asked[0])
    assert store.mailbox.operations() == asked[1:]


def test_an_address_moves_forward_only() -> None:
    store = empty()
    contact = store.contacts.add("bob", ContactState.ACTIVE, NOW)
    new, old = InboxId(b"n" * 32), InboxId(b"o" * 32)
    store.contacts.move(contact.id, NodeNumber(4), new, 2)
    store.contacts.move(contact.id, NodeNumber(5), old, 1)
    store.contacts.move(contact.id, NodeNumber(5), old, 2)
    row = store.contacts.numbered(contact.id)
    assert (row.provider, row.inbox, row.inbox_serial) == (4, new, 2)


def test_a_new_identity_is_not_verified() -> None:
    store = empty()
    contact = store.contacts.add("bob", ContactState.ACTIVE, NOW)
    store.contacts.meet(contact.id, b"1" * 32)
    store.contacts.mark_verified(contact.id)
    store.contacts.meet(contact.id, b"2" * 32)
    assert not store.contacts.numbered(contact.id).verified


def test_sequences_are_taken_once() -> None:
    store = empty()
    contact = store.contacts.add("bob", ContactState.ACTIVE, NOW)
    assert [store.contacts.take_sequence(contact.id) for _ in range(3)] == [1, 2, 3]
    assert [store.contacts.take_acknowledgement(contact.id) for _ in range(2)] == [1, 2]


def test_a_message_keeps_its_rooms() -> None:
    store = empty()
    contact = store.contacts.add("bob", ContactState.ACTIVE, NOW)
    message = Message(Text("kept"), int(NOW), int(NOW) + 60, b"device 1")
    store.messages.add_own(contact.id, message)
    (waiting,) = store.messages.waiting(contact.id)
    assert waiting.content == message


def test_skipped_keys_are_rows_and_go_when_used() -> None:
    street, alice, bob = friends()
    session = alice.store.sessions.load(1)
    assert session is not None
    ciphertexts = [session.session.encrypt(bytes([number])) for number in range(4)]
    for number in (3, 1, 0, 2):
        stored = bob.store.sessions.load(1)
        assert stored is not None
        assert stored.session.decrypt(ciphertexts[number]) == bytes([number])
        with bob.store.transaction():
            bob.store.sessions.save(stored)
    assert bob.query("SELECT count(*) FROM skipped_key") == [(0,)]
    assert street.now > NOW


def test_prekeys_rotate_weekly_and_die() -> None:
    _, alice, _ = friends()
    week = 7 * 24 * 3600.0
    introductions = alice.messenger._introductions
    made = alice.query("SELECT id FROM prekeys")
    for number in range(1, 7):
        with alice.store.transaction():
            introductions.rotate_prekeys(alice.street.now + number * week)
    kept = alice.query("SELECT id FROM prekeys")
    assert made[0] not in kept
    assert 5 <= len(kept) <= 6


def test_prekeys_of_a_clock_that_was_ahead_are_replaced_and_die() -> None:
    _, alice, _ = friends()
    introductions, now, week = alice.messenger._introductions, alice.street.now, 7 * 24 * 3600.0
    with alice.store.transaction():
        introductions.rotate_prekeys(now + 520 * week)
        introductions.rotate_prekeys(now)
    (*_, ahead), (*_, newest) = alice.query("SELECT id FROM prekeys ORDER BY id")
    usable = introductions._prekeys()[-1][1].bundle()
    assert usable.is_usable(now)
    for number in range(1, PREKEYS_KEPT):
        with alice.store.transaction():
            introductions.rotate_prekeys(now + number * week)
    assert (ahead,) in alice.query("SELECT id FROM prekeys")
    for number in (PREKEYS_KEPT, PREKEYS_KEPT + 1):
        with alice.store.transaction():
            introductions.rotate_prekeys(now + number * week)
    kept = alice.query("SELECT id FROM prekeys")
    assert (ahead,) not in kept
    assert (newest,) not in kept  # by its age
    assert 5 <= len(kept) <= 8


def test_a_removed_prekey_takes_its_handshakes_along() -> None:
    _, _, bob = friends()
    assert bob.query("SELECT count(*) FROM accepted_handshake") == [(1,)]
    ((number,),) = bob.query("SELECT id FROM prekeys")
    assert isinstance(number, int)
    with bob.store.transaction():
        ((digest,),) = bob.query("SELECT digest FROM accepted_handshake")
        assert isinstance(digest, bytes)
        assert not bob.store.person.remember_handshake(digest, number)
        bob.store.person.remove_prekeys(number)
    assert bob.query("SELECT count(*) FROM accepted_handshake") == [(0,)]
