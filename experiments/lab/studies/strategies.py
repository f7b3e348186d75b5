"""Experiment `strategies`: what each mixing strategy gives and costs, at equal mean delay.

With `batch` and `period_seconds` left at 0 they are derived, so that batching stands beside Poisson
at the same mean latency. The adversary is the one who sees every link
(`adversaries/tracing.py`). Spec: docs/spec/laboratory.md (Mixing strategies).
"""

from typing import Annotated

import numpy as np

from experiments.lab.adversaries.tracing import TargetScores, trace_targets
from experiments.lab.model import LAYERED, DelayLaw, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.event import Simulation, simulate
from experiments.lab.sources.event_loop import INDEPENDENT, Ending
from experiments.lab.sources.event_model import (
    EventParameters,
    Span,
    delay_model,
    rule_of,
    settling_seconds_of,
)
from experiments.lab.trace import Event, Flags, Floats, Genre, observe

WHOLE_MASS = 1.0 - 1e-6  # of a target's posterior, below which it is not called exact
DELAYS_TO_STALL = 10.0  # mean delays a hop, as in the product's longest delay


class StrategiesParameters(EventParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    span_seconds: Annotated[float, described("How long is measured, in steady state.", gt=0)] = 20.0
    settle_seconds: Annotated[
        float,
        described("Warming up before it, and time to arrive after it. 0: as long as needed.", ge=0),
    ] = 0.0
    stall_seconds: Annotated[
        float,
        described("A packet under way for longer stalls. 0: ten mean delays a hop.", ge=0),
    ] = 0.0
    targets: Annotated[
        int, described("Packets that are traced, evenly spaced.", ge=1, le=1_000_000)
    ] = 200


def run(parameters: StrategiesParameters, seed: np.random.SeedSequence) -> Outcome:
    settle = parameters.settle_seconds or settling_seconds_of(parameters)
    span = Span(settle, parameters.span_seconds, settle)
    simulation = simulate(parameters, span, seed)
    payload = simulation.payload_between(settle, settle + parameters.span_seconds)
    measures = _costs(parameters, simulation, span, payload)
    delivered = np.flatnonzero(payload & (simulation.ending == Ending.ARRIVED))
    if len(delivered) == 0:  # nobody to trace: a threshold that is never reached
        return Outcome(measures)
    evenly = np.linspace(0, len(delivered) - 1, min(parameters.targets, len(delivered)))
    targets = delivered[np.unique(evenly.astype(np.int64))]
    seen, ends = observe(simulation.trace)
    scores = trace_targets(seen, ends.sent[targets], ends.delivered[targets])
    quality = quality_of(parameters, scores.quality)
    if scores.mass.min() < WHOLE_MASS:  # not settled, or stalled: some of a target is still inside
        quality = Quality.APPROXIMATE
    measures |= anonymity(scores, quality)
    columns = {
        "entropy_bits": scores.entropy_bits,
        "truth_probability": scores.truth_probability,
        "mass": scores.mass,
        "latency_seconds": (simulation.ended - simulation.begun)[targets],
    }
    return Outcome(measures, {name: column.tolist() for name, column in columns.items()})


def quality_of(parameters: EventParameters, traced: Quality) -> Quality:
    """EXACT where each packet in a mix is as likely as another to leave next, whatever the observer
    learns later: for delays without memory and for batches chosen uniformly. A queue, a lost packet
    or one that a mix lost tells the observer more than the rule takes in, and so does a route
    without layers, which takes no mix twice."""
    keeps_order = rule_of(parameters).code == INDEPENDENT and (
        delay_model(parameters).delay_law is not DelayLaw.EXPONENTIAL
    )
    loses = parameters.loss > 0.0 or parameters.restart_rate_per_second > 0.0
    has_hops = parameters.topology not in LAYERED
    if keeps_order or loses or has_hops or parameters.service_seconds > 0.0:
        return Quality.APPROXIMATE
    return traced


def anonymity(scores: TargetScores, quality: Quality) -> dict[str, Measure]:
    """The family of entropies, as means over targets, and the least mass."""
    sampled = Quality.SAMPLED
    surprise = -np.log2(np.maximum(scores.truth_probability, np.finfo(np.float64).tiny))
    return {
        "entropy_bits": _mean(scores.entropy_bits, "bits", quality),
        "effective_set_size": _mean(np.exp2(scores.entropy_bits), "packets", quality),
        "min_entropy_bits": _mean(scores.min_entropy_bits, "bits", quality),
        "collision_entropy_bits": _mean(scores.collision_entropy_bits, "bits", quality),
        "truth_probability": _mean(scores.truth_probability, "probability", sampled),
        "surprise_bits": _mean(surprise, "bits", sampled),
        "mass": Measure(float(scores.mass.min()), "share", quality),
    }


def _costs(
    parameters: StrategiesParameters, simulation: Simulation, span: Span, payload: Flags
) -> dict[str, Measure]:
    """Latency, losses by cause and bandwidth, of the payload sent in the measured time."""
    ending = simulation.ending[payload]
    sent = max(len(ending), 1)
    taken = (simulation.ended - simulation.begun)[payload]
    arrived = taken[~np.isnan(taken)]
    hop_seconds = parameters.mean_delay_seconds + parameters.link_seconds
    stall = parameters.stall_seconds or DELAYS_TO_STALL * parameters.layers * hop_seconds
    is_waiting = (ending == Ending.HELD) | (ending == Ending.UNDER_WAY)
    stalled = np.count_nonzero(is_waiting) + np.count_nonzero(arrived > stall)
    shares = {
        "delivered": np.count_nonzero(ending == Ending.ARRIVED),
        "lost": np.count_nonzero(ending == Ending.LOST),
        "refused": np.count_nonzero(ending == Ending.REFUSED),
        "forgotten": np.count_nonzero(ending == Ending.FORGOTTEN),
        "unfinished": np.count_nonzero(is_waiting),
        "stalled": stalled,
    }
    measures = {
        f"{cause}_share": Measure(float(count / sent), "share", Quality.SAMPLED)
        for cause, count in shares.items()
    }
    if len(arrived):
        measures["latency_mean_seconds"] = _mean(arrived, "s", Quality.SAMPLED)
        for percent in (50, 90, 99):
            at = float(np.percentile(arrived, percent))
            measures[f"latency_p{percent}_seconds"] = Measure(at, "s", Quality.SAMPLED)
        measures["bandwidth_overhead"] = _overhead(parameters, simulation, span)
    return measures


def _overhead(parameters: StrategiesParameters, simulation: Simulation, span: Span) -> Measure:
    """Packets put on links for each that a delivered payload needed: 1 where nothing else is
    sent and nothing is lost."""
    trace = simulation.trace
    start = span.warm_up_seconds
    is_within = (trace.time >= start) & (trace.time < start + span.measured_seconds)
    kinds = trace.kind[is_within]
    put = np.isin(kinds, np.array([Event.SEND, Event.DEPART, Event.LOOP_SEND], dtype=np.uint8))
    delivered = kinds == Event.DELIVER
    payload = trace.genre[trace.message[is_within][delivered]] == Genre.PAYLOAD
    needed = max(int(np.count_nonzero(payload)) * (parameters.layers + 1), 1)
    return Measure(int(np.count_nonzero(put)) / needed, "ratio", Quality.SAMPLED)


def _mean(values: Floats, unit: str, quality: Quality) -> Measure:
    return Measure(float(np.mean(values)), unit, quality)


EXPERIMENT = Experiment(
    name="strategies",
    summary="Anonymity and cost of each mixing strategy, at equal mean delay.",
    parameters=StrategiesParameters,
    run=run,
)
