"""At which load a node breaks: trials that close in on the rate from above and from below.

Broken is a rate at which more than one packet in a hundred does not come, or comes more than a
quarter of a second after it was due: a queue that only grows loses nothing in a short trial, but it
is late. A rate that broke once is tried again before it counts, since a moment in which the machine
is busy with something else is not the node's.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from experiments.bench_node_network import BenchNetwork
from experiments.bench_node_packets import Load
from experiments.bench_node_trial import Cores, Floor, Outcome, run_trial

LOSS_LIMIT = 0.01
FIRST_GUESS_IN_FLOORS = 2.5  # of the time a packet takes one core
TOO_MUCH = 1.35  # of what is guessed, so that the first trial shows what the node can serve
NEAR = 0.97  # of what was served under overload
TRY_LOWER = 0.85  # of a rate that broke, while none has held
TRY_HIGHER = 1.25  # of a rate that held, at most
CLOSE_ENOUGH = 0.04  # of the rate, between what held and what broke
SHARE_OF_BREAKING = 0.7  # at which the added latency is measured
Trial = Callable[[float, bool], Outcome]  # of so many packets a second, with drops or not


@dataclass(slots=True)
class Bench:
    """One suite on one choice of cores: trials, and the floor between them."""

    network: BenchNetwork
    load: Load
    folder: Path
    cores: Cores
    floor: Floor
    seconds: float
    progress: Callable[[str, int, int], None]
    _numbers: Iterator[int] = field(default_factory=count)

    def trial(self, rate: float, has_drops: bool = False) -> Outcome:
        suite = self.network.parameters.suite
        self.progress(f"{suite} on {self.cores}: {rate:,.0f} packets/s", 0, 1)
        before = self.floor.measure(self.cores.node[0])
        folder = self.folder / f"trial{next(self._numbers)}"
        outcome = run_trial(
            self.network, self.load, folder, self.cores, rate, self.seconds, has_drops=has_drops
        )
        after = self.floor.measure(self.cores.node[0])
        return replace(outcome, floor_us=(before + after) / 2)


def breaks(outcome: Outcome) -> bool:
    return outcome.failed > LOSS_LIMIT


@dataclass(frozen=True, slots=True)
class Breaking:
    """`held` is the outcome at the highest rate that held, `broke_at` the lowest rate that did not
    (None: none was looked for)."""

    held: Outcome
    broke_at: int | None
    overload: Outcome


def find_breaking(trial: Trial, first: float, trials: int) -> Breaking:
    """The breaking rate, after at most so many trials beside the first ones, those that repeat, and
    those that are needed until any holds. The first are of `first` packets a second and more, until
    the node breaks, so that what it serves then says where to look."""
    overload = trial(first, True)
    while not breaks(overload):
        first *= TOO_MUCH
        overload = trial(first, True)
    held, broke_at = None, first
    rate = min(NEAR * overload.served_per_second, TRY_LOWER * broke_at)
    while trials > 0 or held is None:
        trials -= 1
        outcome = trial(rate, False)
        if breaks(outcome) and breaks(outcome := trial(rate, False)):
            broke_at = rate
        else:
            held = outcome
        if held is None:
            rate = TRY_LOWER * broke_at
        elif broke_at - held.offered_per_second < CLOSE_ENOUGH * broke_at:
            break
        else:
            rate = min(
                TRY_HIGHER * held.offered_per_second, (held.offered_per_second + broke_at) / 2
            )
    return Breaking(held, round(broke_at), overload)


def first_rate(floor: Floor, cores: int) -> float:
    """The load of the first trial, from the floor alone."""
    return TOO_MUCH * 1e6 / (FIRST_GUESS_IN_FLOORS * floor.us) * math.sqrt(cores)
