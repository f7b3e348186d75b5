"""`hushmill bench node`: what a whole mix carries, beside the floor of its public keys.

A real node process stands on loopback between a generator and a sink (`bench_node_peers.py`), with
the network's default parameters, the settings that `mix init` writes, and its replay log on disk.
On one core all of the node's processes share that core, and generator and sink have the other; on
two cores everything shares both. The figure held against the floor is wall time: a second over the
packets a second that the node carried. Spec of the way: docs/spec/mixing.md (Bench).
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from experiments.bench_node_memory import HELD_PACKETS, held_row
from experiments.bench_node_network import BenchNetwork
from experiments.bench_node_packets import Delays, Load, wrap_load
from experiments.bench_node_rows import Measured, as_text, node_row
from experiments.bench_node_search import (
    SHARE_OF_BREAKING,
    Bench,
    Breaking,
    find_breaking,
    first_rate,
)
from experiments.bench_node_stage import stage_rows
from experiments.bench_node_sweep import STEPS, require_plots, sweep, write_sweep
from experiments.bench_node_trial import Floor, cores_for, two_cores
from experiments.long_work import interrupt_on_terminate, progress_bar
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import SuiteName
from hushmill.runtime import HushmillCommand, Output, pass_output
from mixnode import Workers

SECONDS = 3.0
SEARCH_TRIALS = 5
CALM_TRIALS = 3
BETWEEN_SECONDS = 4.0  # from the load of a trial to that of the next
PACKETS_LIMIT = 60_000
QUICK_RATE, QUICK_SECONDS = 300.0, 1.0
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
Row = dict[str, object]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how long. `sweep_into` is a folder for the curves; `is_quick` tries one
    low load, which says nothing of what the node can carry."""

    suites: tuple[SuiteName, ...] = SUITES
    core_counts: tuple[int, ...] = (1, 2)
    seconds: float = SECONDS
    workers: Workers = "per_core"
    sweep_into: Path | None = None
    is_quick: bool = False


def node_rows(plan: Plan, folder: Path, progress: Progress) -> list[Row]:
    """Rows `node` for each suite and number of cores, and for each suite `unwrap_stage` and
    `held`."""
    return [row for suite in plan.suites for row in _suite_rows(plan, suite, folder, progress)]


def _suite_rows(plan: Plan, suite: SuiteName, folder: Path, progress: Progress) -> list[Row]:
    floor = Floor(suite)
    floor.measure(two_cores()[0])
    count = round(QUICK_RATE * QUICK_SECONDS)
    if not plan.is_quick:
        count = min(PACKETS_LIMIT, round(first_rate(floor, 1) * plan.seconds))
    rows: list[Row] = []
    network = load = None
    for cores in map(cores_for, plan.core_counts):
        here = folder / f"{suite}-{len(cores.node)}"
        if network is None or load is None or not network.has_key_for(_longest_seconds(plan)):
            network = BenchNetwork.build(here, suite, plan.workers)
            load = _wrapped(network, here / "load", count, progress)
        bench = Bench(network, load, folder, cores, floor, plan.seconds, progress)
        measured = _quick(bench) if plan.is_quick else _measured(bench)
        rows.append(node_row(bench, measured, is_quick=plan.is_quick))
        if plan.sweep_into is not None:
            outcomes = sweep(bench, measured.breaking.held.offered_per_second)
            name, title = f"node_{suite}_{len(cores.node)}", f"A mix of {suite} on {cores}"
            write_sweep(plan.sweep_into, name, title, outcomes)
    if not plan.is_quick:
        rows += stage_rows(suite, plan.seconds, progress)
        rows.append(_held(plan, suite, folder, progress))
    return rows


def _held(plan: Plan, suite: SuiteName, folder: Path, progress: Progress) -> Row:
    network = BenchNetwork.build(folder / f"{suite}-held", suite, plan.workers)
    load = _wrapped(network, network.folder / "load", HELD_PACKETS, progress, is_held=True)
    return held_row(network, load, folder / "held", cores_for(1))


def _longest_seconds(plan: Plan) -> float:
    """What the trials on one choice of cores take, with those that are repeated."""
    trials = 2 * SEARCH_TRIALS + CALM_TRIALS + (len(STEPS) if plan.sweep_into else 0)
    return trials * (plan.seconds + BETWEEN_SECONDS)


def _wrapped(
    network: BenchNetwork, folder: Path, count: int, progress: Progress, *, is_held: bool = False
) -> Load:
    title = f"Wrapping {count:,} packets for {network.parameters.suite}"
    delays: Delays = "held" if is_held else "network"
    return wrap_load(
        network, folder, count, delays, two_cores(), lambda done, of: progress(title, done, of)
    )


def _measured(bench: Bench) -> Measured:
    first = first_rate(bench.floor, len(bench.cores.node))
    breaking = find_breaking(bench.trial, first, SEARCH_TRIALS)
    rate = SHARE_OF_BREAKING * breaking.held.offered_per_second
    calm = [bench.trial(rate, number == 0) for number in range(CALM_TRIALS)]
    return Measured(breaking, tuple(calm))


def _quick(bench: Bench) -> Measured:
    outcome = bench.trial(QUICK_RATE)
    return Measured(Breaking(outcome, None, outcome), (outcome,))


@click.command(cls=HushmillCommand)
@click.option("--suite", type=click.Choice([*SUITES, "both"]), default="both", show_default=True)
@click.option("--cores", type=click.Choice(["1", "2", "both"]), default="both", show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 60),
    default=SECONDS,
    show_default=True,
    help="Of load, in each trial.",
)
@click.option("--workers", type=click.IntRange(0, 64), help="For node.toml, not one a core.")
@click.option("--sweep", "is_sweep", is_flag=True, help="Draw what happens as the load rises.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder for --sweep's figures.")
@click.option("--quick", "is_quick", is_flag=True, help="One low load of x25519 on one core.")
@pass_output
def node(
    output: Output,
    suite: str,
    cores: str,
    seconds: float,
    workers: int | None,
    is_sweep: bool,
    out: Path | None,
    is_quick: bool,
) -> None:
    """A whole mix on loopback: packets a second, added latency, loss."""
    if is_sweep == (out is None):
        raise UserError("--sweep and --out FOLDER go together.", ExitCode.USAGE)
    if is_sweep and is_quick:
        raise UserError("--quick measures one load alone: leave out --sweep.", ExitCode.USAGE)
    if is_sweep:
        require_plots()
    plan = Plan(
        suites=tuple(each for each in SUITES if suite in (each, "both")),
        core_counts=(1, 2) if cores == "both" else (int(cores),),
        seconds=seconds,
        workers="per_core" if workers is None else workers,
        sweep_into=out,
    )
    if is_quick:
        plan = Plan(("x25519",), (1,), QUICK_SECONDS, plan.workers, is_quick=True)
    folder = Path(tempfile.mkdtemp(prefix="hushmill-"))
    with interrupt_on_terminate():
        try:
            with progress_bar(Console(stderr=True)) as progress:
                rows = node_rows(plan, folder, progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    output.result({"bench": "node", "rows": rows}, human="\n".join(as_text(row) for row in rows))
