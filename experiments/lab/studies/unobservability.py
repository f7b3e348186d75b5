"""Experiment `unobservability`: whether a link shows that its person sends or receives at all.

Half of the pairs are busy and half idle. Spec: docs/spec/laboratory.md (Links).
"""

from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.adversaries.counts import even_windows
from experiments.lab.metrics.unobservability import (
    QUALITY,
    Unobservability,
    unobservability,
    window_features,
)
from experiments.lab.model import described
from experiments.lab.outcome import Experiment, Measure, Outcome
from experiments.lab.sources.links import LinkCover, LinkParameters, simulate_links
from experiments.lab.trace import Event, observe
from hushmill.errors import ExitCode, UserError


class UnobservabilityParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    runs: Annotated[int, described("Busy people, and as many idle ones.", ge=4, le=1000)] = 30
    windows: Annotated[int, described("Windows of each person.", ge=2, le=10_000)] = 20
    window_seconds: Annotated[float, described("Length of a window.", gt=0)] = 10.0
    payload_rate_per_second: Annotated[
        float, described("Payload packets a second of a busy person in a burst.", gt=0)
    ] = 1.0
    burst_share: Annotated[
        float, described("Share of a busy person's time that is in bursts.", gt=0, le=1)
    ] = 1.0
    burst_seconds: Annotated[float, described("Mean length of a burst.", gt=0)] = 20.0
    sending: Annotated[LinkCover, described("What senders' links show.")] = LinkCover.SLOTS
    receiving: Annotated[LinkCover, described("What receivers' links show.")] = LinkCover.SLOTS
    slot_rate_per_second: Annotated[
        float, described("Slots a second of a link with cover.", gt=0)
    ] = 2.0
    layers: Annotated[int, described("Mixes on every route.", ge=1, le=64)] = 3
    mean_delay_seconds: Annotated[float, described("Mean delay at each mix.", gt=0)] = 0.5


def run(parameters: UnobservabilityParameters, seed: np.random.SeedSequence) -> Outcome:
    if parameters.runs * parameters.windows > 100_000:
        raise UserError("windows: runs * windows is at most 100000.", ExitCode.USAGE)
    rng = np.random.default_rng(seed)
    seconds = parameters.windows * parameters.window_seconds
    links = simulate_links(
        LinkParameters(
            pairs=2 * parameters.runs,
            busy_share=0.5,
            seconds=seconds,
            payload_rate_per_second=parameters.payload_rate_per_second,
            burst_share=parameters.burst_share,
            burst_seconds=parameters.burst_seconds,
            sending=parameters.sending,
            receiving=parameters.receiving,
            slot_rate_per_second=parameters.slot_rate_per_second,
            layers=parameters.layers,
            mean_delay_seconds=parameters.mean_delay_seconds,
        ),
        rng,
    )
    seen, _ = observe(links.trace)
    ends = even_windows(0.0, seconds, parameters.window_seconds)
    receiver = 2 * parameters.runs + links.partner
    measures: dict[str, Measure] = {}
    for name, event, person in (
        ("sender", Event.SEND, np.arange(2 * parameters.runs)),
        ("receiver", Event.DELIVER, receiver),
    ):
        features = np.stack([window_features(seen, one, event, ends) for one in person.tolist()])
        found = unobservability(features[links.is_busy], features[~links.is_busy], rng)
        measures |= _measures(name, found)
    return Outcome(measures)


def _measures(name: str, found: Unobservability) -> dict[str, Measure]:
    return {
        f"{name}_auc": Measure(found.area, "area", QUALITY),
        f"{name}_auc_low": Measure(found.low, "area", QUALITY),
        f"{name}_auc_high": Measure(found.high, "area", QUALITY),
    }


EXPERIMENT = Experiment(
    name="unobservability",
    summary="Whether a link shows that its person has anything to send or to receive.",
    parameters=UnobservabilityParameters,
    run=run,
)
