"""Shown once and in order, deleted at the provider only after the commit."""

import pytest

from client import ClientLimits, ContactState, MailArrived, MessageArrived, Text
from client.content import Message
from client.envelope import Acknowledgement, Address, Envelope, Piece
from client.fragments import split
from client.inbox import GAP_SECONDS, PARTIALS_LIMIT, WINDOW
from client.receipts import acknowledgement_for
from client.seal import deposit_id, seal_fragment
from client.states import PieceSource
from client.wording import encode_content, encode_parcel
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import DepositId, InboxId, NodeNumber
from hushmill.link import Mail, MailHandle, MailItem
from hushmill.packet import Deposit
from tests.client.street import House, Street, friends, two_people


class Sender:
    """Alice's side of the session with Bob, for deposits of any order and content."""

    def __init__(self, alice: House, bob: House) -> None:
        stored = alice.store.sessions.load(1)
        assert stored is not None
        self.session = stored.session
        self.bob = bob
        self.format = bob.messenger._reception._envelopes
        live = alice.store.mailbox.live()
        self.address = Address(alice.provider, live.inbox, live.serial)
        row = bob.store.contacts.numbered(1)
        self.first = row.received_through + 1

    def fragments(self, text: str) -> list[bytes]:
        """A message's fragments; the ratchet goes on with each."""
        ciphertext = self.session.encrypt(encode_content(Message(Text(text), 5)))
        return split(encode_parcel(None, ciphertext), self.format.fragment_bytes)

    def deposit(self, sequence: int, number: int, fragment: bytes, oldest: int = 1) -> Deposit:
        secret = self.session.send_secret
        deposit = deposit_id(secret, sequence, number)
        envelope = Envelope(
            self.address, oldest, Acknowledgement(0, ()), Piece(sequence, number, fragment)
        )
        sealed = seal_fragment(secret, deposit, self.format.encode(envelope))
        live = self.bob.store.mailbox.live().inbox
        return Deposit(live, deposit, sealed)

    def give(self, deposit: Deposit) -> list[str]:
        """What Bob is shown of it, at once."""
        item = MailItem(
            MailHandle(self.bob.rng.take(8)), deposit.inbox, deposit.deposit, deposit.body
        )
        effects = self.bob.messenger.receive(mail_of(item), self.bob.street.now)
        return [one.message.text for one in effects if isinstance(one, MessageArrived)]

    def say(self, sequence: int, text: str, oldest: int = 1) -> list[str]:
        (fragment,) = self.fragments(text)
        return self.give(self.deposit(sequence, 0, fragment, oldest))


def mail_of(item: MailItem) -> MailArrived:
    return MailArrived(Mail(item, 0, None))


def meeting() -> tuple[Street, House, Sender]:
    street, alice, bob = friends()
    alice.link_down()
    return street, bob, Sender(alice, bob)


def drops(house: House) -> dict[str, int]:
    return dict(house.messenger.status(house.street.now).drops)


def test_shows_in_order_what_arrives_in_any() -> None:
    _, _, sender = meeting()
    first = sender.first
    parts = [sender.fragments(f"m{n}")[0] for n in range(4)]
    shown = [sender.give(sender.deposit(first + n, 0, parts[n])) for n in (2, 0, 3, 1)]
    assert shown == [[], ["m0"], [], ["m1", "m2", "m3"]]


def test_shows_over_a_gap_after_ten_minutes_with_a_mark() -> None:
    street, bob, sender = meeting()
    first = sender.first
    missing = sender.fragments("late")[0]
    assert sender.say(first + 1, "after the gap") == []
    assert sender.say(first + 2, "and another") == []
    deadline = bob.messenger._inbox.next_gap_deadline()
    assert deadline == street.now + GAP_SECONDS
    bob.messenger.advance(street.now + GAP_SECONDS - 0.1)
    assert bob.messenger.inbox() == []
    bob.messenger.advance(street.now + GAP_SECONDS)
    views = bob.messenger.inbox()
    assert [(view.text, view.gap, view.late) for view in views] == [
        ("after the gap", True, False),
        ("and another", False, False),
    ]
    assert sender.give(sender.deposit(first, 0, missing)) == ["late"]
    views = bob.messenger.inbox()
    assert [(view.text, view.order, view.late) for view in views] == [
        ("after the gap", 1, False),
        ("and another", 2, False),
        ("late", 3, True),
    ]


def test_drops_and_counts_duplicates() -> None:
    _, bob, sender = meeting()
    deposit = sender.deposit(sender.first, 0, sender.fragments("once")[0])
    assert sender.give(deposit) == ["once"]
    assert sender.give(deposit) == []
    assert drops(bob)["duplicate"] == 1
    halves = sender.fragments("x" * 5000)
    for _ in range(2):
        assert sender.give(sender.deposit(sender.first + 1, 0, halves[0])) == []
    assert drops(bob)["duplicate"] == 2
    assert sender.give(sender.deposit(sender.first + 1, 1, halves[1])) == ["x" * 5000]
    assert len(bob.messenger.inbox()) == 2


def test_counts_what_nobody_known_has_sealed() -> None:
    _, bob, sender = meeting()
    live = bob.store.mailbox.live().inbox
    body = bytes(bob.street.format.geometry.body_bytes)
    sender.give(Deposit(live, DepositId(bytes(16)), body))
    sender.give(Deposit(InboxId(bytes(32)), DepositId(bytes(16)), body))
    assert drops(bob)["unknown_sender"] == 2


def test_our_own_deposits_sent_back_to_us_are_strangers() -> None:
    street, alice, bob = friends()
    bob.link_down()
    alice.messenger.send("bob", Text("echo"), street.now)
    ((deposit, sealed),) = alice.query("SELECT deposit, sealed FROM fragment")
    assert isinstance(deposit, bytes)
    assert isinstance(sealed, bytes)
    item = MailItem(
        MailHandle(bytes(7) + b"1"), alice.store.mailbox.live().inbox, DepositId(deposit), sealed
    )
    alice.messenger.receive(mail_of(item), street.now)
    assert drops(alice)["unknown_sender"] == 1
    assert alice.messenger.inbox() == []


def test_the_provider_may_delete_only_what_is_committed() -> None:
    """The recipient dies before or after any commit, again and again: whatever message was deleted
    at its provider is in its store."""
    street, alice, bob = friends()
    street.run_for(20)
    sequence_of: dict[MailHandle, int] = {}
    for number in range(60):
        alice.messenger.send("bob", Text(f"{number}"), street.now)
        alice.acted()
        bob.crashes_before_commit = number % 2 == 0
        bob.commits_left = number % 7
        starts = bob.starts

        def look(starts: int = starts) -> bool:
            for parcelled in bob.items:
                sequence = alice.connection.execute(
                    "SELECT sequence FROM fragment JOIN parcel ON parcel.id = parcel"
                    " WHERE deposit = ?",
                    (parcelled.item.deposit,),
                ).get
                if isinstance(sequence, int):
                    sequence_of[parcelled.item.handle] = sequence
            return bob.starts > starts

        street.run_until(look, 20)
        stored = {
            sequence
            for (sequence,) in bob.query("SELECT sequence FROM message WHERE direction = 'in'")
        }
        deleted = {sequence_of[handle] for handle in bob.deleted if handle in sequence_of}
        assert deleted <= stored
    assert len(deleted) > 20
    assert bob.starts > 30


def test_takes_what_is_inside_the_window_and_not_one_past_it() -> None:
    _, bob, sender = meeting()
    through = sender.first - 1
    fragment = sender.fragments("far")[0]
    sender.give(sender.deposit(through + WINDOW + 1, 0, fragment))
    assert drops(bob) == {"overflow": 1}
    sender.give(sender.deposit(through + WINDOW, 0, fragment))
    assert drops(bob) == {"overflow": 1}
    assert bob.store.partials.received(1) == [through + WINDOW]


def test_keeps_a_bounded_number_of_fragments_and_the_next_message_still_fits() -> None:
    street, bob, sender = meeting()
    row = bob.store.contacts.numbered(1)
    inbox = bob.messenger._inbox
    ciphertext = bytes(3_000 * 256)
    whole = split(encode_parcel(None, ciphertext), sender.format.fragment_bytes)
    assert len(whole) == 256
    with bob.store.transaction():
        for place in range(PARTIALS_LIMIT):
            sequence = row.received_through + 2 + place // 255
            piece = Piece(sequence, place % 255, whole[place % 255])
            assert inbox.take_piece(row, PieceSource.SESSION, piece, street.now) is None
        one_more = Piece(row.received_through + 9, 0, whole[0])
        with pytest.raises(PeerError, match=Drop.OVERFLOW.value):
            inbox.take_piece(row, PieceSource.SESSION, one_more, street.now)
        following = Piece(row.received_through + 1, 0, whole[0])
        assert inbox.take_piece(row, PieceSource.SESSION, following, street.now) is None


def test_a_message_that_does_not_open_is_dropped_and_later_ones_still_come() -> None:
    _, bob, sender = meeting()
    bad = split(encode_parcel(None, b"\x55" * 200), sender.format.fragment_bytes)[0]
    root = bob.query("SELECT root FROM session")
    assert sender.give(sender.deposit(sender.first, 0, bad)) == []
    assert drops(bob) == {"session": 1}
    assert bob.query("SELECT root FROM session") == root
    assert bob.query("SELECT count(*) FROM partial") == [(0,)]
    assert sender.say(sender.first, "the real one") == ["the real one"]


def test_fragments_that_contradict_each_other_are_dropped() -> None:
    _, bob, sender = meeting()
    two = sender.fragments("x" * 5000)
    four = sender.fragments("x" * 9000)
    sender.give(sender.deposit(sender.first, 0, two[0]))
    sender.give(sender.deposit(sender.first, 1, four[1]))
    sender.give(sender.deposit(sender.first, 2, two[1]))
    sender.give(sender.deposit(0, 0, two[1]))
    assert drops(bob) == {"session": 3}


def test_content_that_makes_no_sense_uses_up_its_number_and_shows_nothing() -> None:
    _, bob, sender = meeting()
    ciphertext = sender.session.encrypt(b"\x07nonsense")
    fragment = split(encode_parcel(None, ciphertext), sender.format.fragment_bytes)[0]
    assert sender.give(sender.deposit(sender.first, 0, fragment)) == []
    assert drops(bob) == {"session": 1}
    assert sender.say(sender.first + 1, "sense") == ["sense"]


def test_what_the_sender_gave_up_is_passed_over() -> None:
    _, bob, sender = meeting()
    first = sender.first
    sender.fragments("never sent")
    assert sender.say(first + 1, "waits") == []
    assert sender.say(first + 2, "tells", oldest=first + 1) == ["waits", "tells"]
    assert [view.gap for view in bob.messenger.inbox()] == [True, False]
    assert bob.store.contacts.numbered(1).received_through == first + 2


def test_the_mark_comes_even_when_more_is_still_missing() -> None:
    _, bob, sender = meeting()
    first = sender.first
    assert sender.say(first + 2, "waits for one", oldest=first + 1) == []
    assert sender.say(first + 1, "that one", oldest=first + 1) == ["that one", "waits for one"]
    assert [view.gap for view in bob.messenger.inbox()] == [True, False]


def test_an_unseen_oldest_beyond_the_window_changes_nothing() -> None:
    _, bob, sender = meeting()
    sender.say(sender.first, "hello", oldest=2**32 - 1)
    assert bob.store.contacts.numbered(1).received_through == sender.first
    assert len(bob.messenger.inbox()) == 1


def meeting_with_room(fragments: int) -> tuple[House, Sender]:
    """Bob has room for so many fragments more from Alice."""
    _, bob, sender = meeting()
    stored = bob.store.contacts.numbered(1).stored_bytes
    assert stored >= sender.format.fragment_bytes  # the hello
    most = stored + fragments * sender.format.fragment_bytes
    bob.messenger._inbox._limits = ClientLimits(contact_bytes=most)
    return bob, sender


def test_a_contact_fills_what_one_may_store_here_and_not_one_byte_more() -> None:
    bob, sender = meeting_with_room(3)
    halves = sender.fragments("x" * 5000)
    assert len(halves) == 2
    assert [
        sender.give(sender.deposit(sender.first, number, halves[number])) for number in (0, 1)
    ] == [[], ["x" * 5000]]
    assert sender.say(sender.first + 1, "the last") == ["the last"]
    assert drops(bob) == {}
    assert sender.say(sender.first + 2, "one more") == []
    assert drops(bob) == {"overflow": 1}
    assert bob.store.contacts.numbered(1).received_through == sender.first + 1


def test_a_message_that_would_not_fit_whole_is_not_begun() -> None:
    bob, sender = meeting_with_room(3)
    for number, fragment in enumerate(sender.fragments("x" * 9000)):
        assert sender.give(sender.deposit(sender.first, number, fragment)) == []
    assert drops(bob) == {"overflow": 4}
    assert bob.query("SELECT count(*) FROM partial") == [(0,)]
    first, second = (sender.fragments(word * 5000) for word in "yz")
    sender.give(sender.deposit(sender.first + 1, 0, first[0]))
    sender.give(sender.deposit(sender.first + 2, 0, second[0]))
    assert sender.say(sender.first, "short") == ["short"]
    assert drops(bob) == {"overflow": 4}
    sender.give(sender.deposit(sender.first + 1, 1, first[1]))  # what is begun counts
    assert drops(bob) == {"overflow": 5}


class Thief:
    """Somebody who has read the invitation that Bob answered, and knows Bob's inbox."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        (stored,) = sender.bob.store.invitations.receive_secrets(0)
        self.secret = stored[1]

    def give(self, sequence: int, number: int, fragment: bytes) -> None:
        format_ = self.sender.format
        deposit = deposit_id(self.secret, sequence, number)
        address = Address(NodeNumber(3), InboxId(bytes(32)), 99)
        envelope = Envelope(address, 1, Acknowledgement(0, ()), Piece(sequence, number, fragment))
        sealed = seal_fragment(self.secret, deposit, format_.encode(envelope))
        live = self.sender.bob.store.mailbox.live().inbox
        assert self.sender.give(Deposit(live, deposit, sealed)) == []


def test_pieces_under_an_invitation_do_not_block_the_sessions() -> None:
    """Whatever a thief of the invitation sends first, the contact's messages open; and no
    acknowledgement ends the tries of a fragment that only the thief has sent."""
    _, bob, sender = meeting()
    thief, first = Thief(sender), sender.first
    texts = ["x", "y" * 5000, "z" * 5000, "w" * 9000]
    for sequence in range(first, first + len(texts)):
        for number, head in ((1, 1), (0, 1), (3, 2)):
            thief.give(sequence, number, bytes((head,)) + bytes(sender.format.fragment_bytes - 1))
    receipt = acknowledgement_for(bob.store, bob.store.contacts.numbered(1), 64)
    assert receipt == Acknowledgement(first - 1, ())
    for place, text in enumerate(texts):
        fragments = sender.fragments(text)
        shown = [
            sender.give(sender.deposit(first + place, number, fragment))
            for number, fragment in enumerate(fragments)
        ]
        assert shown == [[]] * (len(fragments) - 1) + [[text]]
    assert bob.query("SELECT count(*) FROM partial") == [(0,)]


def test_a_flood_under_an_invitation_takes_no_room_from_the_session() -> None:
    street, bob, sender = meeting()
    row, inbox = bob.store.contacts.numbered(1), bob.messenger._inbox
    junk = b"\x08" + bytes(sender.format.fragment_bytes - 1)
    with bob.store.transaction():
        for place in range(PARTIALS_LIMIT):
            piece = Piece(sender.first + 1 + place // 255, place % 255, junk)
            inbox.take_piece(row, PieceSource.INVITATION, piece, street.now)
        one_more = Piece(sender.first + 9, 0, junk)
        with pytest.raises(PeerError, match=Drop.OVERFLOW.value):
            inbox.take_piece(row, PieceSource.INVITATION, one_more, street.now)
    halves = sender.fragments("x" * 5000)
    for number in (0, 1):
        sender.give(sender.deposit(sender.first + 9, number, halves[number]))
    assert drops(bob) == {}
    assert bob.store.partials.received(1) == [sender.first + 9]


def test_early_messages_under_the_invitation_still_arrive_after_the_session_began() -> None:
    """Sealed once, they stay under the invitation's secret in every later try."""
    street, alice, bob = two_people()
    invitation = alice.messenger.invite("bob", street.now)
    alice.messenger.send("bob", Text("first" * 2000), street.now)
    alice.messenger.send("bob", Text("second"), street.now)
    alice.acted()
    bob.messenger.add(invitation.text(), "alice", street.now)
    bob.acted()
    street.weather.loss = 0.5
    assert street.run_until(lambda: bob.state_of("alice") is ContactState.ACTIVE, 900)
    assert street.run_until(lambda: alice.state_of("bob") is ContactState.ACTIVE, 900)
    alice.messenger.send("bob", Text("third" * 2000), street.now)
    alice.acted()
    street.weather.loss = 0.2
    assert street.run_until(lambda: len(bob.texts) == 3, 3600)
    assert bob.texts == ["first" * 2000, "second", "third" * 2000]
    assert bob.query("SELECT count(*) FROM partial") == [(0,)]
