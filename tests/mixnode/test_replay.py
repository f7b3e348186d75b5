"""The replay table. Spec: docs/spec/mixing.md (Replay)."""

import statistics
from collections.abc import Callable, Iterable, Iterator

import pytest

from experiments.simnet.seeded import SeededRandomness
from hushmill.drops import Drop
from hushmill.identifiers import NodeNumber, ReplayTag
from mixnode.replay import ReplayTable, table_bytes

A, B = NodeNumber(1), NodeNumber(2)
SECRET = SeededRandomness(1, "secret").take(16)


def _tag(number: int) -> ReplayTag:
    return ReplayTag(number.to_bytes(16, "big"))


def test_admits_a_tag_once_whatever_link_it_comes_over() -> None:
    table = ReplayTable(10, SECRET)
    assert table.admit(_tag(1), A, 2) is None
    assert table.admit(_tag(1), A, 2) is Drop.REPLAY
    assert table.admit(_tag(1), B, 2) is Drop.REPLAY


def test_knows_what_the_log_gave_back() -> None:
    table = ReplayTable(10, SECRET, [_tag(1), _tag(2)])
    assert table.admit(_tag(2), A, 1) is Drop.REPLAY
    assert table.admit(_tag(3), A, 1) is None
    assert len(table) == 3


def test_is_full_one_past_its_limit_and_still_knows_replays() -> None:
    table = ReplayTable(4, SECRET, [_tag(0)])
    assert [table.admit(_tag(n), A, 1) for n in (1, 2, 3)] == [None, None, None]
    assert table.admit(_tag(4), A, 1) is Drop.REPLAY_FULL
    assert table.admit(_tag(3), A, 1) is Drop.REPLAY
    assert len(table) == 4


def test_a_link_passes_its_share_while_there_is_room_for_others() -> None:
    """Of 12 places 9 are anybody's; of the other three a link has its share, if below it."""
    table = ReplayTable(12, SECRET)
    answers = [table.admit(_tag(n), A, 2) for n in range(11)]
    assert answers == [None] * 9 + [Drop.REPLAY_FULL] * 2
    assert [table.admit(_tag(100 + n), B, 2) for n in range(4)] == [None] * 3 + [Drop.REPLAY_FULL]
    assert len(table) == 12


def test_from_three_quarters_on_a_link_gets_its_share_and_no_more() -> None:
    table = ReplayTable(12, SECRET)
    assert [table.admit(_tag(n), A, 2) for n in range(4)] == [None] * 4
    assert [table.admit(_tag(100 + n), B, 2) for n in range(5)] == [None] * 5
    assert [table.admit(_tag(10 + n), A, 2) for n in range(3)] == [None, None, Drop.REPLAY_FULL]
    assert [table.admit(_tag(110 + n), B, 2) for n in range(2)] == [None, Drop.REPLAY_FULL]


def test_shares_start_anew_with_what_the_log_left() -> None:
    table = ReplayTable(12, SECRET, [_tag(n) for n in range(8)])
    answers = [table.admit(_tag(50 + n), A, 2) for n in range(4)]
    assert answers == [None, None, Drop.REPLAY_FULL, Drop.REPLAY_FULL]
    assert [table.admit(_tag(60 + n), B, 2) for n in range(3)] == [None, None, Drop.REPLAY_FULL]


def test_a_tag_of_zeros_is_a_tag_like_any_other() -> None:
    zeros = ReplayTag(bytes(16))
    table = ReplayTable(3, SECRET)
    assert table.admit(_tag(5), A, 1) is None
    assert table.admit(zeros, A, 1) is None
    assert table.admit(zeros, A, 1) is Drop.REPLAY
    assert len(table) == 2
    restored = ReplayTable(3, SECRET, [zeros, _tag(5)])
    assert restored.admit(zeros, A, 1) is Drop.REPLAY
    assert restored.admit(_tag(6), A, 1) is None
    assert restored.admit(_tag(7), A, 1) is Drop.REPLAY_FULL


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 1000, 1001])
def test_every_limit_is_reached_and_never_passed(limit: int) -> None:
    """A search ends even then: one slot is always free."""
    table = ReplayTable(limit, SECRET)
    assert [table.admit(_tag(n), A, 1) for n in range(limit)] == [None] * limit
    assert [table.admit(_tag(n), A, 1) for n in range(limit)] == [Drop.REPLAY] * limit
    for n in range(limit, limit + 5):
        assert table.admit(_tag(n), A, 1) is Drop.REPLAY_FULL
    assert len(table) == limit
    assert table.memory_bytes == table_bytes(limit)
    assert limit * 16 < table.memory_bytes <= limit * 64 / 3 + 16


def test_a_limit_that_was_lowered_forgets_nothing() -> None:
    """The log has ten times as many, a tag of zeros among them: all are known, none is added."""
    table = ReplayTable(10, SECRET, (_tag(n) for n in range(100)))
    assert len(table) == 100
    assert table.memory_bytes > table_bytes(10)
    assert {table.admit(_tag(n), A, 1) for n in range(100)} == {Drop.REPLAY}
    assert table.admit(_tag(100), A, 1) is Drop.REPLAY_FULL


def test_a_log_that_holds_a_tag_twice_counts_it_once() -> None:
    assert len(ReplayTable(10, SECRET, [_tag(1), _tag(2), _tag(1)])) == 2


def test_a_closed_table_has_given_its_memory_back() -> None:
    table = ReplayTable(10, SECRET)
    table.close()
    with pytest.raises(ValueError, match="closed"):
        table.admit(_tag(1), A, 1)


class _Watched(bytes):
    """A tag that counts with how many others it is compared: what a search for it costs."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        self.compared += 1
        return bytes.__eq__(self, other)

    __hash__ = bytes.__hash__


def _costs(table: ReplayTable, tags: Iterable[bytes]) -> list[int]:
    """Of admitting new tags. One that costs far more than any random one ends it at once."""
    costs = []
    for tag in tags:
        watched = _Watched(tag)
        assert table.admit(ReplayTag(watched), A, 1) is None
        assert watched.compared < 400
        costs.append(watched.compared)
    return costs


LIMIT = 100_000
SLOTS = table_bytes(LIMIT) // 16


def _counting() -> Iterator[bytes]:
    return (n.to_bytes(16, "big") for n in range(1, LIMIT + 1))


def _same_low_bytes() -> Iterator[bytes]:
    return (n.to_bytes(4, "big") + bytes(12) for n in range(1, LIMIT + 1))


def _same_remainder() -> Iterator[bytes]:
    return ((n * SLOTS).to_bytes(16, "big") for n in range(1, LIMIT + 1))


def _near_by_the_interpreters_hash() -> list[bytes]:
    """Of someone who knows the key of `hash` (PYTHONHASHSEED), keeps the better one of two tags and
    sends them in order."""
    drawn = SeededRandomness(2, "drawn").take(LIMIT * 32)
    pairs = ((drawn[n : n + 16], drawn[n + 16 : n + 32]) for n in range(0, len(drawn), 32))
    return sorted((min(pair, key=_home) for pair in pairs), key=_home)


def _home(tag: bytes) -> int:
    return hash(tag) % SLOTS


@pytest.mark.parametrize(
    "chosen", [_counting, _same_low_bytes, _same_remainder, _near_by_the_interpreters_hash]
)
def test_chosen_tags_cost_no_more_than_random_ones(chosen: Callable[[], Iterable[bytes]]) -> None:
    """10⁵ of them fill the table. By theory each is compared with (1/(1 - 3/4) - 1)/2 = 1.5 others
    in the mean over all, and with zeros; that mean's own deviation over tables is below 0.03."""
    costs = _costs(ReplayTable(LIMIT, SECRET), chosen())
    assert len(costs) == LIMIT
    assert abs(statistics.fmean(costs) - 2.5) < 0.15


def test_another_secret_puts_the_same_tags_elsewhere() -> None:
    tags = [_tag(n) for n in range(2000)]
    one, other = (_costs(ReplayTable(2000, bytes([n]) * 16), tags) for n in range(2))
    assert one != other
