"""Waits before another attempt: they grow, they have ends, and they are drawn apart."""

from hushmill.runtime import Backoff
from tests.link.seeded import Seeded


class Fixed:
    """Always the same bytes."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> bytes:
        return bytes([self._value]) * count


def test_doubles_its_ceiling_up_to_the_last() -> None:
    backoff = Backoff(Fixed(255), first_seconds=1.0, last_seconds=60.0)
    waits = [round(backoff.next_wait(), 3) for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_begins_again_after_a_reset() -> None:
    backoff = Backoff(Fixed(255))
    first = backoff.next_wait()
    backoff.next_wait()
    backoff.reset()
    assert backoff.next_wait() == first


def test_never_waits_for_nothing_however_long_it_goes_on() -> None:
    backoff = Backoff(Fixed(0))
    assert {backoff.next_wait() for _ in range(2000)} == {0.05}


def test_spreads_a_hundred_nodes_that_lost_the_same_peer() -> None:
    """Of 100 nodes' sixth attempts over a minute, no window of a second sees more than 12; the
    mean is 2 to 3, and without jitter one window would see all."""
    moments = []
    for node in range(100):
        backoff = Backoff(Seeded(node))
        moments.append(sum(backoff.next_wait() for _ in range(6)))
    assert max(moments) - min(moments) > 20
    windows = [sum(start <= moment < start + 1 for moment in moments) for start in range(64)]
    assert sum(windows) == 100
    assert max(windows) <= 12


def test_spreads_even_the_first_attempts() -> None:
    firsts = [Backoff(Seeded(1000 + node)).next_wait() for node in range(100)]
    tenths = [sum(low / 10 <= wait < (low + 1) / 10 for wait in firsts) for low in range(10)]
    assert sum(tenths) == 100
    assert max(tenths) <= 25
