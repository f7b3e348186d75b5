"""Inboxes, quota, tombstones and expiry: each limit at it and one past it."""

import pytest

from hushmill.drops import Drop
from hushmill.identifiers import AccountKey, Epoch
from hushmill.link import InboxOperation
from mixnode import ConsensusChanged
from provider import ClientGone, Limits, NoReserve
from provider import limits as constants
from provider.store import InboxKind
from tests.mixnode.network import PARAMETERS
from tests.provider.harness import (
    Client,
    ProviderInTime,
    connected,
    deposit_id,
    inbox_id,
    tombstones,
)

HOUR = 3600.0
DAY = 24 * HOUR


def later(provider: ProviderInTime, seconds: float, client: Client | None = None) -> None:
    """Lets time pass, with a document that agrees with the clock, and the client's return."""
    provider.now += seconds
    epoch = Epoch(int(provider.now // PARAMETERS.epoch_seconds))
    body = provider.network.consensus
    newer = type(body)(
        network_id=body.network_id,
        epoch=epoch,
        previous_epoch=body.epoch,
        previous=body.digest,
        digest=epoch.to_bytes(32, "big"),
        nodes=body.nodes,
        providers=body.providers,
        layers=body.layers,
        _by_number=body._by_number,
    )
    provider.give(ConsensusChanged(newer, epoch))
    provider.run(2 * HOUR)
    if client is not None:
        client.connect()


def is_full(provider: ProviderInTime) -> bool:
    return provider.core.is_full


def takes(provider: ProviderInTime, number: int) -> bool:
    """Whether a fresh deposit at that inbox is stored."""
    before = provider.items()
    provider.deposit(inbox_id(number), deposit_id(int(provider.rng.take(8).hex(), 16)))
    provider.run(0.1)
    return provider.items() > before


def test_old_and_new_live_inbox_work_and_a_third_closes_the_oldest() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    alice.register(inbox_id(2))
    assert takes(provider, 1)
    assert takes(provider, 2)
    alice.register(inbox_id(3))
    assert [takes(provider, number) for number in (1, 2, 3)] == [False, True, True]


def test_registering_again_changes_nothing() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    for number in (1, 2, 1, 1):
        alice.register(inbox_id(number))
    rows = provider.store.inboxes_of(1)
    assert [(row.inbox, row.kind) for row in rows] == [
        (inbox_id(1), InboxKind.LIVE),
        (inbox_id(2), InboxKind.LIVE),
    ]
    alice.register(inbox_id(3))
    assert [takes(provider, number) for number in (1, 2, 3)] == [False, True, True]


def test_the_old_live_inbox_works_for_30_days() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    alice.register(inbox_id(2))
    later(provider, 30 * DAY - 2 * HOUR)
    assert takes(provider, 1)
    later(provider, 6 * HOUR)
    assert not takes(provider, 1)
    assert takes(provider, 2)


def test_32_invitations_work_and_the_33rd_does_not() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    for number in range(33):
        alice.invite(inbox_id(number))
    assert takes(provider, 31)
    assert not takes(provider, 32)
    assert provider.drops[Drop.QUOTA] == 1
    alice.ask(alice.control(InboxOperation.REMOVE, inbox_id(0)))
    alice.invite(inbox_id(32))
    assert takes(provider, 32)
    assert not takes(provider, 0)


def test_an_invitation_takes_8_items_and_not_a_9th() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.invite(inbox_id(1))
    assert [takes(provider, 1) for _ in range(9)] == [True] * 8 + [False]
    assert len(alice.fetch_all()) == 8


@pytest.mark.parametrize(("hours", "lived"), [(0, 1), (168, 168), (65535, 720)])
def test_an_invitation_lives_for_its_hours(hours: int, lived: int) -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.invite(inbox_id(1), hours)
    provider.run((lived - 0.1) * HOUR)
    assert takes(provider, 1)
    provider.run((constants.EXPIRY_SLACK_HOURS + 2.1) * HOUR)
    assert not takes(provider, 1)


def test_a_closed_inbox_is_nobody_elses_for_30_days() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    mallory = connected(provider, "mallory")
    alice.register(inbox_id(1))
    alice.ask(alice.control(InboxOperation.REMOVE, inbox_id(1)))
    mallory.register(inbox_id(1))
    assert not takes(provider, 1)
    later(provider, 30 * DAY + 6 * HOUR, mallory)
    mallory.register(inbox_id(1))
    assert takes(provider, 1)
    assert len(mallory.fetch_all()) == 1


def test_an_account_has_at_most_64_inbox_rows() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    for number in range(100):
        alice.register(inbox_id(number))
    for number in range(100, 140):
        alice.invite(inbox_id(number))
    rows = provider.store.inboxes_of(1)
    assert len(rows) == constants.INBOX_ROWS == 64
    closed = [row.inbox for row in rows if row.kind is InboxKind.CLOSED]
    assert closed == [inbox_id(number) for number in range(68, 98)]


def test_the_last_item_within_the_quota_is_stored_and_the_next_is_not() -> None:
    provider = ProviderInTime(limits=Limits(items_per_account=3))
    alice, bob = connected(provider), connected(provider, "bob")
    alice.register(inbox_id(1))
    bob.register(inbox_id(2))
    assert [takes(provider, 1) for _ in range(4)] == [True] * 3 + [False]
    assert provider.drops[Drop.QUOTA] == 1
    assert takes(provider, 2), "another's quota is another's"
    item = alice.fetch()
    assert item is not None
    alice.delete(item.handle)
    assert takes(provider, 1)


def test_the_oldest_tombstone_above_the_limit_is_forgotten() -> None:
    provider = ProviderInTime(limits=Limits(tombstones_per_account=2))
    alice = connected(provider)
    alice.register(inbox_id(1))
    for number in range(3):
        provider.deposit(inbox_id(1), deposit_id(number))
        item = alice.fetch()
        assert item is not None
        alice.delete(item.handle)
        later(provider, 0.0, alice)
    assert tombstones(provider) == 2
    for number in range(3):
        provider.deposit(inbox_id(1), deposit_id(number))
    assert [item.deposit for item in alice.fetch_all()] == [deposit_id(0)]


def test_tombstones_last_15_days() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    provider.deposit(inbox_id(1), deposit_id(1))
    item = alice.fetch()
    assert item is not None
    alice.delete(item.handle)
    later(provider, 15 * DAY - 3 * HOUR, alice)
    provider.deposit(inbox_id(1), deposit_id(1))
    assert alice.fetch_all() == []
    later(provider, 8 * HOUR, alice)
    assert tombstones(provider) == 0


def test_items_last_30_days() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    provider.deposit(inbox_id(1), deposit_id(1))
    provider.run(0.1)
    later(provider, 30 * DAY - 3 * HOUR, alice)
    assert len(alice.fetch_all()) == 1
    later(provider, 8 * HOUR, alice)
    assert alice.fetch_all() == []
    assert provider.store.item_count(1) == 0


def test_a_clock_that_steps_by_two_hours_loses_nothing_early() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    provider.deposit(inbox_id(1), deposit_id(1))
    provider.run(0.1)
    later(provider, 30 * DAY - 2 * HOUR - 120.0)
    provider.run(0.0)
    later(provider, 0.0)
    assert provider.items() == 1


def test_a_clock_far_from_the_consensus_expires_nothing() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    provider.deposit(inbox_id(1), deposit_id(1))
    provider.run(1.0)
    provider.now += 3650 * DAY
    provider.run(3 * HOUR)
    assert provider.items() == 1
    later(provider, 0.0)
    assert provider.items() == 0


def test_an_account_that_nobody_used_for_90_days_is_removed_with_all_it_had() -> None:
    provider = ProviderInTime()
    alice, bob = connected(provider), connected(provider, "bob")
    alice.register(inbox_id(1))
    bob.register(inbox_id(2))
    assert takes(provider, 2)
    provider.give(ClientGone(bob.session))
    later(provider, 89 * DAY)
    assert provider.store.account_count() == 2
    later(provider, 1 * DAY)
    assert provider.store.account_count() == 1, "alice's session, still there, is use"
    assert not takes(provider, 2)
    assert takes(provider, 1)


def test_an_account_that_never_registered_an_inbox_is_removed_after_48_hours() -> None:
    provider = ProviderInTime()
    alice, opened, present = (connected(provider, name) for name in ("alice", "opened", "present"))
    alice.register(inbox_id(1))
    for client in (alice, opened):
        provider.give(ClientGone(client.session))
    later(provider, 47 * HOUR)
    assert provider.store.account_count() == 3
    later(provider, 4 * HOUR)
    assert provider.store.account_count() == 2
    keys = [client.key.public.raw for client in (alice, present)]
    assert all(provider.store.account_number(AccountKey(key)) for key in keys)
    assert opened.connect() is not None, "it may come again"


def test_without_room_no_account_is_removed_since_no_use_could_be_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    monkeypatch.setattr(NoReserve, "is_held", lambda _self: False)
    alice.ask()
    assert is_full(provider)
    later(provider, 91 * DAY)
    assert provider.store.account_count() == 1
    assert alice.ask().item is None
    monkeypatch.undo()
    later(provider, 1 * DAY)
    later(provider, 1 * DAY)
    assert not is_full(provider)
    assert provider.store.account_count() == 1


def test_expiry_takes_more_than_one_pass_when_there_is_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "EXPIRY_ROWS", 2)
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    for number in range(5):
        provider.deposit(inbox_id(1), deposit_id(number))
    provider.run(1.0)
    later(provider, 31 * DAY)
    assert provider.items() == 0


def test_stored_times_are_whole_hours_and_columns_hold_no_arrival_time() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.register(inbox_id(1))
    provider.run(HOUR - provider.now % HOUR + 10.0)
    provider.deposit(inbox_id(1), deposit_id(1))
    provider.run(1800.0)
    provider.deposit(inbox_id(1), deposit_id(2))
    provider.run(1.0)
    rows = provider.store._connection.execute("SELECT expires_hour FROM items").fetchall()
    assert rows[0] == rows[1]
    assert rows[0][0] == int(provider.now // HOUR) + 1 + constants.ITEM_HOURS
