"""One small network as each source of traces runs it, and the figures by which they are compared.

Three layers of two mixes, 0.2 s a mix, two people who send 44 packets a second together.
"""

from functools import lru_cache

import numpy as np

from experiments.lab.metrics.journeys import journeys_of, mean_packets_held, rate_per_second
from experiments.lab.model import NetworkParameters
from experiments.lab.observer import Window, doubts_of
from experiments.lab.sources import event, vector
from experiments.lab.sources.cores import CoresParameters, CoresRun, run_cores
from experiments.lab.sources.event_model import EventParameters, Span
from experiments.lab.trace import Trace

SECONDS = 10.0
CLIENT_RATES = (20.0, 1.0, 1.0)
MEAN_DELAY_SECONDS = 0.2
# A link's latency under the cores; and since they send at ticks of 5 ms, a packet is late by half a
# tick at each of three mixes, in the mean.
LINK_SECONDS = 0.001 + 3 * 0.0025 / 4
CORES = CoresParameters(
    clients=2,
    mixes_a_layer=2,
    layers=3,
    mean_delay_seconds=MEAN_DELAY_SECONDS,
    payload_rate=CLIENT_RATES[0],
    loop_rate=CLIENT_RATES[1],
    drop_rate=CLIENT_RATES[2],
    mix_loop_rate=0.0,
    seconds=SECONDS,
)
_SHARED = {
    "layers": 3,
    "width": 2,
    "users": 2,
    "rate_per_second": 2 * sum(CLIENT_RATES),
    "mean_delay_seconds": MEAN_DELAY_SECONDS,
    "link_seconds": LINK_SECONDS,
}
VECTOR = NetworkParameters(**_SHARED)  # type: ignore[arg-type]
EVENT = EventParameters(**_SHARED)  # type: ignore[arg-type]


@lru_cache
def cores_run(seed: int) -> CoresRun:
    """The shipped cores; once a process for each seed."""
    return run_cores(CORES, np.random.SeedSequence(seed))


def cores_figures(seed: int) -> dict[str, float]:
    run = cores_run(seed)
    return figures(run.trace, Window(run.first, run.last))


def vector_figures(seed: int, network: NetworkParameters = VECTOR) -> dict[str, float]:
    settling = vector.settling_seconds(network)
    messages = round(network.rate_per_second * (SECONDS + 3 * settling))
    flows = vector.simulate(network, messages, np.random.default_rng(seed))
    return figures(vector.trace_of(flows), Window(settling, settling + SECONDS))


def event_figures(seed: int) -> dict[str, float]:
    settling = vector.settling_seconds(VECTOR)
    span = Span(settling, SECONDS, settling)
    done = event.simulate(EVENT, span, np.random.SeedSequence(seed))
    return figures(done.trace, Window(settling, settling + SECONDS))


def figures(trace: Trace, window: Window) -> dict[str, float]:
    """What must agree between sources that run the same network."""
    doubts = doubts_of(trace, window, targets=trace.messages, deliveries=window)
    journeys = journeys_of(trace)
    is_inside = (journeys.sent >= window.first) & (journeys.sent < window.last)
    latency = journeys.latency_seconds[is_inside]
    latency = latency[~np.isnan(latency)]
    held = mean_packets_held(trace, window.first, window.last)
    packet = doubts.packet
    assert packet.truth_probability is not None
    assert packet.best_guess_right is not None
    assert packet.surprise_bits is not None
    return {
        "rate_per_second": rate_per_second(trace, window.first, window.last),
        "entropy_bits": packet.entropy_bits,
        "min_entropy_bits": packet.min_entropy_bits,
        "surprise_bits": packet.surprise_bits,
        "truth_probability": packet.truth_probability,
        "best_guess_right": packet.best_guess_right,
        "sender_entropy_bits": doubts.sender.entropy_bits,
        "latency_mean_seconds": float(latency.mean()),
        "latency_sd_seconds": float(latency.std()),
        "latency_p90_seconds": float(np.percentile(latency, 90)),
        "packets_held": float(held.sum()),
    }
