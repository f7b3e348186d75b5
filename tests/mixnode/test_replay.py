"""The replay table. Spec: docs/spec/mixing.md (Replay)."""

from hushmill.drops import Drop
from hushmill.identifiers import NodeNumber, ReplayTag
from mixnode.replay import ReplayTable

A, B = NodeNumber(1), NodeNumber(2)


def _tag(number: int) -> ReplayTag:
    return ReplayTag(number.to_bytes(16, "big"))


def test_admits_a_tag_once_whatever_link_it_comes_over() -> None:
    table = ReplayTable(10)
    assert table.admit(_tag(1), A, 2) is None
    assert table.admit(_tag(1), A, 2) is Drop.REPLAY
    assert table.admit(_tag(1), B, 2) is Drop.REPLAY


def test_knows_what_the_log_gave_back() -> None:
    table = ReplayTable(10, [_tag(1), _tag(2)])
    assert table.admit(_tag(2), A, 1) is Drop.REPLAY
    assert table.admit(_tag(3), A, 1) is None
    assert len(table) == 3


def test_is_full_one_past_its_limit_and_still_knows_replays() -> None:
    table = ReplayTable(4, [_tag(0)])
    assert [table.admit(_tag(n), A, 1) for n in (1, 2, 3)] == [None, None, None]
    assert table.admit(_tag(4), A, 1) is Drop.REPLAY_FULL
    assert table.admit(_tag(3), A, 1) is Drop.REPLAY
    assert len(table) == 4


def test_a_link_passes_its_share_while_there_is_room_for_others() -> None:
    """Of 12 places 9 are anybody's; of the other three a link has its share, if below it."""
    table = ReplayTable(12)
    answers = [table.admit(_tag(n), A, 2) for n in range(11)]
    assert answers == [None] * 9 + [Drop.REPLAY_FULL] * 2
    assert [table.admit(_tag(100 + n), B, 2) for n in range(4)] == [None] * 3 + [Drop.REPLAY_FULL]
    assert len(table) == 12


def test_from_three_quarters_on_a_link_gets_its_share_and_no_more() -> None:
    table = ReplayTable(12)
    assert [table.admit(_tag(n), A, 2) for n in range(4)] == [None] * 4
    assert [table.admit(_tag(100 + n), B, 2) for n in range(5)] == [None] * 5
    assert [table.admit(_tag(10 + n), A, 2) for n in range(3)] == [None, None, Drop.REPLAY_FULL]
    assert [table.admit(_tag(110 + n), B, 2) for n in range(2)] == [None, Drop.REPLAY_FULL]


def test_shares_start_anew_with_what_the_log_left() -> None:
    table = ReplayTable(12, [_tag(n) for n in range(8)])
    answers = [table.admit(_tag(50 + n), A, 2) for n in range(4)]
    assert answers == [None, None, Drop.REPLAY_FULL, Drop.REPLAY_FULL]
    assert [table.admit(_tag(60 + n), B, 2) for n in range(3)] == [None, None, Drop.REPLAY_FULL]
