"""What is deposited reaches its account, again and again until the account has it deleted."""

from hushmill.drops import Drop
from hushmill.identifiers import NO_NODE, NodeNumber
from hushmill.link import ClientFrames, InboxOperation, Mail
from mixnode import SendPacket
from provider import SendToClient
from tests.mixnode.network import LAYERS, START
from tests.provider.harness import (
    FIRST_MIX,
    LAST_MIX,
    ProviderInTime,
    connected,
    deposit_id,
    inbox_id,
    tombstones,
)


def test_hands_out_a_deposit_and_deletes_it_when_its_handle_comes() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1), provider.body(b"hello"))
    item = alice.fetch()
    assert item is not None
    assert (item.inbox, item.deposit, item.body) == (inbox, deposit_id(1), provider.body(b"hello"))
    assert provider.items() == 1
    alice.delete(item.handle)
    assert provider.items() == 0
    assert tombstones(provider) == 1


def test_nothing_is_handed_out_or_acknowledged_before_the_commit() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1))
    alice.send(alice.control(InboxOperation.REGISTER_LIVE, inbox_id(2)))
    saw_uncommitted = False
    while not (mails := alice.answers()):
        saw_uncommitted |= provider.store.is_dirty
        provider.run(0.001)
    assert saw_uncommitted
    assert not provider.store.is_dirty
    (mail,) = mails
    assert isinstance(mail, Mail)
    assert mail.answered_sequence == alice.sequence
    assert mail.item is not None


def test_a_crash_before_the_tick_takes_back_what_nobody_was_told() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.answers()
    alice.send(alice.control(InboxOperation.REGISTER_LIVE, inbox_id(1)))
    assert provider.store.inbox(inbox_id(1)) is not None
    assert not alice.answers()
    provider.store.abandon()
    assert provider.store.inbox(inbox_id(1)) is None


def test_answers_name_the_newest_committed_control() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    for _ in range(3):
        alice.send()
    provider.run(0.1)
    mails = [mail for mail in alice.answers() if isinstance(mail, Mail)]
    assert [mail.answered_sequence for mail in mails] == [alice.sequence] * 3


def test_the_same_bytes_three_times_are_one_item() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    for _ in range(3):
        provider.deposit(inbox, deposit_id(1), provider.body(b"same"))
    assert len(alice.fetch_all()) == 1
    assert provider.drops[Drop.DUPLICATE] == 2


def test_at_a_taken_slot_the_first_bytes_stay_and_the_outcome_is_the_same() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1), provider.body(b"first"))
    provider.run(0.1)  # a mix shuffles what leaves at one of its ticks
    provider.deposit(inbox, deposit_id(1), provider.body(b"second"))
    assert [item.body for item in alice.fetch_all()] == [provider.body(b"first")]
    assert provider.drops[Drop.DUPLICATE] == 1


def test_a_late_retry_does_not_come_back_after_deletion() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1))
    item = alice.fetch()
    assert item is not None
    alice.delete(item.handle)
    alice.delete(item.handle)
    provider.deposit(inbox, deposit_id(1))
    assert alice.fetch_all() == []
    assert provider.drops[Drop.DUPLICATE] == 1


def test_fetching_does_not_delete_a_new_session_gets_all_again() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    for number in range(5):
        provider.deposit(inbox, deposit_id(number))
    first = alice.fetch_all()
    assert len(first) == 5
    alice.connect()
    assert alice.fetch_all() == first


def test_an_item_comes_again_after_30_seconds_and_not_before() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1))
    item = alice.fetch()
    provider.run(29.0)
    assert alice.fetch() is None
    provider.run(1.0)
    assert alice.fetch() == item
    assert alice.fetch() is None


def test_items_that_are_never_deleted_do_not_keep_new_ones_back() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    for number in range(40):
        provider.deposit(inbox, deposit_id(number))
    seen = set()
    for second in range(120):  # one a second: slower than they come again
        if second == 40:
            provider.deposit(inbox, deposit_id(99))
        item = alice.fetch()
        assert item is not None
        seen.add(item.deposit)
        provider.run(0.9)
    assert len(seen) == 41


def test_only_the_owner_deletes() -> None:
    provider = ProviderInTime()
    alice, mallory = connected(provider), connected(provider, "mallory")
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1))
    item = alice.fetch()
    assert item is not None
    mallory.delete(item.handle)
    assert provider.items() == 1


def test_one_mail_frame_answers_each_frame_at_the_tick() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    provider.run(0.013)
    before = len(provider.effects)
    for _ in range(3):
        alice.send()
        provider.run(0.002)
    provider.run(1.0)
    times = [at for at, effect in provider.effects[before:] if isinstance(effect, SendToClient)]
    assert len(times) == 3
    assert len(set(times)) == 1
    assert abs(times[0] / 0.05 - round(times[0] / 0.05)) < 1e-4


def poll_trace(mails: int) -> list[tuple[float, int]]:
    """(time, bytes) of every frame that the provider sends to a client whose mailbox holds `mails`
    items and who sends frames at fixed times."""
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    for number in range(mails):
        provider.deposit(inbox, deposit_id(number))
    provider.run(1.0)
    before = len(provider.effects)
    provider.now = START + 100.0
    for _ in range(60):
        alice.send(alice.control(first_mix=FIRST_MIX))
        provider.run(0.7)
    frames = alice_frames(provider)
    return [
        (at, len(frames.encode_downstream(effect.command, provider.rng)))
        for at, effect in provider.effects[before:]
        if isinstance(effect, SendToClient)
    ]


def alice_frames(provider: ProviderInTime) -> ClientFrames:
    geometry = provider.network.format.geometry
    return ClientFrames(geometry.packet_bytes, geometry.body_bytes)


def test_polls_of_an_empty_and_a_full_mailbox_look_alike() -> None:
    empty = poll_trace(0)
    assert len(empty) == 60
    assert len({size for _, size in empty}) == 1
    assert poll_trace(1) == empty
    assert poll_trace(50) == empty


def test_depositors_and_fetchers_see_no_difference_between_absent_forbidden_and_empty() -> None:
    """Whoever deposits or asks at another's, a closed or an unknown inbox gets the same answers at
    the same times. (Who registers an id here, then deposits there and fetches, does learn whether
    it was taken: see docs/spec/mailbox.md, What a stranger can find out.)"""
    traces = []
    for inbox in (None, inbox_id(7), inbox_id(8)):
        provider = ProviderInTime()
        alice, mallory = connected(provider), connected(provider, "mallory")
        alice.register(inbox_id(7))
        before = len(provider.effects)
        for operation in (InboxOperation.REGISTER_LIVE, InboxOperation.REMOVE):
            mallory.ask(mallory.control(operation, inbox))
        if inbox is not None:
            provider.deposit(inbox, deposit_id(1))
        assert mallory.fetch_all() == []
        traces.append(
            [
                (at, effect.command.answered_sequence, effect.command.item)
                for at, effect in provider.effects[before:]
                if isinstance(effect, SendToClient) and isinstance(effect.command, Mail)
            ]
        )
    assert traces[0] == traces[1] == traces[2]


def test_a_taken_inbox_stays_with_its_first_account() -> None:
    provider = ProviderInTime()
    alice, mallory = connected(provider), connected(provider, "mallory")
    inbox = alice.register(inbox_id(1))
    mallory.register(inbox)
    mallory.invite(inbox)
    mallory.ask(mallory.control(InboxOperation.REMOVE, inbox))
    mallory.ask(mallory.control(one_time=inbox))
    provider.deposit(inbox, deposit_id(1))
    assert mallory.fetch_all() == []
    assert len(alice.fetch_all()) == 1


def test_relays_to_a_first_mix_and_to_nobody_else() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    before = len(provider.effects)
    alice.send(alice.control(first_mix=FIRST_MIX))
    sent = [effect for _, effect in provider.effects[before:] if isinstance(effect, SendPacket)]
    assert [effect.to for effect in sent] == [FIRST_MIX]
    provider.run(0.1)
    assert provider.drops[Drop.NO_ROUTE] == 0
    for wrong in (LAYERS[1][0], LAST_MIX, NodeNumber(999)):
        alice.ask(alice.control(first_mix=wrong))
    assert provider.drops[Drop.NO_ROUTE] == 3
    alice.ask(alice.control(first_mix=NO_NODE))
    assert provider.drops[Drop.NO_ROUTE] == 3
    assert len([effect for _, effect in provider.effects if isinstance(effect, SendPacket)]) == 1


def test_what_is_no_deposit_is_dropped() -> None:
    provider = ProviderInTime()
    connected(provider)
    provider.arrive(b"\x01" + bytes(255))
    provider.deposit(inbox_id(5), deposit_id(1))
    provider.run(1.0)
    assert provider.drops[Drop.PACKET] == 1
    assert provider.drops[Drop.NO_INBOX] == 1
    assert provider.items() == 0


def test_a_one_time_inbox_of_a_control_field_takes_one_answer() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    one_time = inbox_id(9)
    alice.ask(alice.control(one_time=one_time))
    provider.deposit(one_time, deposit_id(1))
    provider.run(0.1)
    provider.deposit(one_time, deposit_id(2))
    assert [item.deposit for item in alice.fetch_all()] == [deposit_id(1)]
    assert provider.drops[Drop.NO_INBOX] == 1


def test_an_account_keeps_its_newest_32_one_time_inboxes() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    for number in range(33):
        alice.ask(alice.control(one_time=inbox_id(100 + number)))
    alice.sequence += 1
    provider.deposit(inbox_id(100), deposit_id(1))
    provider.deposit(inbox_id(101), deposit_id(2))
    provider.run(1.0)
    assert provider.items() == 1
    assert provider.drops[Drop.NO_INBOX] == 1
