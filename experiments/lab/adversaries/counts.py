"""What the long-term adversaries read of an observation: packets by person and window.

Spec: docs/spec/laboratory.md (Long-term adversaries).
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.trace import Event, Floats, Observation

LAGS_MAX = 100_000  # windows that a packet's delay is followed over
LONG_DELAYS = 1e4  # mean delays in which every packet is out, to a double's last bit


@dataclass(frozen=True, slots=True)
class Counts:
    """Packets in each of W windows.

    sent      [W, people] that the person put on their link
    received  [W, people] that came to the person
    """

    sent: Floats
    received: Floats

    def first(self, windows: int) -> "Counts":
        """The first `windows` windows."""
        return Counts(self.sent[:windows], self.received[:windows])


def counted(seen: Observation, ends: Floats) -> Counts:
    """Counts by window; window k holds what happens after ends[k-1] and up to ends[k].

    `ends` [W] rises, and may be empty. What has no label or comes after the last end is left out.
    """
    return Counts(_counts_of(seen, ends, Event.SEND), _counts_of(seen, ends, Event.DELIVER))


def _counts_of(seen: Observation, ends: Floats, event: Event) -> Floats:
    if len(ends) == 0:
        return np.zeros((0, seen.people))
    rows = np.flatnonzero((seen.kind == event) & (seen.label >= 0) & (seen.time <= ends[-1]))
    window = np.searchsorted(ends, seen.time[rows], side="left")
    flat = np.bincount(window * seen.people + seen.label[rows], minlength=len(ends) * seen.people)
    return flat.reshape(len(ends), seen.people).astype(np.float64)


def flush_times(seen: Observation) -> Floats:
    """The moments at which a mix that works in batches let packets go: windows that fit it."""
    return np.unique(seen.time[seen.kind == Event.DEPART])


def even_windows(start: float, stop: float, seconds: float) -> Floats:
    """The ends of the whole windows of `seconds` between `start` and `stop`.

    Window 0 of `counted` also takes what happened before `start`.
    """
    count = math.floor((stop - start) / seconds + 1e-9)
    return np.asarray(start + seconds * np.arange(1, count + 1), dtype=np.float64)


def lagged(sent: Floats, lags: Floats) -> Floats:
    """[W, people]: how many of the packets sent are expected to come out in each window.

    `lags[k]` is the share of a window's packets that come out k windows later.
    """
    expected = np.zeros_like(sent)
    for lag, share in enumerate(lags[: len(sent)]):
        expected[lag:] += share * sent[: len(sent) - lag]
    return expected


def pool_lags(arrivals: float, kept: float) -> Floats:
    """`lags` of a pool mix that keeps `kept` of `arrivals` + `kept` packets at each flush: every
    packet inside leaves with the same chance."""
    leaves = arrivals / (arrivals + kept)
    if leaves >= 1.0:
        return np.ones(1)
    length = math.ceil(math.log(1e-6) / math.log1p(-leaves))
    return np.asarray(leaves * (1.0 - leaves) ** np.arange(length), dtype=np.float64)


def exponential_lags(window_seconds: float, mean_delay_seconds: float, hops: int = 1) -> Floats:
    """`lags` of `hops` exponential delays for packets sent evenly over a window; they add up to 1
    but for 1e-6."""
    shares: list[float] = []
    before = total = 0.0
    while total < 1.0 - 1e-6 and len(shares) < LAGS_MAX:
        edge = (len(shares) + 1) * window_seconds
        area = edge * erlang_share(edge, mean_delay_seconds, hops)
        area -= hops * mean_delay_seconds * erlang_share(edge, mean_delay_seconds, hops + 1)
        out = (area - before) / window_seconds
        shares.append(out - total)
        total += shares[-1]
        before = area
    return np.array(shares)


def erlang_share(seconds: float, mean_delay_seconds: float, hops: int) -> float:
    """The chance that `hops` exponential delays add up to at most `seconds`."""
    if seconds >= LONG_DELAYS * mean_delay_seconds:
        return 1.0
    ratio = seconds / mean_delay_seconds
    if ratio == 0.0:
        return 0.0
    terms = [k * math.log(ratio) - ratio - math.lgamma(k + 1) for k in range(hops)]
    return max(0.0, 1.0 - sum(math.exp(term) for term in terms))
