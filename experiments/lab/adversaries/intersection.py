"""Intersection: who was there every time that the target received something.

The attack is exact in what it rules out as long as no packet takes longer than the windows that it
is given. Spec: docs/spec/laboratory.md (Long-term adversaries).
"""

import math

import numpy as np

from experiments.lab.adversaries.counts import Counts
from experiments.lab.outcome import Quality
from experiments.lab.trace import Flags

QUALITY = Quality.EXACT


def lag_windows(mean_delay_windows: float, share_missed: float = 1e-6) -> int:
    """How many windows back a packet of an exponential delay may have been sent, but for
    `share_missed` of them; 0 without delay."""
    if mean_delay_windows <= 0:
        return 0
    return math.ceil(-mean_delay_windows * math.log(share_missed))


def remaining_after(counts: Counts, target: int, lag: int = 0) -> Flags:
    """[deliveries' windows, people]: who could still be the target's only correspondent.

    A row for each window in which the target received, in order: whoever sent something in each of
    these windows so far, or up to `lag` windows earlier.
    """
    there = counts.sent > 0
    for _ in range(min(lag, len(there) - 1)):
        there[1:] |= there[:-1].copy()
    hits = there[counts.received[:, target] > 0]
    return np.asarray(np.logical_and.accumulate(hits, axis=0), dtype=np.bool_)


def windows_received(counts: Counts, target: int) -> list[int]:
    """The places of the windows in which the target received something."""
    return [int(place) for place in np.flatnonzero(counts.received[:, target] > 0)]
