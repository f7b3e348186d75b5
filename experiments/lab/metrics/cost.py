"""What anonymity costs: time, and packets on links. Spec: docs/spec/laboratory.md (Metrics)."""

from dataclasses import dataclass

import numpy as np

from experiments.lab.trace import Event, Floats, Genre, Trace
from hushmill.errors import UsageError


@dataclass(frozen=True, slots=True)
class Latency:
    """From sending to delivery, in seconds."""

    mean: float
    p50: float
    p90: float
    p99: float


def latency_of(seconds: Floats) -> Latency:
    """The distribution of `seconds`, without those of messages that did not arrive (NaN). Raises
    UsageError if none did."""
    arrived = seconds[~np.isnan(seconds)]
    if not len(arrived):
        raise UsageError("nothing was delivered, so it took no time")
    half, most, nearly_all = np.quantile(arrived, (0.5, 0.9, 0.99))
    return Latency(float(arrived.mean()), float(half), float(most), float(nearly_all))


def link_packets_per_payload(trace: Trace) -> float:
    """Packets put on links, of every kind, for each payload message: 1 would be a message that goes
    straight to its receiver, with no cover. Raises UsageError for a trace without payload."""
    payload = int(np.count_nonzero(trace.genre == Genre.PAYLOAD))
    if not payload:
        raise UsageError("a trace without payload has no cost for each payload message")
    put = np.isin(trace.kind, (Event.SEND, Event.DEPART, Event.LOOP_SEND))
    return int(np.count_nonzero(put)) / payload
