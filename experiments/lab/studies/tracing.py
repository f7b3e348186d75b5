"""Experiment `tracing`: what an observer of every link is left in doubt about, packet by packet.

Spec: docs/spec/laboratory.md (Tracing).
"""

import math
from typing import Annotated

import numpy as np

from experiments.lab.adversaries.coalition import corrupt_in_layers
from experiments.lab.adversaries.tracing import TargetScores, trace_targets
from experiments.lab.adversaries.tracing_matching import KnownDelays
from experiments.lab.metrics.cost import latency_of, link_packets_per_payload
from experiments.lab.metrics.entropy import effective_set_size, surprise_bits, top_share
from experiments.lab.model import LAYERED, NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import (
    mix_count,
    require_hops,
    settled_messages,
    simulate,
    trace_of,
)
from experiments.lab.trace import Bytes, Flags, Floats, Genre, Ints, Observation, observe
from hushmill.errors import ExitCode, UserError

TOP = 10  # places of `top_10_share`


class TracingParameters(NetworkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    targets: Annotated[int, described("Traced messages of each replicate.", ge=1, le=1_000_000)] = (
        200
    )
    messages: Annotated[
        int,
        described("Messages of each replicate; 0 is as many as the targets ask for.", ge=0),
    ] = 0
    corrupt_fraction: Annotated[
        float,
        described(
            "Share of all mixes that work for the observer, drawn anew for each replicate; their "
            "number is rounded to a whole one, halves up.",
            ge=0,
            le=1,
        ),
    ] = 0.0
    corrupt_per_layer: Annotated[
        int, described("Corrupt mixes of each layer, in place of `corrupt_fraction`.", ge=0)
    ] = 0
    cover_share: Annotated[
        float,
        described(
            "Share of the packets that are cover. The observer cannot tell it from messages, so "
            "only the cost depends on it.",
            ge=0,
            lt=1,
        ),
    ] = 0.0


def run(parameters: TracingParameters, seed: np.random.SeedSequence) -> Outcome:
    rng = np.random.default_rng(seed)
    margin = settled_messages(parameters)
    messages = parameters.messages or 2 * margin + max(margin, _wanted(parameters))
    keys = "rate_per_second, mean_delay_seconds, targets, cover_share, layers"
    require_hops(parameters, messages, "messages" if parameters.messages else keys)
    flows = simulate(parameters, messages, rng)
    is_cover = rng.random(messages) < parameters.cover_share
    genre: Bytes = np.where(is_cover, Genre.DROP_COVER, Genre.PAYLOAD).astype(np.uint8)
    trace = trace_of(flows, genre)
    corrupt = _corrupt(parameters, rng)
    seen, ends = observe(trace, corrupt)
    targets = _targets(parameters, margin, is_cover, rng)
    scores = _traced(parameters, seen, ends.sent[targets], ends.delivered[targets])
    honest = np.count_nonzero(~corrupt[flows.mixes[targets]], axis=1)
    settled = slice(margin, max(messages - margin, margin + 1))
    latency = latency_of(flows.latency_seconds[settled])
    measures = (
        _figures(scores)
        | _by_honest_hops(scores, honest)
        | {
            "latency_mean_seconds": Measure(latency.mean, "s", Quality.SAMPLED),
            "latency_p50_seconds": Measure(latency.p50, "s", Quality.SAMPLED),
            "latency_p90_seconds": Measure(latency.p90, "s", Quality.SAMPLED),
            "latency_p99_seconds": Measure(latency.p99, "s", Quality.SAMPLED),
            "link_packets_per_payload": Measure(
                link_packets_per_payload(trace), "packets", Quality.SAMPLED
            ),
        }
    )
    columns: dict[str, Floats] = {
        "entropy_bits": scores.entropy_bits,
        "min_entropy_bits": scores.min_entropy_bits,
        "collision_entropy_bits": scores.collision_entropy_bits,
        "truth_probability": scores.truth_probability,
        "truth_rank": scores.truth_rank,
        "mass": scores.mass,
        "honest_hops": honest.astype(np.float64),
        "latency_seconds": flows.latency_seconds[targets],
    }
    return Outcome(measures, {name: column.tolist() for name, column in columns.items()})


def _wanted(parameters: TracingParameters) -> int:
    """Messages in which there are as many targets that are no cover, but for a chance of 1e-9."""
    share = 1 - parameters.cover_share
    spread = 6 * math.sqrt(parameters.targets * parameters.cover_share)
    return math.ceil((parameters.targets + spread) / share)


def _corrupt(parameters: TracingParameters, rng: np.random.Generator) -> Flags:
    if parameters.corrupt_per_layer:
        if parameters.corrupt_fraction:
            raise UserError(
                "corrupt_per_layer: give it or `corrupt_fraction`, not both.", ExitCode.USAGE
            )
        return corrupt_in_layers(parameters, parameters.corrupt_per_layer, rng)
    mixes = mix_count(parameters)
    corrupt = np.zeros(mixes, dtype=np.bool_)
    number = math.floor(parameters.corrupt_fraction * mixes + 0.5)
    corrupt[rng.choice(mixes, number, replace=False)] = True
    return corrupt


def _targets(
    parameters: TracingParameters, margin: int, is_cover: Flags, rng: np.random.Generator
) -> Ints:
    """The places of messages that are no cover, from the stationary middle of the run."""
    there = margin + np.flatnonzero(~is_cover[margin : max(len(is_cover) - margin, margin)])
    if len(there) < parameters.targets:
        raise UserError(
            f"messages: {len(is_cover)} are too few for `targets` {parameters.targets}. The first "
            f"and the last {margin} fill the mixes, and cannot be traced. 0 is always enough.",
            ExitCode.USAGE,
        )
    chosen = rng.choice(there, parameters.targets, replace=False)
    return np.sort(chosen).astype(np.int32)


def _traced(
    parameters: TracingParameters, seen: Observation, targets: Ints, truth: Ints
) -> TargetScores:
    delays = KnownDelays(parameters.delay_law, parameters.mean_delay_seconds)
    is_layered = parameters.topology in LAYERED
    return trace_targets(seen, targets, truth, delays=delays, is_layered=is_layered)


def _figures(scores: TargetScores) -> dict[str, Measure]:
    quality = scores.quality
    entropy = float(scores.entropy_bits.mean())
    return {
        "entropy_bits": Measure(entropy, "bits", quality),
        "effective_set_size": Measure(effective_set_size(entropy), "packets", quality),
        "min_entropy_bits": Measure(float(scores.min_entropy_bits.mean()), "bits", quality),
        "collision_entropy_bits": Measure(
            float(scores.collision_entropy_bits.mean()), "bits", quality
        ),
        "surprise_bits": Measure(surprise_bits(scores.truth_probability), "bits", Quality.SAMPLED),
        "truth_probability": Measure(
            float(scores.truth_probability.mean()), "probability", Quality.SAMPLED
        ),
        "top_10_share": Measure(top_share(scores.truth_rank, TOP), "share", Quality.SAMPLED),
        "mass": Measure(float(scores.mass.min()), "share", quality),
    }


def _by_honest_hops(scores: TargetScores, honest: Ints) -> dict[str, Measure]:
    """The share of targets without any honest mix on their route, and the mean entropy of those
    with each number of honest mixes: the mean over all is over two or more kinds of targets, of
    whom some have no anonymity at all."""
    compromised = float(np.mean(honest == 0))
    found = {"compromised_share": Measure(compromised, "share", Quality.SAMPLED)}
    for hops in np.unique(honest):
        mean = float(scores.entropy_bits[honest == hops].mean())
        found[f"entropy_bits_of_{hops}_honest_hops"] = Measure(mean, "bits", scores.quality)
    return found


EXPERIMENT = Experiment(
    name="tracing",
    summary="How well an observer of every link traces packets through the mixes.",
    parameters=TracingParameters,
    run=run,
)
