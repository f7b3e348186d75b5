"""The entropy of every packet of one mix, by one pass from the last event to the first.

Let h be the entropy of which departure a packet that is inside will be. Going back over a departure
from n inside, h becomes h₂(1/n) + (1 − 1/n)·h: whether it was this one, and if not, which later
one. At an arrival h is that packet's entropy. It is the same figure that `trace_targets` finds for
one packet at a time, for all packets in the time of one.
"""

import math

import numpy as np

from experiments.lab.compiled import kernel
from experiments.lab.trace import Bytes, Event, Floats, Observation


def mix_entropy(observation: Observation, mix: int) -> Floats:
    """[arrivals] the entropy in bits of where each packet that came into `mix` left it, in order.

    Exact where every packet inside is as likely to leave as another. A corrupt mix tells, so there
    it is 0, as it is for what is lost in a restart.
    """
    here = np.flatnonzero(observation.mix == mix)
    kind = observation.kind[here]
    is_told = kind == Event.DEPART
    is_told &= observation.origin[here] >= 0
    if is_told.any():
        return np.zeros(int(np.count_nonzero(kind == Event.ARRIVE)))
    return _backward(kind)


@kernel
def _backward(kind: Bytes) -> Floats:
    """The events of one mix: 1 arrivals, 2 departures, 7 restarts."""
    events = len(kind)
    size = np.zeros(events, dtype=np.int32)
    inside, most, arrivals = 0, 1, 0
    for event in range(events):
        size[event] = inside
        if kind[event] == 1:
            inside += 1
            arrivals += 1
            most = max(most, inside)
        elif kind[event] == 2:
            inside = max(inside - 1, 0)
        elif kind[event] == 7:
            inside = 0
    coin = np.zeros(most + 1)
    for number in range(2, most + 1):
        share = 1.0 / number
        coin[number] = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    found = np.empty(arrivals, dtype=np.float64)
    bits = 0.0
    for back in range(events):
        event = events - 1 - back
        if kind[event] == 2:
            number = size[event]
            bits = coin[number] + (1.0 - 1.0 / number) * bits if number > 0 else bits
        elif kind[event] == 1:
            arrivals -= 1
            found[arrivals] = bits
        elif kind[event] == 7:
            bits = 0.0
    return found
