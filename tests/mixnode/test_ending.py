"""How a node waits while it ends. Spec: docs/spec/mixing.md (Ending)."""

from collections.abc import Callable
from typing import cast

import pytest
from twisted.internet.task import Clock

from hushmill.runtime import Scheduler
from mixnode.service_ending import LOOK_SECONDS, Patience


class Ending:
    """A Patience of 32 s on a clock of the test's own, and when it ended."""

    def __init__(self, is_done: Callable[[float], bool]) -> None:
        self.clock = Clock()
        self.ended: list[float] = []
        self.patience = Patience(
            cast("Scheduler", self.clock),
            lambda: is_done(self.clock.seconds()),
            32.0,
            lambda: self.ended.append(self.clock.seconds()),
            self.clock.seconds,
        )


def test_ends_once_as_soon_as_all_is_done() -> None:
    ending = Ending(lambda now: now >= 1.0)
    ending.clock.pump([LOOK_SECONDS] * 200)
    assert ending.ended == [pytest.approx(1.0, abs=2 * LOOK_SECONDS)]
    ending.patience.hurry()
    assert len(ending.ended) == 1
    assert ending.clock.getDelayedCalls() == []


@pytest.mark.parametrize("turn", [LOOK_SECONDS, 0.5])
def test_waits_32_seconds_and_no_longer_however_slow_the_machine(turn: float) -> None:
    ending = Ending(lambda _now: False)
    ending.clock.pump([turn] * int(40 / turn))
    assert ending.ended == [pytest.approx(32.0, abs=2 * turn)]


def test_a_second_word_ends_it_at_once() -> None:
    ending = Ending(lambda _now: False)
    ending.clock.pump([LOOK_SECONDS] * 10)
    ending.patience.hurry()
    assert ending.ended == [ending.clock.seconds()]
    ending.clock.pump([1.0] * 60)
    assert len(ending.ended) == 1
