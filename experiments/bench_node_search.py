"""At which load a node breaks: trials that close in on the rate from above and from below.

Broken is a rate at which more than one packet in a hundred does not come, or comes more than a
quarter of a second after it was due: a queue that only grows loses nothing in a short trial, but it
is late. A rate that broke once is tried again before it counts, since a moment in which the machine
is busy with something else is not the node's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from experiments.bench_node_network import BenchNetwork
from experiments.bench_node_packets import Load
from experiments.bench_node_trial import Cores, Floor, Outcome, run_trial

LOSS_LIMIT = 0.01
FIRST_GUESS_IN_FLOORS = 2.5  # of the time a packet takes one core
TOO_MUCH = 1.35  # of what is guessed, so that the first trial shows what the node can serve
CLOSE_ENOUGH = 0.04  # of the rate, between what held and what broke
SHARE_OF_BREAKING = 0.7  # at which the added latency is measured


@dataclass(slots=True)
class Bench:
    """One suite on one choice of cores: trials, and the floor between them."""

    network: BenchNetwork
    load: Load
    folder: Path
    cores: Cores
    floor: Floor
    seconds: float
    progress: Callable[[str], None]
    trials: list[Outcome] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def trial(self, rate: float, *, has_drops: bool = False) -> Outcome:
        self.progress(f"{rate:,.0f} packets/s on {len(self.cores.node)} core(s)")
        self.floor.measure(self.cores.node[0])
        folder = self.folder / f"trial{next(self._numbers)}"
        outcome = run_trial(
            self.network, self.load, folder, self.cores, rate, self.seconds, has_drops=has_drops
        )
        self.floor.measure(self.cores.node[0])
        self.trials.append(outcome)
        return outcome


def breaks(outcome: Outcome) -> bool:
    return outcome.failed > LOSS_LIMIT


@dataclass(frozen=True, slots=True)
class Breaking:
    """`held` is the outcome at the highest rate that held, `broke_at` the lowest that did not."""

    held: Outcome
    broke_at: float
    overload: Outcome


def find_breaking(bench: Bench, trials: int) -> Breaking:
    """The breaking rate, after at most so many trials beside the first and those that repeat."""
    overload = _overload(bench)
    broke_at = overload.offered_per_second
    held: Outcome | None = None
    rate = 0.97 * overload.served_per_second
    for _ in range(trials):
        outcome = bench.trial(rate)
        if breaks(outcome):
            outcome = bench.trial(rate)
        if breaks(outcome):
            broke_at = min(broke_at, rate)
        else:
            held = outcome
        low = held.offered_per_second if held is not None else 0.7 * broke_at
        if held is not None and broke_at - low < CLOSE_ENOUGH * broke_at:
            break
        rate = (low + broke_at) / 2 if held is not None else 0.85 * broke_at
    while held is None:
        outcome = bench.trial(rate)
        rate *= 0.7
        held = None if breaks(outcome) else outcome
    return Breaking(held, broke_at, overload)


def _overload(bench: Bench) -> Outcome:
    """More than the node can do, so that what it serves says where to look."""
    rate = first_rate(bench.floor, len(bench.cores.node))
    while not breaks(outcome := bench.trial(rate, has_drops=True)):
        rate *= TOO_MUCH
    return outcome


def first_rate(floor: Floor, cores: int) -> float:
    """The load of the first trial, from the floor alone."""
    return TOO_MUCH * 1e6 / (FIRST_GUESS_IN_FLOORS * floor.us) * cores**0.5
