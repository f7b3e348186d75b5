"""A flood costs its own link. The long forms are soaks: `python -m tests.processes.overload`.

Spec: docs/spec/mixing.md (Budget, Rate of a link).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mixnode import read_status
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, OTHER, MixNetwork
from tests.processes.overload import Outcome, Plan, faults, overload
from tests.processes.probes import Probes

RATE = 100


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


def test_ten_times_the_rate_of_a_link_costs_the_other_link_nothing(
    tmp_path: Path, loop: Loop
) -> None:
    """Garbage counts like packets, and so does what comes after a link was made anew."""
    network = MixNetwork(tmp_path, loop)
    network.allow(RATE)
    network.play_second()
    probes, hostile, honest = Probes(network), Owner(), Owner()
    with network.running():
        network.connect(ENTRY, hostile)
        network.connect(OTHER, honest)
        loop.until(lambda: hostile.links and honest.links and network.second.ups, 20.0)
        flood = [probes.frame(0.0)[0] for _ in range(2 * RATE)]
        marks = []
        for turn in range(20):
            if turn == 10:
                network.connect(ENTRY, hostile)
                loop.until(lambda: hostile.ups == 2)
            hostile.link.send(flood[turn * 10 : turn * 10 + 10])
            hostile.link.send(flood[:40])
            marks += [probes.send(honest, 0.02) for _ in range(4)]
            loop.run_for(0.05)
        loop.until(lambda: all(mark in probes.late for mark in marks))
        least = 20 * 50 - 5 * RATE
        loop.until(lambda: read_status(network.folder).counters["drop_rate"] >= least)
    assert honest.downs == 0
    assert probes.others <= 5 * RATE


def _kept_all(outcome: Outcome) -> None:
    assert not faults(outcome), outcome


@pytest.mark.soak
def test_keeps_its_bounds_for_a_short_overload() -> None:
    _kept_all(overload(Plan(seconds=12.0, calm_seconds=5.0, sockets=1_000)))


@pytest.mark.soak
def test_keeps_its_bounds_for_five_minutes_of_overload() -> None:
    outcome = overload(Plan())
    _kept_all(outcome)
    assert outcome.counters["drop_overflow"], "the longest delays did not fill the budget"
