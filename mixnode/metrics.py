"""What a node shows to Prometheus: coarse, and the same for a quarter of an hour.

Spec: docs/spec/mixing.md (Metrics). Whoever can read metrics every few seconds could tell when
packets came. So values are taken once in a step, rounded as in `counters.py`, and nothing of the
process itself is in it: its CPU time and memory would tell what the steps hide. Pure.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from hushmill.errors import ExitCode, UserError

STEP_SECONDS = 900
METRICS_PATH = "/metrics"


@dataclass(frozen=True, slots=True)
class MetricValues:
    """At the beginning of a step. `counters` as `Counters.rounded` gives them; tenths are rounded
    down; `epoch` is the document's in force, None with none."""

    counters: Mapping[str, int]
    links_up: int
    links_wanted: int
    epoch: int | None
    held_tenths: int
    replay_tenths: int
    is_alarmed: bool  # the n-1 alarm


class SteppedMetrics:
    """Keeps one step's values until the next begins; none in the step in which it was made, since
    how much of that the process saw would tell when it began."""

    __slots__ = ("_step", "_values")

    def __init__(self, now: float) -> None:
        """Raises UserError where prometheus-client is not installed."""
        require_metrics_library()
        self._step = _step_of(now)
        self._values: MetricValues | None = None

    def look(self, now: float, take: Callable[[], MetricValues]) -> None:
        """Takes the values where a step has begun; to be called often."""
        step = _step_of(now)
        if step > self._step:
            self._step = step
            self._values = take()

    def page(self) -> bytes:
        """In Prometheus' text format; the same bytes all through a step."""
        library = require_metrics_library()
        registry = library.CollectorRegistry()
        registry.register(_Page(self._values))
        page: bytes = library.generate_latest(registry)
        return page


class _Family(Protocol):
    def add_metric(self, labels: list[str], value: float) -> None: ...


class _Page:
    """A collector of our own: the library's counters would add when each was made."""

    def __init__(self, values: MetricValues | None) -> None:
        self._values = values

    def collect(self) -> Iterator[_Family]:
        core = require_metrics_library().core
        counter, gauge = core.CounterMetricFamily, core.GaugeMetricFamily
        yield gauge("hushmill_mix_up", "The node runs.", value=1)
        values = self._values
        if values is None:
            return
        counters = values.counters
        yield counter("hushmill_mix_packets_relayed", "Packets sent on.", value=counters["relayed"])
        yield counter(
            "hushmill_mix_packets_delivered",
            "Packets that ended here, at a provider.",
            value=counters["delivered"],
        )
        loops = counter("hushmill_mix_loops", "The node's own loops.", labels=["state"])
        for state in ("sent", "returned", "lost"):
            loops.add_metric([state], counters[f"loops_{state}"])
        yield loops
        yield counter(
            "hushmill_mix_loop_alarms",
            "How often the n-1 alarm rose.",
            value=counters["loop_alarms"],
        )
        yield gauge("hushmill_mix_alarm", "1 on the n-1 alarm.", value=int(values.is_alarmed))
        drops = counter("hushmill_mix_drops", "What was dropped.", labels=["reason"])
        for name, count in sorted(counters.items()):
            if name.startswith("drop_"):
                drops.add_metric([name.removeprefix("drop_")], count)
        yield drops
        links = gauge("hushmill_mix_links", "Links to the next ring.", labels=["state"])
        links.add_metric(["up"], values.links_up)
        links.add_metric(["wanted"], values.links_wanted)
        yield links
        yield gauge(
            "hushmill_mix_held_ratio",
            "Held packets, of the memory for them; in tenths.",
            value=values.held_tenths / 10,
        )
        yield gauge(
            "hushmill_mix_replay_ratio",
            "Replay tags of the fullest key, of the room for them; in tenths.",
            value=values.replay_tenths / 10,
        )
        if values.epoch is not None:
            yield gauge("hushmill_mix_document_epoch", "Of the document.", value=values.epoch)


def _step_of(now: float) -> int:
    return int(now // STEP_SECONDS)


def require_metrics_library() -> ModuleType:
    """Only when metrics are wanted: it is an extra."""
    try:
        import prometheus_client
        import prometheus_client.core
    except ImportError as error:
        raise UserError(
            "metrics_listen is set in node.toml and prometheus-client is not installed. Install "
            "hushmill with its extra `metrics` (hushmill[metrics]), or leave the setting empty.",
            ExitCode.CONFIGURATION,
        ) from error
    return prometheus_client
