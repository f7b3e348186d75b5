"""What an observer of every link of a local network could tell: the demo's last figures.

The laboratory's adversary computes them from the rows of that very run; nothing here knows how.
Spec: docs/spec/observer.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.lab.intervals import Interval
from experiments.lab.observer import PacketDoubt, doubts_of, one_a_layer, window_between
from experiments.lab.outcome import Quality
from experiments.lab.sources.rows import Reading, by_client, trace_of_rows
from experiments.trace import Row

CORRUPT_A_LAYER = 1


@dataclass(frozen=True, slots=True)
class CorruptReport:
    """The same figures for an observer whom so many mixes of each layer tell what they did."""

    mixes_a_layer: int
    sender_entropy_bits: float
    packet: PacketDoubt


@dataclass(frozen=True, slots=True)
class ObserverReport:
    """Who sent a packet that ended at a provider: `sender_entropy_bits` is the mean over
    `replicates` packets, with an interval for it, and `max_bits` the log of the number of senders,
    all that there is to hide. Which packet of all was a sent one: `packet`."""

    sender_entropy_bits: float
    max_bits: float
    replicates: int
    interval: Interval | None
    quality: Quality
    packet: PacketDoubt
    corrupt: CorruptReport


def report(
    rows: Sequence[Row],
    layers: Mapping[int, int],
    senders: int,
    sender_of: Callable[[Row], int] = by_client,
    settling_seconds: float = 0.0,
) -> ObserverReport:
    """The observer's report on one run; with nothing delivered there is nothing hidden: 0 bits.

    `layers` [node number] is each mix's layer from 0, `sender_of` gives the place from 0 of the
    client from whom an entry came, and packets are traced that were sent at least
    `settling_seconds` away from the first packet and from the end.
    """
    reading = Reading(layers=layers, people=senders, sender_of=sender_of)
    trace = trace_of_rows(rows, reading)
    window = window_between(trace, settling_seconds)
    passive = doubts_of(trace, window)
    helped = doubts_of(trace, window, one_a_layer(trace, CORRUPT_A_LAYER))
    return ObserverReport(
        sender_entropy_bits=passive.sender.entropy_bits,
        max_bits=float(np.log2(max(senders, 1))),
        replicates=passive.sender.packets,
        interval=passive.sender.interval,
        quality=passive.sender.quality,
        packet=passive.packet,
        corrupt=CorruptReport(CORRUPT_A_LAYER, helped.sender.entropy_bits, helped.packet),
    )
