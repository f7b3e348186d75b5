"""What leaves in a slot, and that nobody can tell from outside why."""

from dataclasses import replace

import pytest

from client import FillSlot, LinkUp, Messenger, PacerStarted, SlotTaken, Stream, Text
from client.slots import REVISIONS_KEPT
from experiments.simnet.seeded import SeededRandomness
from hushmill.identifiers import NO_NODE, Epoch
from hushmill.link import (
    HANDLES_IN_CONTROL,
    NO_HANDLE,
    ClientFrames,
    Control,
    RelayAndFetch,
)
from pki import epoch_at
from tests.client.street import House, Street, friends, two_people
from tests.client.street_network import PARAMETERS, PROVIDERS


def opened(street: Street, frame: bytes) -> RelayAndFetch:
    geometry = street.format.geometry
    command = ClientFrames(geometry.packet_bytes, geometry.body_bytes).decode_upstream(frame)
    assert isinstance(command, RelayAndFetch)
    return command


NO_HANDLES = (NO_HANDLE,) * HANDLES_IN_CONTROL


def traces(
    seed: int, *, is_busy: bool
) -> list[tuple[list[tuple[float, int]], object, list[Control]]]:
    """What an observer sees of both people's links, what their providers relay, and what those are
    asked for, but for the mail that they may delete."""
    street, alice, bob = friends(seed)
    # The next document comes while they talk.
    boundary = (epoch_at(street.now, PARAMETERS) + 1) * PARAMETERS.epoch_seconds
    street.run_for(boundary - 10 - street.now)
    street.weather.loss = 0.2  # so that there are retries
    begun = [(len(one.sent), len(one.relayed), len(one.controls)) for one in (alice, bob)]
    has_retried = False
    for number in range(40 if is_busy else 0):
        alice.messenger.send("bob", Text(f"{number}" * 2000), street.now)
        alice.acted()
        street.run_for(2)
        has_retried |= alice.query("SELECT count(*) FROM fragment WHERE tries > 1") > [(0,)]
    street.run_for(80 if not is_busy else 0)
    if is_busy:
        assert len(bob.texts) > 5
        assert has_retried
    return [
        (
            house.sent[sent:],
            house.relayed[relayed:],
            [replace(control, handles=NO_HANDLES) for control in house.controls[asked:]],
        )
        for house, (sent, relayed, asked) in zip((alice, bob), begun, strict=True)
    ]


def test_busy_and_idle_clients_look_alike() -> None:
    """Times and sizes on the client's link, times and first mixes behind its provider, and which
    pieces of documents and inboxes the provider is asked for while a document comes."""
    for seed in (1, 2):
        busy, idle = traces(seed, is_busy=True), traces(seed, is_busy=False)
        for which in (0, 1):
            assert busy[which] == idle[which]
            assert len(busy[which][0]) > 300
            pieces = {(one.piece_epoch, one.piece_index) for one in busy[which][2]}
            assert len(pieces) > 3


def test_another_schedule_gives_another_trace() -> None:
    """The equality above compares something."""
    assert traces(1, is_busy=False) != traces(2, is_busy=False)


@pytest.mark.parametrize("is_retry", [False, True])
def test_cargo_takes_the_route_that_the_slots_cover_had(is_retry: bool) -> None:
    """First tries and retries alike: mixes and delays are the slot's own."""
    street, alice, bob = friends()
    if is_retry:
        bob.link_down()
        street.weather.loss = 1.0
    street.run_for(10)
    alice.messenger.send("bob", Text("x" * 9000), street.now)
    if is_retry:
        alice.acted()
        street.run_for(15)
        assert alice.query("SELECT DISTINCT tries FROM fragment") == [(1,)]
        alice.connection.execute("UPDATE fragment SET due_at = ?", (street.now,))
    covers = {
        number: slot.present.packet
        for number, slot in alice.messenger._board._slots[Stream.PAYLOAD].items()
        if slot.present.cargo is None
    }
    effects = alice.messenger.advance(street.now)
    filled = [effect for effect in effects if isinstance(effect, FillSlot)]
    assert len(filled) == 4
    for effect in filled:
        frame = opened(street, effect.frame)
        cover = covers[effect.number]
        assert frame.packet != cover
        slot = alice.messenger._board._slots[Stream.PAYLOAD][effect.number]
        loads = [one for one in slot.loads if one.packet in (cover, frame.packet)]
        assert len({one.first_mix for one in loads}) == 1
        ways = [street.open(frame.control.first_mix, raw) for raw in (cover, frame.packet)]
        assert ways[0][0][:-1] == ways[1][0][:-1]
        assert ways[0][1] == ways[1][1]
        assert ways[1][0][-1] == PROVIDERS[1]
        assert ways[1][2].inbox in bob.inboxes
        assert ways[0][2].inbox not in bob.inboxes


def test_loops_come_home_and_drop_cover_goes_nowhere() -> None:
    street, alice, _ = two_people()
    board = alice.messenger._board
    for slot in board._slots[Stream.LOOP].values():
        way, _, deposit = street.open(slot.present.first_mix, slot.present.packet)
        assert way[-1] == alice.provider
        assert deposit.inbox in alice.inboxes
    ends = set()
    for slot in board._slots[Stream.DROP].values():
        way, _, deposit = street.open(slot.present.first_mix, slot.present.packet)
        ends.add(way[-1])
        assert deposit.inbox not in alice.inboxes
    assert ends <= set(PROVIDERS)


def test_loops_are_counted_and_their_loss_shows() -> None:
    street, alice, _ = two_people()
    street.run_for(60)
    before = alice.messenger.status(street.now)
    assert before.loops_sent - 3 <= before.loops_returned
    assert "unknown_sender" not in dict(before.drops)
    street.weather.loss = 1.0
    street.run_for(60)
    after = alice.messenger.status(street.now)
    assert after.loops_sent > before.loops_sent + 15
    assert after.loops_returned <= before.loops_returned + 3


def test_loops_of_an_earlier_run_are_known() -> None:
    street, alice, _ = two_people()
    street.weather.lateness = 20.0
    street.run_for(60)
    alice.crash()
    street.run_for(60)
    assert alice.messenger._loops.strays > 0
    assert "unknown_sender" not in dict(alice.messenger.status(street.now).drops)


def test_without_a_document_frames_leave_that_nobody_relays() -> None:
    street = Street()
    street.documents.clear()
    street.publishes = False
    alice = House(street, "alice", PROVIDERS[0])
    street.run_for(60)
    assert len(alice.sent) > 200
    assert {size for _, size in alice.sent} == {alice.frames.frame_bytes}
    assert alice.relayed == []
    assert dict(alice.messenger.status(street.now).packets).keys() == {"nothing"}


def test_with_a_stale_document_payload_is_held_and_frames_go_on() -> None:
    street, alice, bob = friends()
    street.publishes = False
    street.run_for(1)
    street.now += 4 * PARAMETERS.epoch_seconds  # the document's keys have run out
    alice.advance()
    bob.advance()
    assert alice.messenger.status(street.now).document_stale
    alice.messenger.send("bob", Text("held"), street.now)
    alice.acted()
    relayed, sent = len(alice.relayed), len(alice.sent)
    street.run_for(30)
    assert len(alice.relayed) == relayed
    assert len(alice.sent) > sent + 100
    assert bob.texts == []
    street.publish(epoch_at(street.now, PARAMETERS))
    assert street.run_until(lambda: bob.texts == ["held"], 60)


def test_frames_are_made_anew_at_the_epochs_boundary() -> None:
    street, alice, bob = friends()
    boundary = (epoch_at(street.now, PARAMETERS) + 1) * PARAMETERS.epoch_seconds
    street.run_for(boundary - street.now - 0.01)
    alice.messenger.send("bob", Text("x" * 20_000), street.now)
    alice.acted()
    numbers = {stream: set(slots) for stream, slots in alice.messenger._board._slots.items()}
    effects = alice.messenger.advance(boundary + 0.001)
    street.now = boundary + 0.001
    filled = {
        (effect.stream, effect.number): effect for effect in effects if isinstance(effect, FillSlot)
    }
    assert {(stream, number) for stream, some in numbers.items() for number in some} <= set(filled)
    low_byte = Epoch(epoch_at(street.now, PARAMETERS)) & 0xFF
    frames = [opened(street, effect.frame) for effect in filled.values()]
    assert {frame.packet[1] for frame in frames} == {low_byte}
    inboxes = {street.open(frame.control.first_mix, frame.packet)[2].inbox for frame in frames}
    assert inboxes & bob.inboxes


def test_a_slot_that_left_with_its_cover_did_not_carry_the_message() -> None:
    """The pacer took the slot while its replacement was on the way."""
    street, alice, bob = friends()
    street.run_for(30)
    alice.messenger.send("bob", Text("once"), street.now)
    filled = [
        effect
        for effect in alice.messenger.advance(street.now)
        if isinstance(effect, FillSlot) and effect.stream is Stream.PAYLOAD
    ]
    slot = filled[0]
    assert slot.revision >= 1
    effects = alice.messenger.receive(SlotTaken(slot.stream, slot.number, 0), street.now)
    assert alice.query("SELECT tries FROM fragment") == [(0,)]
    frames = [opened(street, one.frame) for one in effects if isinstance(one, FillSlot)]
    deposits = [street.open(one.control.first_mix, one.packet)[2] for one in frames]
    assert any(deposit.inbox in bob.inboxes for deposit in deposits)


def test_a_taken_slot_is_unknown_afterwards() -> None:
    street, alice, _ = friends()
    number = min(alice.messenger._board._slots[Stream.PAYLOAD])
    taken = SlotTaken(Stream.PAYLOAD, number, 0)
    alice.messenger.receive(taken, street.now)
    before = alice.messenger.status(street.now).packets
    alice.messenger.receive(taken, street.now)
    alice.messenger.receive(SlotTaken(Stream.PAYLOAD, 10_000, 0), street.now)
    alice.messenger.receive(SlotTaken(Stream.LOOP, 0, 99), street.now)
    assert alice.messenger.status(street.now).packets == before


def test_revisions_do_not_pile_up_while_the_link_is_down() -> None:
    street, alice, bob = friends()
    alice.link_down()
    board = alice.messenger._board
    for ahead in range(3 * REVISIONS_KEPT):
        for filled in board.renew(None, Epoch(ahead)):
            alice.pacer.receive(filled, street.now)
    assert board._slots[Stream.PAYLOAD]
    for slot in (slot for some in board._slots.values() for slot in some.values()):
        assert len(slot.loads) == REVISIONS_KEPT
    alice.messenger.send("bob", Text("after all"), street.now)
    alice.link_up()
    assert street.run_until(lambda: bob.texts == ["after all"], 120)


def test_a_revision_that_is_forgotten_may_still_have_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its frame counts in the link session, and what was loaded later goes again."""
    monkeypatch.setattr("client.slots.REVISIONS_KEPT", 1)
    street, alice, _ = friends()
    street.run_for(30)
    alice.messenger.send("bob", Text("once"), street.now)
    board, desk = alice.messenger._board, alice.messenger._desk
    alice.messenger.advance(street.now)
    number = next(n for n, slot in board._slots[Stream.PAYLOAD].items() if slot.present.cargo)
    sequence = desk._sequence
    alice.messenger.receive(SlotTaken(Stream.PAYLOAD, number, 0), street.now)
    assert number not in board._slots[Stream.PAYLOAD]
    assert desk._sequence == sequence + 1
    assert alice.query("SELECT tries FROM fragment") == [(0,)]
    assert board.in_flight()


def test_a_new_pacer_gets_new_slots() -> None:
    street, alice, bob = friends()
    alice.messenger.send("bob", Text("not lost"), street.now)
    alice.acted()
    used = max(alice.messenger._board._slots[Stream.PAYLOAD])
    alice.pacer = type(alice.pacer)(PARAMETERS, SeededRandomness(99, "pacer"))
    alice.sequence = 0
    alice.tell(PacerStarted())
    assert alice.messenger._board._slots[Stream.PAYLOAD] == {}
    alice.link_up()
    assert min(alice.messenger._board._slots[Stream.PAYLOAD]) > used
    assert street.run_until(lambda: bob.texts == ["not lost"], 60)


def test_with_cover_off_only_payload_is_relayed() -> None:
    street = Street()
    alice = House(street, "alice", PROVIDERS[0], cover=False)
    street.run_for(60)
    assert alice.is_ready()
    assert len(alice.sent) > 200
    assert alice.relayed == []


def test_one_schedule_secret_gives_one_schedule() -> None:
    """Two messengers from one seed, one of them with a full outbox, prepare the same routes."""
    street, alice, _ = friends()
    boards = []
    for is_busy in (False, True):
        if is_busy:
            alice.messenger.send("bob", Text("y" * 30_000), street.now)
        fresh = Messenger(
            alice.store,
            street.genesis,
            street.format,
            SeededRandomness(5, "same"),
            street.now,
        )
        fresh.receive(LinkUp(), street.now)
        boards.append(fresh._board._slots)
    for stream in Stream:
        idle, busy = (board[stream] for board in boards)
        assert idle.keys() == busy.keys()
        for number, slot in idle.items():
            other = busy[number]
            assert [(hop.node, hop.delay_seconds) for hop in slot.mixes] == [
                (hop.node, hop.delay_seconds) for hop in other.mixes
            ]
            assert slot.present.first_mix == other.present.first_mix != NO_NODE
    assert any(slot.present.cargo for slot in boards[1][Stream.PAYLOAD].values())
