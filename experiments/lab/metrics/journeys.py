"""What a trace says of its messages and mixes to one who knows the truth: latency, and load.

These are figures of the network, not of an adversary: sources are compared by them.
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.trace import Event, Floats, Ints, Trace


@dataclass(frozen=True, slots=True)
class Journeys:
    """When each of M messages was sent and delivered, in seconds of the trace; NaN where it was
    not, or not within the trace."""

    sent: Floats
    delivered: Floats

    @property
    def latency_seconds(self) -> Floats:
        """[M], NaN where an end is missing."""
        return self.delivered - self.sent


def journeys_of(trace: Trace) -> Journeys:
    """The journeys of all messages, [M] each."""
    return Journeys(_times(trace, Event.SEND), _times(trace, Event.DELIVER))


def _times(trace: Trace, event: Event) -> Floats:
    times = np.full(trace.messages, np.nan)
    is_it = trace.kind == event
    times[trace.message[is_it]] = trace.time[is_it]
    return times


def mean_packets_held(trace: Trace, first: float, last: float) -> Floats:
    """[mixes] how many packets each mix held, in the mean over the time from `first` to `last`.

    What a mix lost in a restart counts to the end: give a window of a network that runs.
    """
    held = np.zeros(trace.mixes)
    for event, sign in ((Event.ARRIVE, 1.0), (Event.DEPART, -1.0)):
        is_it = trace.kind == event
        # An arrival counts for the rest of the window; a departure takes its rest off again.
        rest = last - np.clip(trace.time[is_it], first, last)
        held += sign * np.bincount(trace.mix[is_it], weights=rest, minlength=trace.mixes)
    return held / (last - first)


def rate_per_second(trace: Trace, first: float, last: float) -> float:
    """Packets that people sent a second, between `first` and `last`."""
    sent: Ints = np.flatnonzero(trace.kind == Event.SEND).astype(np.int32)
    times = trace.time[sent]
    return float(np.count_nonzero((times >= first) & (times < last)) / (last - first))
