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


def test_one_link_fills_its_share_and_no_more() -> None:
    table = ReplayTable(10)
    answers = [table.admit(_tag(n), A, 2) for n in range(8)]
    assert answers == [None] * 5 + [Drop.REPLAY_FULL] * 3
    assert [table.admit(_tag(100 + n), B, 2) for n in range(5)] == [None] * 5
