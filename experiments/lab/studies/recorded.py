"""The measures of what programs did, shared by the experiments `cores` and `rows`.

Their names are those of the experiment `tracing`, so that runs of both can be compared.
"""

import math

import numpy as np

from experiments.lab.metrics.journeys import journeys_of, mean_packets_held, rate_per_second
from experiments.lab.observer import Doubts, PacketDoubt, SenderDoubt, Window
from experiments.lab.outcome import Measure, Quality
from experiments.lab.trace import Trace

LATENCY_PERCENTILES = (50, 90, 99)


def measures_of(trace: Trace, window: Window, doubts: Doubts) -> dict[str, Measure]:
    """What the adversary was left in doubt about, and what the network did in `window`. A figure
    that needs the truth is left out where the recording does not hold it."""
    measures = {
        **_of_packets(doubts.packet),
        **_of_senders(doubts.sender, trace.people),
        **_of_network(trace, window),
    }
    # No packet traced, or no delivery with a sender: a mean over nothing says nothing.
    return {name: measure for name, measure in measures.items() if math.isfinite(measure.value)}


def _of_packets(packet: PacketDoubt) -> dict[str, Measure]:
    figures = {
        "entropy_bits": (packet.entropy_bits, "bits"),
        "effective_set_size": (packet.effective_set_size, "packets"),
        "min_entropy_bits": (packet.min_entropy_bits, "bits"),
        "collision_entropy_bits": (packet.collision_entropy_bits, "bits"),
        "best_guess_probability": (packet.best_guess_probability, "probability"),
        "best_guess_right": (packet.best_guess_right, "share"),
        "truth_probability": (packet.truth_probability, "probability"),
        "surprise_bits": (packet.surprise_bits, "bits"),
        "mass": (packet.mass, "probability"),
    }
    measures = {
        name: Measure(value, unit, packet.quality)
        for name, (value, unit) in figures.items()
        if value is not None
    }
    measures["packets_traced"] = Measure(float(packet.packets), "packets", Quality.EXACT)
    return measures


def _of_senders(sender: SenderDoubt, people: int) -> dict[str, Measure]:
    return {
        "sender_entropy_bits": Measure(sender.entropy_bits, "bits", sender.quality),
        "sender_max_bits": Measure(float(np.log2(max(people, 1))), "bits", Quality.EXACT),
        "deliveries": Measure(float(sender.packets), "packets", Quality.EXACT),
    }


def _of_network(trace: Trace, window: Window) -> dict[str, Measure]:
    if window.last <= window.first:
        return {}
    held = mean_packets_held(trace, window.first, window.last)
    rate = rate_per_second(trace, window.first, window.last)
    measures = {
        "rate_per_second": Measure(rate, "/s", Quality.EXACT),
        "packets_held_mean": Measure(float(held[held > 0].mean()), "packets", Quality.EXACT)
        if (held > 0).any()
        else Measure(0.0, "packets", Quality.EXACT),
    }
    journeys = journeys_of(trace)
    is_inside = (journeys.sent >= window.first) & (journeys.sent <= window.last)
    latency = journeys.latency_seconds[is_inside]
    latency = latency[~np.isnan(latency)]
    if len(latency):
        measures["latency_mean_seconds"] = Measure(float(latency.mean()), "s", Quality.EXACT)
        for percent in LATENCY_PERCENTILES:
            value = float(np.percentile(latency, percent))
            measures[f"latency_p{percent}_seconds"] = Measure(value, "s", Quality.EXACT)
    return measures
