"""Packets that wait to be opened. Spec: docs/spec/mixing.md (Intake)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.errors import UsageError
from hushmill.identifiers import NodeNumber
from hushmill.packet import Packet
from mixnode.intake import Intake

ONE, TWO, THREE = NodeNumber(1), NodeNumber(2), NodeNumber(3)


def packets(count: int, mark: int = 0) -> list[Packet]:
    return [Packet(bytes([mark, number])) for number in range(count)]


def test_serves_links_in_turn_and_each_in_order() -> None:
    intake = Intake(10)
    assert intake.offer(ONE, packets(3), 1.0) == 0
    assert intake.offer(TWO, packets(1), 2.0) == 0
    taken = intake.take(10)
    assert [(each.source, each.packet.raw[1], each.at) for each in taken] == [
        (ONE, 0, 1.0),
        (TWO, 0, 2.0),
        (ONE, 1, 1.0),
        (ONE, 2, 1.0),
    ]
    assert len(intake) == 0
    assert intake.take(1) == []


def test_goes_on_where_it_stopped() -> None:
    intake = Intake(10)
    for source in (ONE, TWO, THREE):
        intake.offer(source, packets(2), 0.0)
    served = [each.source for _ in range(6) for each in intake.take(1)]
    assert served == [ONE, TWO, THREE, ONE, TWO, THREE]


def test_holds_its_limit_and_not_one_more() -> None:
    intake = Intake(5)
    assert intake.offer(ONE, packets(5), 0.0) == 0
    assert intake.offer(ONE, packets(1, mark=9), 0.0) == 1
    assert [each.packet.raw[0] for each in intake.take(9)] == [0] * 5  # the newest is lost


def test_a_flood_costs_the_flooding_link_alone() -> None:
    intake = Intake(100)
    assert intake.offer(ONE, packets(200), 0.0) == 100
    assert intake.offer(TWO, packets(30), 0.0) == 30  # as many as the flood loses for them
    taken = intake.take(60)
    assert Counter(each.source for each in taken) == {ONE: 30, TWO: 30}


def test_a_newcomer_displaces_nobody_with_as_little() -> None:
    intake = Intake(2)
    intake.offer(ONE, packets(1), 0.0)
    intake.offer(TWO, packets(1), 0.0)
    assert intake.offer(THREE, packets(1), 0.0) == 1
    assert [each.source for each in intake.take(9)] == [ONE, TWO]


def test_needs_room_for_one() -> None:
    Intake(1)
    with pytest.raises(UsageError):
        Intake(0)


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 8), st.integers(0, 6)), max_size=40),
)
def test_every_packet_is_taken_or_dropped_once(
    limit: int, steps: list[tuple[int, int, int]]
) -> None:
    intake = Intake(limit)
    offered = dropped = taken = 0
    for source, count, take in steps:
        offered += count
        dropped += intake.offer(NodeNumber(source), packets(count), 0.0)
        assert len(intake) <= limit
        taken += len(intake.take(take))
    taken += len(intake.take(limit))
    assert offered == dropped + taken
    assert len(intake) == 0
