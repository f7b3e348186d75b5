"""The shipped mix core as a timed pool beside the laboratory's own, on the very same arrivals."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from experiments.lab.adversaries.tracing import TargetScores, trace_targets
from experiments.lab.sources.cause import cause_fault
from experiments.lab.sources.event import Simulation, simulate
from experiments.lab.sources.event_model import EventParameters, Span
from experiments.lab.sources.strategies import Strategy
from experiments.lab.trace import Event, Trace, observe
from hushmill.identifiers import ReplayTag
from hushmill.packet import Forward, Packet, Unwrapped
from mixnode import Arrived, SendPacket
from pki import pool_packet_entropy_bits
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network, run

# A packet that comes within a tick of a round is not synced in time and waits for the next: half a
# tick of 5 ms later in the mean for each, and 1 % of an interval that does not count.
INTERVAL, KEPT, RATE = 1.0, 6, 15.0
SPAN = Span(16.0, 32.0, 16.0)
REPLICATES = 8
MIX = LAYERS[0][0]


def lab_run(number: int) -> Simulation:
    parameters = EventParameters(
        layers=1,
        width=1,
        strategy=Strategy.TIMED_POOL,
        period_seconds=INTERVAL,
        kept=KEPT,
        rate_per_second=RATE,
    )
    return simulate(parameters, SPAN, np.random.SeedSequence((5, number)))


def departures_of_core(network: Network, trace: Trace) -> dict[int, float]:
    """When the shipped core lets each message go, if it comes to it as it did in `trace`."""
    pooling = msgspec.structs.replace(
        PARAMETERS,
        mixing="timed_pool",
        pool_interval_seconds=INTERVAL,
        pool_packets=KEPT,
        mix_loop_rate=0.03,
    )
    core = network.core(MIX, pooling)
    left: dict[int, float] = {}

    def advance(until: float) -> None:
        for at, effect in run(core, until):
            if isinstance(effect, SendPacket) and effect.kind == "relay":
                left[int.from_bytes(effect.packet.raw, "big")] = at - START

    for event in np.flatnonzero(trace.kind == Event.ARRIVE):
        now, message = START + float(trace.time[event]), int(trace.message[event])
        advance(now)
        raw = message.to_bytes(16, "big")
        onward = Forward(LAYERS[1][0], 0.1, Packet(raw))
        core.receive(Arrived(PROVIDERS[message % 2], Unwrapped(ReplayTag(raw), EPOCH, onward)), now)
    advance(START + SPAN.end_seconds)
    return left


def with_departures(trace: Trace, left: dict[int, float]) -> Trace:
    """The same arrivals, and the core's departures, each of which ends at once."""
    rows = [
        (float(trace.time[at]), int(trace.kind[at]), at)
        for at in np.flatnonzero((trace.kind == Event.SEND) | (trace.kind == Event.ARRIVE))
    ]
    ends = np.flatnonzero(trace.kind == Event.DELIVER)
    label = dict(zip(trace.message[ends].tolist(), trace.label[ends].tolist(), strict=True))
    columns = [
        (time, kind, int(trace.mix[at]), int(trace.message[at]), int(trace.label[at]))
        for time, kind, at in rows
    ]
    for message, moment in left.items():
        columns.append((moment, int(Event.DEPART), 0, message, -1))
        columns.append((moment, int(Event.DELIVER), -1, message, label.get(message, 0)))
    columns.sort(key=lambda row: row[0])  # stable: a departure stands before its delivery
    times, kinds, mix, messages, labels = zip(*columns, strict=True)
    return replace(
        trace,
        time=np.array(times, dtype=trace.time.dtype),
        kind=np.array(kinds, dtype=trace.kind.dtype),
        mix=np.array(mix, dtype=trace.mix.dtype),
        layer=np.array(mix, dtype=trace.layer.dtype),
        message=np.array(messages, dtype=trace.message.dtype),
        label=np.array(labels, dtype=trace.label.dtype),
    )


def traced(trace: Trace, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> TargetScores:
    observation, ends = observe(trace)
    found = trace_targets(observation, ends.sent[chosen], ends.delivered[chosen])
    assert found.mass.min() > 1 - 1e-6
    return found


def waits(trace: Trace, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    came, went = np.full((2, trace.messages), np.nan)
    for times, kind in ((came, Event.ARRIVE), (went, Event.DEPART)):
        at = trace.kind == kind
        times[trace.message[at]] = trace.time[at]
    return float(np.mean((went - came)[chosen]))


def test_the_shipped_pool_hides_and_delays_as_the_laboratorys_does() -> None:
    """Mean entropy, surprise, min-entropy and wait of the same packets, in eight replicates; and
    the surprise at the truth is the entropy: who stays is as uniform as the observer takes it to
    be. The figure that `status` shows is below both."""
    network = Network("pool core")
    figures: dict[str, list[float]] = {"entropy": [], "surprise": [], "min": [], "wait": []}
    calibration, shipped = [], []
    for number in range(REPLICATES):
        lab = lab_run(number)
        core = with_departures(lab.trace, departures_of_core(network, lab.trace))
        assert cause_fault(core) is None
        middle = np.flatnonzero(lab.payload_between(16.0, 48.0))[::4]
        theirs, ours = traced(lab.trace, middle), traced(core, middle)
        surprise = [float(np.mean(-np.log2(each.truth_probability))) for each in (ours, theirs)]
        figures["entropy"].append(float(ours.entropy_bits.mean() - theirs.entropy_bits.mean()))
        figures["surprise"].append(surprise[0] - surprise[1])
        figures["min"].append(float(ours.min_entropy_bits.mean() - theirs.min_entropy_bits.mean()))
        figures["wait"].append(waits(core, middle) - waits(lab.trace, middle))
        calibration.append(surprise[0] - float(ours.entropy_bits.mean()))
        shipped.append(float(ours.entropy_bits.mean()))
    spans = {"entropy": 0.06, "surprise": 0.2, "min": 0.06, "wait": 0.05}
    for name, values in {**figures, "calibration": calibration}.items():
        error = float(np.std(values, ddof=1)) / math.sqrt(REPLICATES)
        late = 0.0025 if name == "wait" else 0.0  # half a tick
        assert abs(float(np.mean(values)) - late) < 4.5 * error, name
        assert error < spans.get(name, 0.2), name  # so that the comparison can fail
    assert np.mean(shipped) > pool_packet_entropy_bits(RATE * INTERVAL, KEPT)
    assert np.mean(shipped) == pytest.approx(
        pool_packet_entropy_bits(RATE * INTERVAL, KEPT), abs=0.15
    )
