"""Two people meet and write to each other; what is refused, and with which exit."""

import pytest

from client import (
    ClientLimits,
    ContactChanged,
    ContactState,
    File,
    Invitation,
    MessageState,
    Text,
)
from hushmill.errors import ExitCode, UserError
from tests.client.street import House, Street, friends, introduce, two_people
from tests.client.street_network import PROVIDERS, START

HOUR = 3600.0


def test_two_people_meet_and_both_are_active() -> None:
    street, alice, bob = two_people()
    invitation = alice.messenger.invite("bob", street.now)
    assert alice.state_of("bob") is ContactState.INVITED
    bob.messenger.add(invitation.link(), "alice", street.now)
    assert bob.state_of("alice") is ContactState.ADDED
    alice.acted()
    bob.acted()
    assert street.run_until(
        lambda: alice.state_of("bob") is bob.state_of("alice") is ContactState.ACTIVE, 120
    )
    views = alice.messenger.contacts(), bob.messenger.contacts()
    assert [(view.name, view.their_name) for view in views[0]] == [("bob", "bob")]
    assert [(view.name, view.their_name) for view in views[1]] == [("alice", "alice")]
    assert alice.messenger.safety_number_of("bob") == bob.messenger.safety_number_of("alice")
    states = [
        effect.contact.state for effect in alice.effects if isinstance(effect, ContactChanged)
    ]
    assert states == [ContactState.INVITED, ContactState.CONFIRMING, ContactState.ACTIVE]


def test_what_is_typed_before_they_meet_arrives_in_order() -> None:
    street, alice, bob = two_people()
    invitation = alice.messenger.invite("bob", street.now)
    bob.messenger.add(invitation.text(), "alice", street.now)
    for number in range(3):
        alice.messenger.send("bob", Text(f"a{number}"), street.now)
        bob.messenger.send("alice", Text(f"b{number}"), street.now)
    assert {view.state for view in alice.messenger.sent()} == {MessageState.WAITING}
    alice.acted()
    bob.acted()
    assert street.run_until(lambda: len(alice.texts) == len(bob.texts) == 3, 120)
    assert alice.texts == ["b0", "b1", "b2"]
    assert bob.texts == ["a0", "a1", "a2"]
    street.run_for(30)
    assert {view.state for view in alice.messenger.sent()} == {MessageState.DELIVERED}


def test_a_file_arrives_whole() -> None:
    street, alice, bob = friends()
    data = bytes(range(256)) * 256
    alice.messenger.send("bob", File("../../etc/pass\0wd", data), street.now)
    alice.acted()
    assert street.run_until(lambda: len(bob.shown) == 1, 120)
    view = bob.shown[0]
    assert (view.kind, view.size) == ("file", len(data))
    assert view.file_name is not None
    assert not set(view.file_name) & set("/\0")
    assert bob.messenger.attachment(view.id) == data


def test_send_needs_no_network_and_arrives_later() -> None:
    street, alice, bob = friends()
    alice.link_down()
    id_ = alice.messenger.send("bob", Text("later"), street.now)
    alice.acted()
    street.run_for(200)
    assert bob.texts == []
    view = alice.messenger.message(id_)
    assert view is not None
    assert view.state is MessageState.QUEUED
    alice.link_up()
    assert street.run_until(lambda: bob.texts == ["later"], 60)


def test_a_message_survives_the_restart_of_both() -> None:
    street, alice, bob = friends()
    alice.messenger.send("bob", Text("kept"), street.now)
    alice.crash()
    bob.crash()
    assert street.run_until(lambda: bob.texts == ["kept"], 60)


def test_refuses_our_own_invitation() -> None:
    street, alice, _ = two_people()
    invitation = alice.messenger.invite("bob", street.now)
    with pytest.raises(UserError, match="your own") as refused:
        alice.messenger.add(invitation.text(), "me", street.now)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


def test_refuses_an_invitation_added_twice() -> None:
    street, alice, bob = two_people()
    invitation = alice.messenger.invite("bob", street.now)
    bob.messenger.add(invitation.text(), "alice", street.now)
    with pytest.raises(UserError, match="used already") as refused:
        bob.messenger.add(invitation.text(), "alice2", street.now)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


def test_refuses_an_expired_invitation() -> None:
    street, alice, bob = two_people()
    invitation = alice.messenger.invite("bob", street.now)
    with pytest.raises(UserError, match="expired") as refused:
        bob.messenger.add(invitation.text(), "alice", street.now + 8 * 24 * HOUR)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


def test_a_second_answer_to_an_invitation_gets_nothing() -> None:
    street, alice, bob = two_people()
    carol = House(street, "carol", PROVIDERS[1])
    assert street.run_until(carol.is_ready, 60)
    invitation = alice.messenger.invite("bob", street.now)
    alice.acted()
    bob.messenger.add(invitation.text(), "alice", street.now)
    bob.acted()
    assert street.run_until(lambda: bob.state_of("alice") is ContactState.ACTIVE, 60)
    carol.messenger.add(invitation.text(), "alice", street.now)
    carol.messenger.send("alice", Text("let me in"), street.now)
    carol.acted()
    street.run_for(100)
    assert carol.state_of("alice") is ContactState.ADDED
    assert [view.name for view in alice.messenger.contacts()] == ["bob"]
    assert alice.texts == []


def test_whoever_answers_in_the_inviters_place_is_refused() -> None:
    """Mallory holds the invitation and plays the inviter towards Bob."""
    street, alice, bob = two_people()
    mallory = House(street, "mallory", PROVIDERS[0])
    assert street.run_until(mallory.is_ready, 60)
    real = alice.messenger.invite("bob", street.now)
    alice.link_down()
    with mallory.store.transaction():
        row = mallory.store.contacts.add("bob", ContactState.INVITED, street.now)
        mallory.store.invitations.add(real, row.id, real.expires * HOUR, is_own=True)
    mallory.inboxes.add(real.inbox)
    bob.messenger.add(real.text(), "alice", street.now)
    bob.acted()
    street.run_for(120)
    assert mallory.state_of("bob") is ContactState.CONFIRMING
    assert bob.state_of("alice") is ContactState.ADDED
    assert dict(bob.messenger.status(street.now).drops)["session"] >= 1


def test_an_invitation_that_nobody_answers_runs_out() -> None:
    street, alice, _ = two_people()
    alice.messenger.invite("bob", street.now)
    id_ = alice.messenger.send("bob", Text("hello?"), street.now)
    alice.messenger.advance(START + 8 * 24 * HOUR)
    assert alice.state_of("bob") is ContactState.EXPIRED
    view = alice.messenger.message(id_)
    assert view is not None
    assert view.state is MessageState.UNCONFIRMED
    with pytest.raises(UserError, match="ran out") as refused:
        alice.messenger.send("bob", Text("again"), START + 8 * 24 * HOUR)
    assert refused.value.exit_code is ExitCode.SECURITY_STOP


def test_the_same_name_can_be_invited_again_after_it_ran_out() -> None:
    street, alice, bob = two_people()
    alice.messenger.invite("bob", street.now)
    street.run_for(1)
    street.now += 8 * 24 * HOUR
    alice.advance()
    assert alice.state_of("bob") is ContactState.EXPIRED
    assert street.run_until(lambda: alice.is_ready() and bob.is_ready(), 120)
    introduce(street, alice, bob)


def test_refuses_a_taken_name_and_an_unknown_contact() -> None:
    street, alice, _ = two_people()
    alice.messenger.invite("bob", street.now)
    with pytest.raises(UserError) as refused:
        alice.messenger.invite("bob", street.now)
    assert refused.value.exit_code is ExitCode.USAGE
    with pytest.raises(UserError) as refused:
        alice.messenger.send("nobody", Text("hm"), street.now)
    assert refused.value.exit_code is ExitCode.NOT_FOUND
    with pytest.raises(UserError) as refused:
        alice.messenger.safety_number_of("bob")
    assert refused.value.exit_code is ExitCode.NOT_FOUND


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\x1b[2J"])
def test_refuses_unfit_names(name: str) -> None:
    street, alice, _ = two_people()
    with pytest.raises(UserError) as refused:
        alice.messenger.invite(name, street.now)
    assert refused.value.exit_code is ExitCode.USAGE


def test_invitations_and_contacts_have_limits() -> None:
    street = Street()
    alice = House(street, "alice", PROVIDERS[0], ClientLimits(contacts=3, invitations=2))
    alice.messenger.invite("one", street.now)
    alice.messenger.invite("two", street.now)
    with pytest.raises(UserError, match="2 invitations are open"):
        alice.messenger.invite("three", street.now)
    other = House(street, "bob", PROVIDERS[1])
    for name in ("three", "four"):
        invitation: Invitation = other.messenger.invite(name, street.now)
        if name == "three":
            alice.messenger.add(invitation.text(), name, street.now)
            continue
        with pytest.raises(UserError, match="3 contacts"):
            alice.messenger.add(invitation.text(), name, street.now)
    assert len(alice.messenger.contacts()) == 3


def test_verified_is_shown_and_kept() -> None:
    _, alice, _ = friends()
    assert not alice.messenger.contacts()[0].verified
    alice.messenger.mark_verified("bob")
    alice.crash()
    assert alice.messenger.contacts()[0].verified


def test_a_new_inbox_id_rides_in_every_envelope_and_is_used() -> None:
    street, alice, bob = friends()
    with bob.store.transaction():
        fresh = bob.rng.take(32)
        bob.store.mailbox.add_inbox(fresh, street.now)  # type: ignore[arg-type]
    bob.inboxes.add(fresh)  # type: ignore[arg-type]
    bob.messenger.send("alice", Text("I have moved"), street.now)
    bob.acted()
    assert street.run_until(lambda: alice.texts == ["I have moved"], 60)
    bob.inboxes = {fresh}  # type: ignore[arg-type]
    alice.messenger.send("bob", Text("found you"), street.now)
    alice.acted()
    assert street.run_until(lambda: bob.texts == ["found you"], 60)


def test_status_counts_and_names_nobody() -> None:
    street, alice, bob = friends()
    alice.messenger.send("bob", Text("x"), street.now)
    alice.acted()
    street.run_for(120)
    status = alice.messenger.status(street.now)
    assert status.link_up
    assert not status.document_stale
    assert status.document_epoch == status.epoch
    assert status.contacts == 1
    assert dict(status.messages)["delivered"] == 1
    assert 30 < status.loops_sent < 100
    assert status.loops_sent - 5 <= status.loops_returned <= status.loops_sent
    assert dict(status.packets)["payload"] >= 2
    assert bob.name not in repr(status)
