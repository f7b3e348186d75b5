"""A provider as a process, over real sockets and a real disk. Spec: docs/spec/mailbox.md."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from hushmill.identifiers import DepositId, InboxId
from hushmill.link import InboxOperation, MailHandle
from mixnode import wire_of
from provider.service import client_link_limits
from tests.processes.link_loop import Loop, running_loop
from tests.processes.mix_network import kill_9
from tests.processes.provider_network import FIRST, PROVIDER, Person, ProviderNetwork


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> ProviderNetwork:
    network = ProviderNetwork(tmp_path, loop)
    network.play_first()
    return network


@pytest.fixture
def alice(network: ProviderNetwork) -> Iterator[Person]:
    person = Person(network)
    yield person
    person.leave()


def _inbox() -> InboxId:
    return InboxId(secrets.token_bytes(32))


def _deposit_id(number: int) -> DepositId:
    return DepositId(number.to_bytes(16, "big"))


def test_relays_and_delivers_and_hands_out_the_document(
    network: ProviderNetwork, loop: Loop, alice: Person, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    with network.running(options=("--trace", str(trace))):
        loop.until(lambda: network.first.links, 20.0)
        alice.connect()
        packet = secrets.token_bytes(network.format.geometry.packet_bytes)
        (mail,) = alice.ask(alice.frame(first_mix=FIRST, packet=packet))
        assert mail.item is None
        assert mail.answered_sequence == alice.sequence
        loop.until(lambda: network.first.frames)
        assert network.node_frames.decode(network.first.frames[0]).packet == packet
        piece = mail.piece
        assert piece is not None
        others = [alice.ask(alice.frame(piece=index))[0].piece for index in range(1, piece.count)]
        parts = [part.data for part in (piece, *others) if part is not None]
        assert b"".join(parts) == network.document
        inbox = _inbox()
        alice.ask(alice.frame(operation=InboxOperation.REGISTER_LIVE, inbox=inbox))
        mix = network.last_mix()
        mix.link.send([network.deposit_frame(inbox, _deposit_id(1), b"hello")])
        loop.run_for(0.3)
        (mail,) = alice.ask(alice.frame())
        assert mail.item is not None
        assert mail.item.body.rstrip(b".") == b"hello"
        alice.ask(alice.frame(mail.item.handle))
        alice.connect()
        (mail,) = alice.ask(alice.frame())
        assert mail.item is None
    rows = [json.loads(line) for line in trace.read_text().split("\n") if line]
    assert [(row["dir"], row["kind"]) for row in rows] == [
        ("in", "start"),
        ("out", "entry"),
        ("in", "deliver"),
    ]
    assert (rows[1]["peer"], rows[1]["client"]) == (FIRST, 1)
    assert rows[1]["wire"] == wire_of(packet)
    assert all(row["at"] == PROVIDER for row in rows)


def test_a_hello_of_another_tls_session_is_refused(
    network: ProviderNetwork, loop: Loop, alice: Person
) -> None:
    with network.running():
        first = alice.open_link()
        exporter = first.exporter()
        recorded = alice.hello(exporter)
        first.send([recorded])
        loop.until(lambda: alice.owner.frames)
        assert alice.owner.frames[0][2] == 0, "accepted"
        second = alice.open_link()
        assert second.exporter() != exporter
        second.send([recorded])
        loop.until(lambda: alice.owner.downs)
        assert [frame[2] for frame in alice.owner.frames] == [1], "refused"


def test_a_link_that_says_nothing_is_closed(
    network: ProviderNetwork, loop: Loop, alice: Person
) -> None:
    with network.running():
        alice.open_link()
        loop.run_for(8.0)
        assert not alice.owner.downs
        loop.until(lambda: alice.owner.downs, 8.0)


def test_a_frame_before_the_hello_ends_the_link(
    network: ProviderNetwork, loop: Loop, alice: Person
) -> None:
    with network.running():
        alice.open_link().send([alice.frame()])
        loop.until(lambda: alice.owner.downs)
        assert not alice.owner.frames


def test_kill_9_loses_nothing_that_was_told_and_brings_nothing_back(
    network: ProviderNetwork, loop: Loop, alice: Person
) -> None:
    """1,500 deposits while the provider is killed again and again. Told are: an item that was
    handed out, and a control field whose sequence was answered."""
    inbox = _inbox()
    handed: dict[DepositId, MailHandle] = {}
    deleted: set[DepositId] = set()
    asked: set[DepositId] = set()
    deletions: list[tuple[int, DepositId]] = []  # on this link: an answer speaks for no other
    with network.running():
        alice.connect()
        alice.ask(alice.frame(operation=InboxOperation.REGISTER_LIVE, inbox=inbox))
    frames = [network.deposit_frame(inbox, _deposit_id(n), b"%d" % n) for n in range(1500)]

    def answered() -> int:
        return max((mail.answered_sequence for mail in alice.received()), default=0)

    def note() -> None:
        for mail in alice.received():
            if mail.item is not None:
                assert mail.item.deposit not in deleted, "what was deleted came back"
                handed.setdefault(mail.item.deposit, mail.item.handle)
        deleted.update(deposit for sequence, deposit in deletions if sequence <= answered())

    for kill in range(5):
        with network.running() as process:
            deletions.clear()
            alice.connect()
            mix = network.last_mix()
            batch = frames[kill * 300 : (kill + 1) * 300]
            for start in range(0, 300, 30):
                mix.link.send(batch[start : start + 30])
                alice.ask(*(alice.frame() for _ in range(100)))
            mix.link.send(batch)  # again: duplicates, under way when it dies
            alice.owner.link.send([alice.frame() for _ in range(60)])
            doomed = [deposit for deposit in handed if deposit not in deleted][:40]
            for deposit in doomed:
                alice.owner.link.send([alice.frame(handed[deposit])])
                deletions.append((alice.sequence, deposit))
                asked.add(deposit)
            loop.run_for(0.03 * (kill % 3))
            if kill == 4:  # however fast the machine is, some have been told at last
                loop.until(lambda: answered() >= deletions[20][0])
            kill_9(process)
            loop.run_for(0.1)
            note()
            alice.leave()
    assert len(handed) > 500
    assert len(deleted) > 20
    with network.running():
        alice.connect()
        there: set[DepositId] = set()
        while True:
            mails = alice.ask(*(alice.frame() for _ in range(100)))
            new = {mail.item.deposit for mail in mails if mail.item is not None} - there
            there |= new
            if not new:
                break
    assert there & deleted == set()
    assert {deposit for deposit in handed if deposit not in asked} <= there
    assert len(there) + len(deleted) <= 1500


def test_no_identifier_in_its_logs(
    network: ProviderNetwork, loop: Loop, alice: Person, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    inbox = _inbox()
    canary = secrets.token_hex(16).encode()
    with network.running(options=("--log-level", "debug"), log=log):
        alice.connect()
        alice.ask(alice.frame(operation=InboxOperation.REGISTER_LIVE, inbox=inbox))
        mix = network.last_mix()
        mix.link.send([network.deposit_frame(inbox, _deposit_id(1), canary)])
        loop.run_for(0.3)
        (mail,) = alice.ask(alice.frame())
        assert mail.item is not None
        alice.ask(alice.frame(mail.item.handle))
        alice.owner.link.send([bytes(network.client_frames.frame_bytes)])
        loop.until(lambda: alice.owner.downs)
        loop.run_for(3.5)
        status = (network.folder / "provider-status.json").read_bytes()
        status += (network.folder / "status.json").read_bytes()
    written = log.read_bytes() + status
    secret = (inbox, alice.account, mail.item.handle, mail.item.deposit, canary)
    for name in secret:
        for form in (name, name.hex().encode(), repr(bytes(name)).encode()):
            assert form not in written
    assert b"127.0.0.1" not in written


def test_64_answers_wait_for_a_client_who_does_not_read() -> None:
    """What a link does beyond its limit is shown in test_link_limits."""
    limits = client_link_limits(8449)
    assert limits.unsent_bytes // 8449 == 64
    assert limits.idle_seconds == 10.0
    assert limits.stall_seconds == 30.0
