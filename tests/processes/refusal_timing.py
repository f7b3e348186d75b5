"""Whether a hostile neighbour can tell why its packets were refused, by when others leave.

It owns a link to a mix and the node after it. In each trial it sends a probe, a burst of packets
that are refused for one reason, and another probe, all in one write; what it learns is when the
probes come out. `python -m tests.processes.refusal_timing` prints how well two reasons can be told
apart, one JSON object a line. Spec: docs/spec/mixing.md (Timing of refusals).
"""

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mixnode.limits import TICK_SECONDS
from tests.plant_bugs import Bug, plant
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, MixNetwork
from tests.processes.probes import Probes
from tests.processes.refused import Refused
from tests.processes.telling_apart import Rows, Score, score

KINDS = ("bad_mac", "replay", "unknown_command", "no_route", "long_delay")
PAIRS = tuple(("bad_mac", other) for other in KINDS[1:])
BOUND = 0.56
# The contrast: a node that stands still for a tick when a MAC does not hold.
SLEEPS = Bug(
    name="bad-mac-sleeps",
    file="hushmill/packet/format.py",
    old="        if not is_whole:",
    new="""        if not is_whole:
            import time

            time.sleep(0.005)
        if not is_whole:""",
    tests=(),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`trials` of each kind in each of `runs`, a process of its own each."""

    burst: int = 1
    runs: int = 12
    trials: int = 150
    kinds: tuple[str, ...] = KINDS


def measure(plan: Plan, tree: Path | None = None, seed: int = 1) -> dict[str, list[Rows]]:
    """By kind, each run's trials: a row of features each."""
    found: dict[str, list[Rows]] = {kind: [] for kind in plan.kinds}
    for number in range(plan.runs):
        with tempfile.TemporaryDirectory() as folder, running_loop() as loop:
            run = _Run(Path(folder), loop, plan, random.Random(seed + number))
            for kind, rows in run.measure(tree).items():
                found[kind].append(np.array(rows))
    return found


def scores(found: dict[str, list[Rows]]) -> dict[str, Score]:
    return {
        f"{one} vs {other}": score(list(zip(found[one], found[other], strict=True)))
        for one, other in PAIRS
        if one in found and other in found
    }


class _Run:
    """One process of the mix, and trials of every kind in random order."""

    def __init__(self, folder: Path, loop: Loop, plan: Plan, rng: random.Random) -> None:
        self.plan = plan
        self.loop = loop
        self.rng = rng
        self.network = MixNetwork(folder, loop)
        self.network.allow(10**6)
        self.network.play_second()
        self.probes = Probes(self.network)
        self.refused = Refused(self.probes)
        self.owner = Owner()

    def measure(self, tree: Path | None) -> dict[str, list[list[float]]]:
        found: dict[str, list[list[float]]] = {kind: [] for kind in self.plan.kinds}
        order = [kind for kind in self.plan.kinds for _ in range(self.plan.trials)]
        self.rng.shuffle(order)
        with self.network.running(tree):
            self.network.connect(ENTRY, self.owner)
            self.loop.until(lambda: self.owner.links and self.network.second.ups, 20.0)
            self._warm_up()
            for kind in order:
                found[kind].append(self._trial(kind))
        return found

    def _warm_up(self) -> None:
        """The packet that will be replayed, and some more."""
        first, mark = self.probes.frame(0.0)
        self.refused.remember(first)
        self.probes.send_made(self.owner, first, mark, 0.0)
        for _ in range(20):
            self.probes.send(self.owner, 0.0)
            self.loop.run_for(0.01)
        self.loop.until(lambda: len(self.probes.late) == 21)
        self.probes.late.clear()

    def _trial(self, kind: str) -> list[float]:
        make = getattr(self.refused, kind)
        before, after = self.probes.frame(0.0), self.probes.frame(0.0)
        burst = [make() for _ in range(self.plan.burst)]
        self.loop.run_for(0.012 + self.rng.random() * TICK_SECONDS)
        sent = time.time()
        self.probes.expect(before[1], 0.0)
        self.probes.expect(after[1], 0.0)
        self.owner.link.send([before[0], *burst, after[0]])
        marks = (before[1], after[1])
        self.loop.until(lambda: all(mark in self.probes.late for mark in marks))
        first, second = (self.probes.late.pop(mark) for mark in marks)
        return [
            sent % TICK_SECONDS,  # ticks lie on the clock's grid, which everybody knows
            first,
            second,
            second - first,
            (sent + second) % TICK_SECONDS,
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=Plan().runs)
    parser.add_argument("--trials", type=int, default=Plan().trials)
    parser.add_argument("--bursts", type=int, nargs="*", default=[1, 6, 40])
    chosen = parser.parse_args()

    def say(**record: object) -> None:
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()

    for burst in chosen.bursts:
        for pair, found in scores(measure(Plan(burst, chosen.runs, chosen.trials))).items():
            say(burst=burst, pair=pair, **asdict(found))
    with tempfile.TemporaryDirectory() as folder:
        plant(SLEEPS, Path(folder))
        planted = Plan(1, max(4, chosen.runs // 3), chosen.trials, KINDS[:2])
        for pair, found in scores(measure(planted, Path(folder))).items():
            say(burst=1, pair=pair, planted=SLEEPS.name, **asdict(found))


if __name__ == "__main__":
    main()
