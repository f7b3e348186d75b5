import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import Session, SessionState
from client.ratchet import (
    HEADER_BYTES,
    RATCHET_OVERHEAD_BYTES,
    SALT_BYTES,
    SKIPPED_KEPT,
    SKIPPED_PER_JUMP,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError
from tests.client.e2ee_people import BOBS_PREKEYS, flipped, pair, talking_pair


def opens(session: Session, message: bytes) -> bool:
    """Whether it opens; if not, also that it was refused as it should be, changing nothing."""
    before = session.export()
    try:
        session.decrypt(message)
    except PeerError as error:
        if error.reason is not Drop.SESSION or session.export() != before:
            raise
        return False
    return True


def copy(session: Session) -> Session:
    return Session.load(session.export())


def test_adds_the_documented_overhead() -> None:
    alice, bob = talking_pair()
    for length in (0, 1, 3500):
        message = alice.encrypt(bytes(length))
        assert len(message) == length + RATCHET_OVERHEAD_BYTES == length + 72
        assert bob.decrypt(message) == bytes(length)


def test_refuses_a_flip_of_every_bit_and_changes_nothing() -> None:
    alice, bob = talking_pair()
    message = alice.encrypt(b"short")
    for bit in range(len(message) * 8):
        assert not opens(bob, flipped(message, bit)), bit
    assert bob.decrypt(message) == b"short"


def test_refuses_a_flip_of_every_bit_of_a_message_behind_a_turn() -> None:
    """The message that brings a new ratchet key, so that a forged key is tried first."""
    alice, bob = talking_pair()
    alice.decrypt(bob.encrypt(b"turn"))
    message = alice.encrypt(b"turned")
    for bit in range(len(message) * 8):
        assert not opens(bob, flipped(message, bit)), bit
    assert bob.decrypt(message) == b"turned"


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_refuses_any_bytes(data: bytes) -> None:
    assert not opens(_RECEIVER, data)


@given(st.binary(max_size=100))
@settings(max_examples=200, deadline=None)
def test_refuses_any_bytes_behind_the_peers_own_ratchet_key(data: bytes) -> None:
    assert not opens(_RECEIVER, _GENUINE[:HEADER_BYTES] + data)
    assert not opens(_RECEIVER, _GENUINE[:32] + data)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_an_initiator_without_an_answer_refuses_any_bytes(data: bytes) -> None:
    assert not opens(_UNANSWERED, data)
    assert not opens(_UNANSWERED, _PREKEY + data)
    assert not opens(_UNANSWERED, _FIRST_ANSWER[:HEADER_BYTES] + data)


@pytest.mark.parametrize("previous", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("number", [0, 1, SKIPPED_PER_JUMP, 2**32 - 1])
def test_an_initiator_without_an_answer_refuses_the_peers_prekey_as_ratchet_key(
    previous: int, number: int
) -> None:
    """There is no receiving chain for it yet, and no turn that would make one."""
    alice, bob = pair()
    head = _PREKEY + previous.to_bytes(4, "big") + number.to_bytes(4, "big")
    for session in (alice, copy(alice)):
        assert not opens(session, head + bytes(32))
    assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"


def test_an_initiator_without_an_answer_refuses_a_flip_of_every_bit_of_it() -> None:
    alice, bob = pair()
    message = bob.encrypt(b"answer")
    for bit in range(len(message) * 8):
        assert not opens(alice, flipped(message, bit)), bit
    assert alice.decrypt(message) == b"answer"


_SENDER, _RECEIVER = talking_pair()
_GENUINE = _SENDER.encrypt(b"never delivered")
_UNANSWERED, _ANSWERER = pair()
_FIRST_ANSWER = _ANSWERER.encrypt(b"never delivered")
_PREKEY = BOBS_PREKEYS.bundle().prekey.raw


@pytest.mark.parametrize("length", [0, 1, 31, 32, 39, 40, 55, 56, 71])
def test_refuses_what_is_shorter_than_its_head(length: int) -> None:
    alice, bob = talking_pair()
    assert not opens(bob, alice.encrypt(b"")[:length])


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), b"\xff" * 32])
def test_refuses_a_ratchet_key_of_low_order(point: bytes) -> None:
    alice, bob = talking_pair()
    assert not opens(bob, point + alice.encrypt(b"x")[32:])


def test_refuses_a_message_twice() -> None:
    alice, bob = talking_pair()
    one, two = alice.encrypt(b"one"), alice.encrypt(b"two")
    assert bob.decrypt(two) == b"two"
    assert bob.decrypt(one) == b"one"
    assert not opens(bob, two)
    assert not opens(bob, one)


def test_refuses_its_own_words_sent_back() -> None:
    alice, bob = talking_pair()
    message = alice.encrypt(b"mine")
    assert not opens(alice, message)
    assert not opens(copy(alice), message)
    assert bob.decrypt(message) == b"mine"


def test_refuses_a_message_of_another_session_of_the_same_people() -> None:
    alice, _ = talking_pair()
    _, other_bob = talking_pair()
    assert not opens(other_bob, alice.encrypt(b"hello"))


def test_associated_data_names_the_session_and_the_direction() -> None:
    alice, bob = talking_pair()
    agreement = alice._agreement
    sent, received = agreement.associated_data("initiator"), agreement.associated_data("responder")
    assert sent != received
    assert bob._agreement.associated_data("initiator") == sent
    assert len(sent) == 99
    for part in (alice.session_id, agreement.initiator, agreement.responder):
        assert part in sent


def test_opens_five_hundred_out_of_order() -> None:
    alice, bob = talking_pair()
    messages = [alice.encrypt(str(number).encode()) for number in range(501)]
    for number in (500, *range(499, -1, -1)):
        assert bob.decrypt(messages[number]) == str(number).encode()
    assert bob.export().skipped == {}


def test_opens_late_messages_of_earlier_turns() -> None:
    alice, bob = talking_pair()
    late = []
    for _ in range(5):
        late.append(alice.encrypt(b"late"))
        assert bob.decrypt(alice.encrypt(b"now")) == b"now"
        assert alice.decrypt(bob.encrypt(b"turn")) == b"turn"
    for message in reversed(late):
        assert bob.decrypt(message) == b"late"


def test_skips_as_many_keys_as_the_limit_and_not_one_more() -> None:
    alice, bob = talking_pair()
    messages = [alice.encrypt(b"") for _ in range(SKIPPED_PER_JUMP + 2)]
    assert not opens(copy(bob), messages[SKIPPED_PER_JUMP + 1])
    assert opens(bob, messages[SKIPPED_PER_JUMP])
    assert len(bob.export().skipped) == SKIPPED_PER_JUMP
    assert opens(bob, messages[SKIPPED_PER_JUMP + 1])


def test_keeps_as_many_skipped_keys_as_the_limit_and_drops_the_oldest() -> None:
    alice, bob = talking_pair()
    first = alice.encrypt(b"first")
    second = alice.encrypt(b"second")
    for skipped in (SKIPPED_PER_JUMP - 2, SKIPPED_PER_JUMP):
        for _ in range(skipped):
            alice.encrypt(b"")
        assert opens(bob, alice.encrypt(b""))
    assert len(bob.export().skipped) == SKIPPED_KEPT
    alice.encrypt(b"")
    assert opens(bob, alice.encrypt(b""))
    assert len(bob.export().skipped) == SKIPPED_KEPT
    assert not opens(bob, first)
    assert opens(bob, second)


def test_a_gap_beyond_the_limit_before_a_turn_loses_only_the_gap() -> None:
    alice, bob = talking_pair()
    bob.decrypt(alice.encrypt(b"heard"))
    for _ in range(SKIPPED_PER_JUMP + 5):
        alice.encrypt(b"lost")
    assert alice.decrypt(bob.encrypt(b"turn")) == b"turn"
    assert bob.decrypt(alice.encrypt(b"after")) == b"after"


def test_a_skipped_key_bomb_costs_nothing_that_lasts() -> None:
    """Numbers near 2³² in a forged head: refused, and no key is kept."""
    alice, bob = talking_pair()
    message = alice.encrypt(b"x")
    for head in (b"\xff" * 8, bytes(4) + b"\xff" * 4, b"\xff" * 4 + bytes(4)):
        assert not opens(bob, message[:32] + head + message[40:])


def test_goes_on_after_export_and_load_at_every_step() -> None:
    alice, bob = pair()
    alice, bob = copy(alice), copy(bob)
    for turn in range(6):
        kept = alice.encrypt(b"kept back")
        message = alice.encrypt(str(turn).encode())
        alice, bob = copy(alice), copy(bob)
        assert bob.decrypt(message) == str(turn).encode()
        alice, bob = copy(alice), copy(bob)
        assert bob.decrypt(kept) == b"kept back"
        alice, bob = bob, alice
    assert copy(alice).export() == alice.export()
    assert (copy(bob).peer, copy(bob).session_id) == (bob.peer, bob.session_id)


def test_a_pruned_skipped_key_costs_its_message_only() -> None:
    alice, bob = talking_pair()
    messages = [alice.encrypt(bytes((number,))) for number in range(4)]
    bob.decrypt(messages[3])
    state = bob.export()
    rows = list(state.skipped.items())
    assert [number for (_, number), _ in rows] == sorted(number for (_, number), _ in rows)
    pruned = Session.load(SessionState(state.root, dict(rows[1:])))
    assert not opens(pruned, messages[0])
    assert opens(pruned, messages[1])
    assert opens(pruned, messages[2])


def test_refuses_a_stored_state_that_is_none() -> None:
    state = talking_pair()[0].export()
    for root in (b"", state.root[:-1], state.root + b"\0", b"\x92\xc0\xc0", b"\xff" * 400):
        with pytest.raises(PeerError):
            Session.load(SessionState(root, {}))


def test_refuses_a_stored_state_of_another_version_or_suite() -> None:
    alice, _ = talking_pair()
    state = alice.export()
    assert state.root[:4] == b"\x92\x98\1\1"  # (agreement: version, suite, …; ratchet)
    for head in (b"\x92\x98\2\1", b"\x92\x98\1\2"):
        with pytest.raises(PeerError):
            Session.load(SessionState(head + state.root[4:], state.skipped))


def test_a_stolen_state_opens_nothing_earlier() -> None:
    alice, bob = talking_pair()
    recorded = []
    for number in range(20):
        recorded.append(alice.encrypt(str(number).encode()))
        bob.decrypt(recorded[-1])
        if number % 5 == 4:
            alice.decrypt(bob.encrypt(b"turn"))
    thief = copy(bob)
    assert not any(opens(thief, message) for message in recorded)


def test_a_stolen_state_opens_nothing_after_a_round_trip() -> None:
    alice, bob = talking_pair()
    thief = copy(bob)
    early = alice.encrypt(b"early")
    assert opens(copy(thief), early)
    bob.decrypt(early)
    alice.decrypt(bob.encrypt(b"heals"))
    bob.decrypt(alice.encrypt(b"heals too"))
    alice.decrypt(bob.encrypt(b"healed"))
    late = alice.encrypt(b"late")
    assert not opens(thief, late)
    assert opens(bob, late)


def test_a_state_that_went_back_uses_no_key_stream_twice() -> None:
    """A sender whose store was put back encrypts under a message key for the second time."""
    alice, bob = talking_pair()
    back = copy(alice)
    one, two = alice.encrypt(bytes(1000)), back.encrypt(bytes(1000))
    assert one[:HEADER_BYTES] == two[:HEADER_BYTES]
    streams = [message[HEADER_BYTES + SALT_BYTES : -16] for message in (one, two)]
    assert sum(a == b for a, b in zip(*streams, strict=True)) < 30
    assert copy(bob).decrypt(one) == copy(bob).decrypt(two) == bytes(1000)


def test_never_prints_a_secret() -> None:
    alice, bob = talking_pair()
    alice.encrypt(b"skipped")
    bob.decrypt(alice.encrypt(b"x"))
    state = bob.export()
    inner = (bob._agreement, bob._ratchet, bob._ratchet.export()[0])
    shown = f"{alice!r} {bob!r} {state!r} {inner!r}"
    for secret in (bob.send_secret, bob.receive_secret, bob.session_id, *state.skipped.values()):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_order_loss_and_duplication_opens_each_message_exactly_once(
    steps: list[tuple[int, int]],
) -> None:
    people = list(talking_pair())
    under_way: list[list[tuple[bytes, bytes]]] = [[], []]
    opened: set[bytes] = set()
    for count, (action, choice) in enumerate(steps):
        side = choice % 2
        if action <= 1:
            text = str(count).encode()
            under_way[side].append((text, people[side].encrypt(text)))
        elif under_way[side]:
            text, message = under_way[side][choice % len(under_way[side])]
            receiver = people[1 - side]
            if action == 3:
                people[1 - side] = receiver = copy(receiver)
            if text in opened:
                assert not opens(receiver, message)
            else:
                assert receiver.decrypt(message) == text
                opened.add(text)
    for side in (0, 1):
        for text, message in under_way[side]:
            if text not in opened:
                assert people[1 - side].decrypt(message) == text
