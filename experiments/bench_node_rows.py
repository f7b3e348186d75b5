"""The rows of `hushmill bench node`, for machines and for people."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from experiments.bench_node_search import Bench, Breaking
from experiments.bench_node_trial import LATE_SECONDS, Outcome
from hushmill.errors import UsageError

ADDED_LIMIT_MS = 20.0  # of p99, at 70 % of the breaking load
RATIO_LIMITS: Mapping[str, float] = {"xwing": 2.4}  # wall time on one core, over the floor
UNDISTURBED = 0.9  # of its core, which a node alone on it takes all of when it has too much to do
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Measured:
    """`calm` are trials of one load well below what breaks the node."""

    breaking: Breaking
    calm: tuple[Outcome, ...]

    def added(self, percent: float) -> list[float]:
        """A percentile of each calm trial, in ms, in rising order."""
        return sorted(outcome.added(percent) for outcome in self.calm)


def node_row(bench: Bench, measured: Measured, *, is_quick: bool) -> Row:
    """One row, `what` "node". Shares are of packets; `generator_cpu` and `sink_cpu` of a core."""
    held = measured.breaking.held
    limit_us = held.floor_us
    per_second = held.offered_per_second * (1 - held.failed)
    us = 1e6 / per_second if per_second else float("inf")
    p99 = measured.added(99)
    row: Row = {
        "what": "node",
        "suite": bench.network.parameters.suite,
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
        "broke_at_per_second": measured.breaking.broke_at,
        "sent": held.sent,
        "received": held.received,
        "lost": held.lost,
        "repeated": held.repeated,
        "refused_at_link": held.refused_at_link,
        "seconds": round(held.seconds, 2),
        "added_load_per_second": round(measured.calm[0].offered_per_second),
        "added_p50_ms": round(statistics.median(measured.added(50)), 2),
        "added_p99_ms": round(statistics.median(p99), 2),
        "added_p99_spread_ms": [round(p99[0], 2), round(p99[-1], 2)],
        "limit_added_p99_ms": ADDED_LIMIT_MS,
        "drops": measured.calm[0].drops,
        "node_cpu": round(held.node_cpu, 3),
        "generator_cpu": round(held.generator_cpu, 3),
        "sink_cpu": round(held.sink_cpu, 3),
        "generator_behind_ms": held.behind_ms,
        "rss_mib": round(held.rss_bytes / 2**20, 1),
        "quick": is_quick,
        **_overload(measured.breaking.overload),
    }
    if len(bench.cores.node) == 1 and row["suite"] in RATIO_LIMITS:
        row["limit_ratio"] = RATIO_LIMITS[str(row["suite"])]
    return row


def _overload(outcome: Outcome) -> Row:
    return {
        "overload_per_second": round(outcome.offered_per_second),
        "overload_served_per_second": round(outcome.served_per_second),
        "overload_loss": round(outcome.loss, 5),
        "overload_drops": outcome.drops,
        "overload_node_cpu": round(outcome.node_cpu, 3),
    }


def as_text(row: Row) -> str:
    """A row for people."""
    match row["what"]:
        case "node":
            return "\n".join(_node_lines(row))
        case "held":
            return (
                f"{row['suite']}: a held packet takes {row['bytes_per_held_packet']} bytes, of "
                f"which {row['packet_bytes']} are its own ({row['held_packets']} were held)"
            )
        case "unwrap_stage":
            least = f" (at least {row['limit_speedup']})" if "limit_speedup" in row else ""
            return (
                f"{row['suite']}: {row['workers']} unwrap worker(s) alone open "
                f"{row['packets_per_second']} packets/s, {row['speedup']} times one{least}"
            )
        case other:
            raise UsageError(f"no row is called {other}")


def _node_lines(row: Row) -> list[str]:
    ratio = f" (at most {row['limit_ratio']})" if "limit_ratio" in row else ""
    shown = {key: f"{float(str(row[key])):.2%}" for key in ("loss", "late", "overload_loss")}
    late = f"{shown['late']} later than {LATE_SECONDS * 1000:g} ms"
    broke = row["broke_at_per_second"]
    lines = [
        f"{row['suite']}, {row['cores']} core(s), {row['workers']} unwrap worker(s)",
        f"  carried        {row['packets_per_second']} packets/s, {shown['loss']} lost, {late}",
        f"  a packet       {row['us_per_packet']} µs, {row['ratio']} times the public-key floor "
        f"of {row['limit_us']} µs{ratio}",
        f"  its CPU        {row['cpu_us_per_packet']} µs of the node, {row['cpu_ratio']} times",
        f"  added latency  p50 {row['added_p50_ms']} ms, p99 {row['added_p99_ms']} ms "
        f"{row['added_p99_spread_ms']} (at most {row['limit_added_p99_ms']}) at "
        f"{row['added_load_per_second']}/s, where it dropped {row['drops'] or 'nothing'} *",
        f"  memory         {row['rss_mib']} MiB",
        f"  shares         node {row['node_cpu']}, generator {row['generator_cpu']} and sink "
        f"{row['sink_cpu']} of a core; the generator was at most "
        f"{row['generator_behind_ms']} ms behind",
    ]
    if row["quick"]:
        return [*lines, "  one low load: what the node can carry was not looked for"]
    if row["cores"] == 1 and float(str(row["overload_node_cpu"])) < UNDISTURBED:
        lines.append(
            f"  NOT ALONE      under overload the node got {row['overload_node_cpu']} of its core: "
            "something else runs here, and this node carries more than this says"
        )
    return [
        *lines,
        f"  broke at       {broke}/s; offered {row['overload_per_second']}/s it relayed "
        f"{row['overload_served_per_second']}/s, lost {shown['overload_loss']} and dropped "
        f"{row['overload_drops'] or 'nothing'} *",
        "  * by its own count, which is rounded down to steps of 50",
    ]
