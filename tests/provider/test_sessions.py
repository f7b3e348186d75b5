"""Who may have a session, and how much one session may send."""

import pytest

from hushmill.drops import Drop
from hushmill.identifiers import AccountKey
from hushmill.link import (
    LINK_VERSION,
    Hello,
    InboxOperation,
    RelayAndFetch,
    WelcomeStatus,
    is_proof_of_work,
    solve_proof_of_work,
)
from mixnode import SendPacket
from provider import ClientFrame, ClientGone, ClientHello, Limits, SendToClient
from provider.limits import BUCKET_DEPTH, FRAMES_A_TICK, OPERATIONS_A_TICK
from provider.session import TokenBuckets
from tests.mixnode.network import PARAMETERS, PROVIDERS
from tests.provider.harness import (
    CODE,
    FIRST_MIX,
    NETWORK,
    Client,
    ProviderInTime,
    connected,
    deposit_id,
    inbox_id,
)


def test_a_signature_of_another_tls_session_is_refused() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    replayed = alice.hello(bytes(32))
    provider.give(ClientHello(77, replayed, b"\x01" * 32))
    provider.run(0.1)
    alice.session = 77
    assert alice.is_cut_off()
    assert provider.drops[Drop.ACCOUNT] == 1
    assert provider.core.session_count == 1


def test_another_accounts_signature_is_refused() -> None:
    provider = ProviderInTime()
    alice, mallory = Client(provider, "alice"), Client(provider, "mallory")
    signed = mallory.hello(bytes(32))
    stolen = Hello(
        LINK_VERSION,
        AccountKey(alice.key.public.raw),
        signed.signature,
        signed.proof_of_work,
        CODE,
    )
    provider.give(ClientHello(1, stolen, bytes(32)))
    provider.run(0.1)
    assert provider.core.session_count == 0
    assert provider.store.account_count() == 0


@pytest.mark.parametrize("account", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)])
def test_a_key_that_is_none_is_refused(account: bytes) -> None:
    provider = ProviderInTime()
    hello = Hello(LINK_VERSION, AccountKey(account), bytes(64), bytes(8), CODE)
    provider.give(ClientHello(1, hello, bytes(32)))
    provider.run(0.1)
    assert provider.core.session_count == 0
    assert provider.drops[Drop.ACCOUNT] == 1


def test_another_version_is_told_so() -> None:
    provider = ProviderInTime()
    alice = Client(provider, "alice")
    hello = alice.hello(bytes(32))
    other = Hello(9, hello.account, hello.signature, hello.proof_of_work, hello.code)
    provider.give(ClientHello(1, other, bytes(32)))
    alice.session = 1
    (welcome,) = alice.answers()
    assert not hasattr(welcome, "item")
    assert welcome.status is WelcomeStatus.OTHER_VERSION
    assert alice.is_cut_off()


def test_a_new_account_needs_the_operators_code() -> None:
    provider = ProviderInTime()
    alice = Client(provider, "alice")
    assert alice.connect(code=bytes(32)) is WelcomeStatus.REFUSED
    assert alice.connect(code=CODE) is WelcomeStatus.ACCEPTED
    assert alice.connect(code=bytes(32)) is WelcomeStatus.ACCEPTED, "it is known by now"


def test_or_a_proof_of_work_for_this_account_network_and_provider() -> None:
    provider = ProviderInTime(code=None)
    alice = Client(provider, "alice")
    account = AccountKey(alice.key.public.raw)
    proof = solve_proof_of_work(account, NETWORK, PROVIDERS[0])
    elsewhere = solve_proof_of_work(account, NETWORK, PROVIDERS[1])
    useless = next(
        nonce
        for nonce in (number.to_bytes(8, "big") for number in range(10))
        if not is_proof_of_work(account, NETWORK, PROVIDERS[0], nonce)
    )
    assert alice.connect(work=useless) is WelcomeStatus.REFUSED
    assert alice.connect(work=elsewhere) is WelcomeStatus.REFUSED
    assert Client(provider, "bob").connect(work=proof) is WelcomeStatus.REFUSED
    assert alice.connect(work=proof) is WelcomeStatus.ACCEPTED


def test_a_new_session_replaces_the_accounts_old_one() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    first = alice.session
    assert alice.connect() is WelcomeStatus.ACCEPTED
    assert provider.core.session_count == 1
    second, alice.session = alice.session, first
    assert alice.is_cut_off()
    alice.session = second
    assert not alice.is_cut_off()
    provider.give(ClientGone(first))
    assert provider.core.session_count == 1
    assert alice.fetch() is None


def test_the_last_account_within_the_limit_is_opened_and_the_next_is_not() -> None:
    provider = ProviderInTime(limits=Limits(accounts=3))
    statuses = [Client(provider, str(number)).connect() for number in range(4)]
    assert statuses == [WelcomeStatus.ACCEPTED] * 3 + [WelcomeStatus.FULL]
    assert provider.store.account_count() == 3
    assert Client(provider, "0").connect() is WelcomeStatus.ACCEPTED


def test_the_last_session_within_the_limit_is_taken_and_the_next_is_not() -> None:
    provider = ProviderInTime(limits=Limits(sessions=2))
    statuses = [Client(provider, str(number)).connect() for number in range(3)]
    assert statuses == [WelcomeStatus.ACCEPTED, WelcomeStatus.ACCEPTED, None]
    assert provider.drops[Drop.BUSY] == 1
    assert Client(provider, "0").connect() is WelcomeStatus.ACCEPTED, "it replaces its own"
    provider.give(ClientGone(1))
    provider.give(ClientGone(4))
    assert Client(provider, "2").connect() is WelcomeStatus.ACCEPTED


def test_a_frame_before_the_welcome_cuts_the_session_off() -> None:
    provider = ProviderInTime()
    alice = Client(provider, "alice")
    alice.session = 1
    alice.send()
    assert alice.is_cut_off()
    alice.session = 2
    provider.give(ClientHello(2, alice.hello(bytes(32)), bytes(32)))
    alice.send()
    assert alice.is_cut_off()
    assert provider.drops[Drop.FRAME] == 2


def test_a_second_hello_cuts_the_session_off() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    provider.give(ClientHello(alice.session, alice.hello(bytes(32)), bytes(32)))
    assert alice.is_cut_off()


def test_a_sequence_that_does_not_rise_cuts_the_session_off() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    control = alice.control()
    alice.ask(control)
    alice.send(control)
    assert alice.is_cut_off()
    assert provider.drops[Drop.FRAME] == 1


def relayed(provider: ProviderInTime) -> int:
    return sum(isinstance(effect, SendPacket) for _, effect in provider.effects)


def test_a_burst_of_128_is_relayed_and_the_129th_dropped_for_good() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    for _ in range(BUCKET_DEPTH):
        alice.send(alice.control(first_mix=FIRST_MIX))
    assert relayed(provider) == BUCKET_DEPTH == 128
    assert provider.drops[Drop.RATE] == 0
    alice.send(alice.control(first_mix=FIRST_MIX))
    assert relayed(provider) == BUCKET_DEPTH
    assert provider.drops[Drop.RATE] == 1
    provider.run(60.0)
    assert relayed(provider) == BUCKET_DEPTH, "dropped, not queued"
    assert len(alice.answers()) == BUCKET_DEPTH + 1, "each frame is answered all the same"


def test_an_account_has_one_bucket_through_all_its_sessions() -> None:
    """Twenty sessions at one moment relay what one relays; time fills the bucket again."""
    provider = ProviderInTime()
    alice = connected(provider)
    begin = provider.now
    for number in range(20):
        for _ in range(10):
            alice.send(alice.control(first_mix=FIRST_MIX))
        if number % 2:
            provider.give(ClientGone(alice.session))
        alice.connect()
    earned = (provider.now - begin) * PARAMETERS.client_rate * 1.1
    assert BUCKET_DEPTH <= relayed(provider) <= BUCKET_DEPTH + earned + 1
    bob = connected(provider, "bob")
    before = relayed(provider)
    bob.send(bob.control(first_mix=FIRST_MIX))
    assert relayed(provider) == before + 1, "another's bucket is another's"


def test_buckets_of_gone_sessions_are_forgotten_when_they_are_full_again() -> None:
    buckets = TokenBuckets(client_rate=1.0)
    key = [AccountKey(bytes([number]) * 32) for number in range(3)]
    seconds = BUCKET_DEPTH / 1.1
    for number in range(2):
        bucket = buckets.take_out(key[number], float(number))
        assert all(bucket.take(float(number)) for _ in range(BUCKET_DEPTH))
        buckets.put_back(key[number], bucket, float(number))
    assert len(buckets) == 2
    unused = buckets.take_out(key[2], 2.0)
    buckets.put_back(key[2], unused, 2.0)
    assert len(buckets) == 2, "a full one is like a new one"
    buckets.put_back(key[2], buckets.take_out(key[2], seconds + 0.5), seconds + 0.5)
    assert len(buckets) == 1
    buckets.put_back(key[2], buckets.take_out(key[2], seconds + 1.5), seconds + 1.5)
    assert len(buckets) == 0


def test_the_bucket_fills_at_the_published_rate_and_a_tenth() -> None:
    bucket = TokenBuckets(PARAMETERS.client_rate).take_out(AccountKey(bytes(32)), 0.0)
    assert all(bucket.take(0.0) for _ in range(BUCKET_DEPTH))
    assert not bucket.take(0.0)
    seconds = 100.0
    expected = int(seconds * PARAMETERS.client_rate * 1.1)
    taken = sum(bucket.take(step / 10) for step in range(int(seconds * 10) + 1))
    assert expected - 1 <= taken <= expected
    assert not bucket.take(0.0), "a clock that steps back earns nothing"


def after_a_tick(provider: ProviderInTime) -> None:
    provider.run(0.05 - provider.now % 0.05 + 0.001)


def test_160_frames_within_a_tick_are_answered() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    alice.answers()
    for _ in range(2):
        after_a_tick(provider)
        for _ in range(FRAMES_A_TICK):
            alice.send()
        provider.run(0.1)
        assert len(alice.answers()) == FRAMES_A_TICK == 160
    assert not alice.is_cut_off()


def test_8_inbox_operations_within_a_tick_are_done_and_one_more_is_too_much() -> None:
    provider = ProviderInTime()
    alice = connected(provider)

    def invite(number: int) -> None:
        alice.send(alice.control(InboxOperation.REGISTER_INVITATION, inbox_id(number), 24))

    for first in (0, 8):
        after_a_tick(provider)
        for number in range(OPERATIONS_A_TICK):
            invite(first + number)
            alice.send()
        provider.run(0.1)
    assert OPERATIONS_A_TICK == 8
    assert not alice.is_cut_off()
    assert len(provider.store.inboxes_of(1)) == 16
    after_a_tick(provider)
    for number in range(OPERATIONS_A_TICK + 1):
        assert not alice.is_cut_off()
        invite(100 + number)
    assert alice.is_cut_off()
    assert provider.drops[Drop.BUSY] == 1
    assert provider.store.inbox(inbox_id(108)) is None


def test_161_frames_within_a_tick_are_too_much() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    after_a_tick(provider)
    for _ in range(FRAMES_A_TICK):
        alice.send()
    assert not alice.is_cut_off()
    alice.send()
    assert alice.is_cut_off()
    assert provider.drops[Drop.BUSY] == 1
    before = len(provider.effects)
    provider.run(1.0)
    assert not any(isinstance(effect, SendToClient) for _, effect in provider.effects[before:])


def test_a_packet_of_another_size_is_dropped() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    frame = RelayAndFetch(alice.control(first_mix=FIRST_MIX), b"short")
    provider.give(ClientFrame(alice.session, frame))
    assert relayed(provider) == 0
    assert provider.drops[Drop.PACKET] == 1


def test_a_gone_session_is_owed_nothing_and_its_mail_stays() -> None:
    provider = ProviderInTime()
    alice = connected(provider)
    inbox = alice.register(inbox_id(1))
    provider.deposit(inbox, deposit_id(1))
    alice.send()
    provider.give(ClientGone(alice.session))
    before = len(provider.effects)
    provider.run(1.0)
    assert not any(isinstance(effect, SendToClient) for _, effect in provider.effects[before:])
    alice.connect()
    assert len(alice.fetch_all()) == 1
