"""Experiment `single_mix`: where a packet leaves one memoryless mix, for every packet at once.

The backward pass over arrivals and departures gives the entropy of each packet of a million in a
moment, so that the mean is known to a thousandth of a bit. `tracing` with one layer of one mix has
the same mean and more measures. Spec: docs/spec/laboratory.md (Tracing).
"""

from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.adversaries.tracing_single import mix_entropy
from experiments.lab.model import NetworkParameters, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import (
    require_hops,
    settled_messages,
    simulate,
    trace_of,
)
from experiments.lab.trace import Event, observe
from pki import single_mix_entropy_bits


class SingleMixParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    rate_per_second: Annotated[float, described("Packets a second that come.", gt=0)] = 100.0
    mean_delay_seconds: Annotated[float, described("Mean delay.", gt=0)] = 0.5
    messages: Annotated[
        int, described("Messages of each replicate that count.", ge=1, le=20_000_000)
    ] = 200_000


def run(parameters: SingleMixParameters, seed: np.random.SeedSequence) -> Outcome:
    network = NetworkParameters(
        layers=1,
        width=1,
        rate_per_second=parameters.rate_per_second,
        mean_delay_seconds=parameters.mean_delay_seconds,
    )
    margin = settled_messages(network)
    messages = parameters.messages + 2 * margin
    require_hops(network, messages, "messages, rate_per_second, mean_delay_seconds")
    flows = simulate(network, messages, np.random.default_rng(seed))
    seen, _ = observe(trace_of(flows))
    entropy = mix_entropy(seen, mix=0)[margin : margin + parameters.messages]
    came = np.flatnonzero(seen.kind == Event.ARRIVE)[margin : margin + parameters.messages]
    change = (seen.kind == Event.ARRIVE).astype(np.int64) - (seen.kind == Event.DEPART)
    met = np.cumsum(change)[came] - 1  # who is inside besides the packet that comes
    held = parameters.rate_per_second * parameters.mean_delay_seconds
    return Outcome(
        {
            "entropy_bits": Measure(float(entropy.mean()), "bits", Quality.EXACT),
            "packets_met": Measure(float(met.mean()), "packets", Quality.SAMPLED),
            "closed_form_bits": Measure(single_mix_entropy_bits(held), "bits", Quality.EXACT),
        }
    )


EXPERIMENT = Experiment(
    name="single_mix",
    summary="Where a packet leaves one memoryless mix, to a thousandth of a bit.",
    parameters=SingleMixParameters,
    run=run,
)
