"""The order of cause: all events of many messages, sorted by time.

Times of a long run lie evenly, so each event is put into one of as many buckets as there are
events, and the few in a bucket are sorted where they are. That takes a sixth of the time of a
general sort, which is still there for times that do not lie evenly.
"""

import numpy as np

from experiments.lab.compiled import kernel
from experiments.lab.trace import Bytes, Floats, Ints

CROWD = 64  # in one bucket: then a general sort is faster

Columns = tuple[Floats, Bytes, Ints, Ints, Ints, Ints]


def ordered(
    sent: Floats,
    arrived: Floats,
    departed: Floats,
    delivered: Floats,
    mixes: Ints,
    senders: Ints,
    receivers: Ints,
) -> Columns:
    """The columns `time, kind, mix, layer, message, label` of a Trace.

    `sent` and `delivered` are [N], `arrived`, `departed` and `mixes` [L, N]. At one instant the
    events of one message keep their order, and messages stand in theirs.
    """
    layers, messages = mixes.shape
    steps = 2 * layers + 2
    events = messages * steps
    start, span = float(sent.min()), float(delivered.max() - sent.min())
    scale = (events - 1) / span if span > 0 else 0.0
    ends = _bucket_ends(sent, arrived, departed, delivered, start, scale, events)
    if int(np.diff(ends).max(initial=0)) > CROWD:
        times = np.empty((messages, steps))
        times[:, 0], times[:, -1] = sent, delivered
        times[:, 1:-1:2], times[:, 2:-1:2] = arrived.T, departed.T
        order = np.argsort(times.reshape(-1), kind="stable")
        time = times.reshape(-1)[order]
        message = (order // steps).astype(np.int32)
        step = (order % steps).astype(np.uint8)
    else:
        time, message, step = _into_buckets(
            sent, arrived, departed, delivered, start, scale, ends, events
        )
        _sort_neighbours(time, message, step)
    kind, mix, layer, label = _described(message, step, mixes, senders, receivers)
    return time, kind, mix, layer, message, label


@kernel
def _bucket_ends(
    sent: Floats,
    arrived: Floats,
    departed: Floats,
    delivered: Floats,
    start: float,
    scale: float,
    buckets: int,
) -> Ints:
    """[buckets + 1] how many events lie in the buckets before each."""
    ends = np.zeros(buckets + 1, dtype=np.int32)
    layers, messages = arrived.shape
    for which in range(messages):
        ends[int((sent[which] - start) * scale) + 1] += 1
        for layer in range(layers):
            ends[int((arrived[layer, which] - start) * scale) + 1] += 1
            ends[int((departed[layer, which] - start) * scale) + 1] += 1
        ends[int((delivered[which] - start) * scale) + 1] += 1
    for bucket in range(buckets):
        ends[bucket + 1] += ends[bucket]
    return ends


@kernel
def _into_buckets(
    sent: Floats,
    arrived: Floats,
    departed: Floats,
    delivered: Floats,
    start: float,
    scale: float,
    ends: Ints,
    events: int,
) -> tuple[Floats, Ints, Bytes]:
    """Time, message and step (0 sent, 1 the first arrival, 2 the first departure …) of every event,
    bucket by bucket; `ends` is used up."""
    time = np.empty(events, dtype=np.float64)
    message = np.empty(events, dtype=np.int32)
    step = np.empty(events, dtype=np.uint8)
    layers, messages = arrived.shape
    steps = 2 * layers + 2
    for which in range(messages):
        for number in range(steps):
            if number == 0:
                at = sent[which]
            elif number == steps - 1:
                at = delivered[which]
            elif number % 2 == 1:
                at = arrived[(number - 1) // 2, which]
            else:
                at = departed[(number - 1) // 2, which]
            bucket = int((at - start) * scale)
            place = ends[bucket]
            ends[bucket] = place + 1
            time[place] = at
            message[place] = which
            step[place] = number
    return time, message, step


@kernel
def _sort_neighbours(time: Floats, message: Ints, step: Bytes) -> None:
    """Sorts by insertion, which keeps the order of equals. No event is far from its place."""
    for event in range(1, len(time)):
        at = time[event]
        if time[event - 1] <= at:
            continue
        which, number = message[event], step[event]
        place = event
        while place > 0 and time[place - 1] > at:
            time[place] = time[place - 1]
            message[place] = message[place - 1]
            step[place] = step[place - 1]
            place -= 1
        time[place] = at
        message[place] = which
        step[place] = number


@kernel
def _described(
    message: Ints, step: Bytes, mixes: Ints, senders: Ints, receivers: Ints
) -> tuple[Bytes, Ints, Ints, Ints]:
    """Kind, mix, layer and label of every event."""
    events = len(message)
    last = 2 * mixes.shape[0] + 1
    kind = np.empty(events, dtype=np.uint8)
    mix = np.empty(events, dtype=np.int32)
    layer = np.empty(events, dtype=np.int32)
    label = np.empty(events, dtype=np.int32)
    for event in range(events):
        which, number = message[event], step[event]
        if number == 0 or number == last:
            kind[event] = 0 if number == 0 else 3  # SEND, DELIVER
            mix[event] = -1
            layer[event] = -1
            label[event] = senders[which] if number == 0 else receivers[which]
        else:
            kind[event] = 1 if number % 2 == 1 else 2  # ARRIVE, DEPART
            layer[event] = (number - 1) // 2
            mix[event] = mixes[layer[event], which]
            label[event] = -1
    return kind, mix, layer, label
