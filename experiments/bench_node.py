"""`hushmill bench node`: what a whole mix carries, beside the floor of its public keys.

A real node process stands on loopback between a generator and a sink (`bench_node_peers.py`), with
the network's default parameters, the settings that `mix init` writes, and its replay log on disk.
On one core all of the node's processes share that core, and generator and sink have the other; on
two cores everything shares both. The figure held against the floor is wall time: a second over the
packets a second that the node carried.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from experiments.bench_node_helper import monotonic
from experiments.bench_node_network import BenchNetwork
from experiments.bench_node_packets import wrap_load
from experiments.bench_node_search import (
    SHARE_OF_BREAKING,
    Bench,
    Breaking,
    find_breaking,
    first_rate,
)
from experiments.bench_node_trial import Cores, Floor, Outcome
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import SuiteName
from hushmill.runtime import HushmillCommand, Output, pass_output
from mixnode import Workers

SECONDS = 4.0
SEARCH_TRIALS = 5
PACKETS_LIMIT = 60_000
ADDED_LIMIT_MS = 20.0
RATIO_TARGETS: Mapping[str, float] = {"xwing": 2.4}  # wall time on one core, over the floor
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how long."""

    suites: tuple[SuiteName, ...]
    core_counts: tuple[int, ...]
    seconds: float
    workers: Workers


def two_cores() -> tuple[int, int]:
    """Raises UserError(CONFIGURATION) where this process may not use two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise UserError(
            "This bench needs two cores: one for the node, one for who sends to it.",
            ExitCode.CONFIGURATION,
        )
    return cores[0], cores[1]


def cores_for(count: int) -> Cores:
    first, second = two_cores()
    return Cores((first,), (second,)) if count == 1 else Cores((first, second), (first, second))


def node_rows(plan: Plan, folder: Path, progress: Callable[[str], None]) -> list[dict[str, object]]:
    """A row for each suite and number of cores."""
    rows = []
    for suite in plan.suites:
        floor = Floor(suite)
        floor.measure(two_cores()[0])
        packets = min(PACKETS_LIMIT, round(first_rate(floor, 1) * plan.seconds))
        network = BenchNetwork.build(folder / suite, suite, plan.workers)
        progress(f"Wrapping {packets:,} packets for {suite}")
        started = monotonic()
        load = wrap_load(
            network, folder / f"{suite}-load", packets, "network", two_cores(), _silent
        )
        progress(f"Wrapped in {monotonic() - started:.1f} s")
        for count in plan.core_counts:
            bench = Bench(network, load, folder, cores_for(count), floor, plan.seconds, progress)
            breaking = find_breaking(bench, SEARCH_TRIALS)
            calm = bench.trial(SHARE_OF_BREAKING * breaking.held.offered_per_second, has_drops=True)
            rows.append(node_row(suite, bench, breaking, calm))
    return rows


def node_row(
    suite: SuiteName, bench: Bench, breaking: Breaking, calm: Outcome
) -> dict[str, object]:
    held, limit_us = breaking.held, bench.floor.us
    per_second = held.offered_per_second * (1 - held.failed)
    us = 1e6 / per_second
    row: dict[str, object] = {
        "what": "node",
        "suite": suite,
        "cores": len(bench.cores.node),
        "workers": held.processes - 1,
        "packets_per_second": round(per_second),
        "us_per_packet": round(us, 1),
        "limit_us": round(limit_us, 1),
        "ratio": round(us / limit_us, 3),
        "cpu_us_per_packet": round(held.us_of_cpu, 1),
        "cpu_ratio": round(held.us_of_cpu / limit_us, 3),
        "loss": round(held.loss, 5),
        "late": round(held.late / held.sent, 5),
        "broke_at_per_second": round(breaking.broke_at),
        "sent": held.sent,
        "received": held.received,
        "lost": held.lost,
        "repeated": held.repeated,
        "added_load_per_second": round(calm.offered_per_second),
        "added_p50_ms": round(calm.added(50), 2),
        "added_p99_ms": round(calm.added(99), 2),
        "limit_added_p99_ms": ADDED_LIMIT_MS,
        "generator_cpu": round(held.generator_cpu, 3),
        "sink_cpu": round(held.sink_cpu, 3),
        "generator_behind_ms": held.behind_ms,
        "rss_mib": round(held.rss_bytes / 2**20, 1),
        "overload_per_second": round(breaking.overload.offered_per_second),
        "overload_served_per_second": round(breaking.overload.served_per_second),
        "overload_loss": round(breaking.overload.loss, 5),
        "overload_drops": breaking.overload.drops,
    }
    if bench.cores.node != bench.cores.peers and suite in RATIO_TARGETS:
        row["limit_ratio"] = RATIO_TARGETS[suite]
    return row


def as_table(rows: list[dict[str, object]]) -> str:
    lines = []
    for row in rows:
        target = f" (at most {row['limit_ratio']})" if "limit_ratio" in row else ""
        lines += [
            f"{row['suite']} on {row['cores']} core(s), {row['workers']} worker(s)",
            f"  {row['packets_per_second']} packets/s at {row['loss']:.2%} loss and "
            f"{row['late']:.2%} late; it broke at {row['broke_at_per_second']}",
            f"  {row['us_per_packet']} µs a packet, {row['ratio']} times the floor of "
            f"{row['limit_us']} µs{target}; {row['cpu_us_per_packet']} µs of CPU, "
            f"{row['cpu_ratio']} times",
            f"  added latency at {row['added_load_per_second']}/s: p50 {row['added_p50_ms']} ms, "
            f"p99 {row['added_p99_ms']} ms (at most {row['limit_added_p99_ms']})",
            f"  generator {row['generator_cpu']} and sink {row['sink_cpu']} of a core, "
            f"generator at most {row['generator_behind_ms']} ms behind",
            f"  memory {row['rss_mib']} MiB",
            f"  offered {row['overload_per_second']}/s it served "
            f"{row['overload_served_per_second']}/s, lost {row['overload_loss']:.2%}, and said "
            f"(in steps of 50) that it dropped {row['overload_drops']}",
        ]
    return "\n".join(lines)


def _silent(_done: int, _of: int) -> None:
    """Wrapping is told of as a whole."""


@click.command(cls=HushmillCommand)
@click.option("--suite", type=click.Choice(["xwing", "x25519", "both"]), default="both")
@click.option("--cores", type=click.Choice(["1", "2", "both"]), default="both")
@click.option("--seconds", type=click.FloatRange(0.5), default=SECONDS, show_default=True)
@click.option("--workers", type=click.IntRange(0, 64), help="Instead of one a core.")
@pass_output
def node(output: Output, suite: str, cores: str, seconds: float, workers: int | None) -> None:
    """A whole mix on loopback: packets a second, added latency, loss."""
    plan = Plan(
        suites=SUITES if suite == "both" else tuple(s for s in SUITES if s == suite),
        core_counts=(1, 2) if cores == "both" else (int(cores),),
        seconds=seconds,
        workers="per_core" if workers is None else workers,
    )
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="hushmill-"))
    try:
        rows = node_rows(plan, folder, lambda what: console.print(what))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    output.result({"bench": "node", "rows": rows}, human=as_table(rows))
