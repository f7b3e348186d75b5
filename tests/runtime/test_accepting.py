"""Who is let in, and at what cost to others. Spec: docs/spec/link.md (Limits)."""

from collections import Counter
from typing import cast

import pytest

from hushmill.drops import Drop
from hushmill.link import LinkClass
from hushmill.runtime import FrameLink, LinkHandlers, ListenerLimits
from hushmill.runtime.accepting import (
    ADMITTED_IN_ONE_TURN,
    HANDSHAKES_PER_ADDRESS_AT_ONCE,
    TAKEN_IN_ONE_TURN,
    AcceptTurn,
    AddressRates,
    counted_address,
)
from hushmill.runtime.listener import Listener


def test_a_turn_ends_with_the_handshakes_that_it_pays_for() -> None:
    turn = AcceptTurn()
    assert turn.room == ADMITTED_IN_ONE_TURN
    assert turn.took(turn.room, ADMITTED_IN_ONE_TURN - 1)
    assert turn.room == 1
    assert not turn.took(1, 1)
    assert turn.room == 0


def test_refused_connections_leave_the_turn_to_others() -> None:
    turn = AcceptTurn()
    for _ in range(3):
        assert turn.took(ADMITTED_IN_ONE_TURN, 0)
    assert turn.room == ADMITTED_IN_ONE_TURN
    assert not turn.took(ADMITTED_IN_ONE_TURN, ADMITTED_IN_ONE_TURN)


def test_refused_connections_have_an_end_too() -> None:
    turn = AcceptTurn()
    taken = 0
    is_going_on = True
    while is_going_on:
        taken += turn.room
        is_going_on = turn.took(turn.room, 0)
    assert taken == TAKEN_IN_ONE_TURN


def test_an_address_begins_so_many_at_once_and_one_more_is_refused() -> None:
    rates = AddressRates()
    admitted = [rates.admit("192.0.2.1", 5.0) for _ in range(HANDSHAKES_PER_ADDRESS_AT_ONCE + 1)]
    assert admitted == [True] * HANDSHAKES_PER_ADDRESS_AT_ONCE + [False]
    assert rates.admit("192.0.2.2", 5.0)


def test_an_address_that_goes_on_gets_its_rate() -> None:
    rates = AddressRates(rate=16.0, at_once=128)
    admitted = sum(rates.admit("192.0.2.1", step / 400) for step in range(400 * 60))
    assert 128 + 16 * 60 - 2 <= admitted <= 128 + 16 * 60


def test_addresses_are_forgotten_once_they_are_like_new_ones() -> None:
    """400 new addresses a second for a minute: each is known until its one token is back."""
    rates = AddressRates(rate=16.0, at_once=128)
    most = 0
    for step in range(400 * 60):
        rates.admit(str(step), step / 400)
        most = max(most, len(rates))
    assert most <= 400 / 16 + 2


def test_a_turn_ends_with_the_kernels_queue() -> None:
    assert not AcceptTurn().took(ADMITTED_IN_ONE_TURN - 1, 0)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_an_ipv6_network_is_one_address(one: str, other: str, is_same: bool) -> None:
    assert (counted_address(one) == counted_address(other)) == is_same


def test_the_budget_of_an_address_holds_for_its_network() -> None:
    drops: Counter[Drop] = Counter()

    def count(reason: Drop, number: int) -> None:
        drops[reason] += number

    def nothing(*_arguments: object) -> None:
        pass

    handlers = LinkHandlers(nothing, nothing, nothing, count)
    listener = Listener(handlers, LinkClass.CLIENT, ListenerLimits(per_address=2))
    links = [cast("FrameLink", object()) for _ in range(2)]
    for number, link in enumerate(links):
        assert listener.admits(f"2001:db8::{number}")
        listener.admitted(link, f"2001:db8::{number}")
    assert not listener.admits("2001:db8::99")
    assert listener.admits("2001:db8:0:1::1")
    assert drops == {Drop.BUSY: 1}
