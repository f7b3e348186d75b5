"""`hushmill bench lab`: how fast the laboratory simulates, orders and traces, on one core.

The network has 3 x 10 mixes, 5,000 packets a second and a mean delay of 0.1 s at each mix, so that
the posterior of each traced packet has some eleven thousand deliveries and their logarithms. Every
loop is compiled before it is timed. Memory is the most that the process had so far.
"""

import math
import multiprocessing
import resource
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TypeVar

import click
import numpy as np

from experiments.lab.adversaries.tracing import trace_targets
from experiments.lab.adversaries.tracing_passage import passage_of
from experiments.lab.compiled import require_compiler
from experiments.lab.model import NetworkParameters
from experiments.lab.sources.vector import Flows, simulate, trace_of
from experiments.lab.trace import Ends, Observation, observe
from hushmill.runtime import HushmillCommand, Output, pass_output

MESSAGES = 1_000_000
TARGETS = 16_384
SEED = 1
PROCESSES = 2  # of `--all`
# What the project holds itself to, a second on one core; of all targets on two.
LIMITS = {"simulate": 3e6, "order": 0.8e6, "posterior": 5e3, "posterior_of_all": 1e6 / 60}
MEMORY_LIMIT_MIB = 2048
NETWORK = NetworkParameters(layers=3, width=10, rate_per_second=5000.0, mean_delay_seconds=0.1)
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `count` is of messages, but at `posterior` of targets, of which each has its
    entropies and its rank."""

    what: str
    messages: int
    layers: int
    width: int
    count: int
    wall_seconds: float
    cpu_seconds: float
    rss_mib: float

    def record(self) -> dict[str, object]:
        per_second = self.count / self.wall_seconds
        return {
            "what": self.what,
            "messages": self.messages,
            "layers": self.layers,
            "width": self.width,
            "count": self.count,
            "per_second": round(per_second, 1),
            "limit_per_second": round(LIMITS[self.what], 1),
            "ratio": round(per_second / LIMITS[self.what], 3),
            "wall_seconds": round(self.wall_seconds, 4),
            "cpu_seconds": round(self.cpu_seconds, 4),
            "rss_mib": round(self.rss_mib, 1),
            "rss_limit_mib": MEMORY_LIMIT_MIB,
        }


def lab_rows(messages: int, targets: int, network: NetworkParameters = NETWORK) -> list[Row]:
    """`simulate` (whole journeys of all messages), `order` (the trace in order of cause, its wires
    and the size of every pool at every departure) and `posterior` (consecutive targets from the
    middle of the run, each traced from sending until all but 1e-7 of it is delivered)."""
    compile_all(network)
    rows: list[Row] = []

    def timed(what: str, count: int, action: Callable[[], Made]) -> Made:
        wall, cpu = perf_counter(), process_time()
        made = action()
        wall, cpu = perf_counter() - wall, process_time() - cpu
        shape = (messages, network.layers, network.width)
        rows.append(Row(what, *shape, count, wall, cpu, memory_mib()))
        return made

    rng = np.random.default_rng(SEED)
    flows = timed("simulate", messages, lambda: simulate(network, messages, rng))
    seen, ends = timed("order", messages, lambda: ordered(flows))
    targets = min(targets, messages)
    first = (messages - targets) // 2
    timed("posterior", targets, lambda: traced(seen, ends, first, first + targets))
    return rows


def ordered(flows: Flows) -> tuple[Observation, Ends]:
    """The trace of `flows` as an observer has it. Pool sizes are worked out, and used by tracing
    once more: both count."""
    seen, ends = observe(trace_of(flows))
    passage_of(seen)
    return seen, ends


def traced(seen: Observation, ends: Ends, first: int, last: int) -> float:
    """The mean entropy of the messages from `first` to `last` - 1. Raises ArithmeticError if any
    mass is missing."""
    chosen = slice(first, last)
    scores = trace_targets(seen, ends.sent[chosen], ends.delivered[chosen])
    if scores.mass.min() < 1 - 1e-6:
        raise ArithmeticError("a posterior is not whole")
    return float(scores.entropy_bits.mean())


def compile_all(network: NetworkParameters = NETWORK) -> None:
    """Compiles, or loads, every loop that is timed."""
    require_compiler()
    seen, ends = ordered(simulate(network, 100, np.random.default_rng(SEED)))
    traced(seen, ends, 0, 2)


def rows_of_all(messages: int, processes: int = PROCESSES) -> list[Row]:
    """One row `posterior_of_all`: every message of a run is a target. Each process simulates the
    same run for itself and traces its part of it; the slowest one counts, from before it simulates
    until its last target is traced."""
    edges = [messages * part // processes for part in range(processes + 1)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        starts = (edges[:-1], edges[1:], [messages] * processes)
        parts = list(pool.map(_part_of_all, *starts))
    wall = max(part.wall_seconds for part in parts)
    cpu = math.fsum(part.cpu_seconds for part in parts)
    memory = math.fsum(part.rss_mib for part in parts)
    shape = (messages, NETWORK.layers, NETWORK.width)
    return [Row("posterior_of_all", *shape, messages, wall, cpu, memory)]


def _part_of_all(first: int, last: int, messages: int) -> Row:
    compile_all()
    wall, cpu = perf_counter(), process_time()
    seen, ends = ordered(simulate(NETWORK, messages, np.random.default_rng(SEED)))
    traced(seen, ends, first, last)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    shape = (messages, NETWORK.layers, NETWORK.width)
    return Row("posterior_of_all", *shape, last - first, wall, cpu, memory_mib())


def grown(messages: int, targets: int) -> list[Row]:
    """How the figures grow: with messages, then with mixes and with layers."""
    rows: list[Row] = []
    for part in (100, 10, 1):
        rows += lab_rows(max(messages // part, 1), targets)
    for layers, width in ((3, 1), (3, 100), (1, 10), (5, 10), (10, 10)):
        shape = NetworkParameters(
            layers=layers,
            width=width,
            rate_per_second=NETWORK.rate_per_second,
            mean_delay_seconds=NETWORK.mean_delay_seconds,
        )
        rows += lab_rows(max(messages // 10, 1), targets, shape)
    return rows


def memory_mib() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def as_table(rows: Sequence[Row]) -> str:
    lines = [
        f"{NETWORK.rate_per_second:.0f} packets/s, mean delay {NETWORK.mean_delay_seconds} s at a "
        "mix; one core, for all targets two.",
        f"{'':18}{'messages':>10}{'mixes':>9}{'a second':>13}{'at least':>12}{'ratio':>8}"
        f"{'wall':>9}{'CPU':>9}{'memory':>11}",
    ]
    for row in rows:
        record = row.record()
        name = row.what.replace("_", " ")
        mixes = f"{row.layers} x {row.width}"
        lines.append(
            f"{name:18}{row.messages:>10}{mixes:>9}{record['per_second']:>13}"
            f"{record['limit_per_second']:>12}{record['ratio']:>8}{row.wall_seconds:>7.2f} s"
            f"{row.cpu_seconds:>7.2f} s{row.rss_mib:>7.0f} MiB"
        )
    return "\n".join(lines)


@click.command(cls=HushmillCommand)
@click.option("--messages", type=click.IntRange(100), default=MESSAGES, show_default=True)
@click.option("--targets", type=click.IntRange(1), default=TARGETS, show_default=True)
@click.option("--grow", is_flag=True, help="Fewer messages, and other numbers of mixes, too.")
@click.option("--all", "of_all", is_flag=True, help="Trace every message, on two processes, too.")
@pass_output
def lab(output: Output, messages: int, targets: int, grow: bool, of_all: bool) -> None:
    """Simulate, order and trace, beside what is asked of one core."""
    rows = grown(messages, targets) if grow else lab_rows(messages, targets)
    if of_all:
        rows += rows_of_all(messages)
    records = [row.record() for row in rows]
    output.result({"bench": "lab", "rows": records}, human=as_table(rows))
