"""Experiment `predecessor`: how many messages until corrupt mixes know who writes to the target.

Spec: docs/spec/laboratory.md (Predecessor).
"""

from dataclasses import replace
from typing import Annotated

import numpy as np

from experiments.lab.adversaries.coalition import corrupt_in_layers
from experiments.lab.adversaries.predecessor import QUALITY, log_predecessors
from experiments.lab.model import DelayLaw, LinkLaw, NetworkParameters, Topology, described
from experiments.lab.outcome import Experiment, Measure, Outcome, Quality
from experiments.lab.sources.vector import Flows, settled_messages, simulate, trace_of
from experiments.lab.trace import observe
from hushmill.errors import ExitCode, UserError
from pki import layer_compromise_probability

TARGET = 0  # the person who is written to; the writer is drawn from the others


class PredecessorParameters(
    NetworkParameters, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    width: Annotated[int, described("Mixes a layer.", ge=1, le=10_000)] = 4
    users: Annotated[int, described("People who send.", ge=3, le=100_000)] = 50
    corrupt_per_layer: Annotated[int, described("Corrupt mixes of each layer.", ge=0)] = 1
    messages: Annotated[
        int, described("Messages that the writer sends to the target.", ge=1, le=100_000)
    ] = 200


def run(parameters: PredecessorParameters, seed: np.random.SeedSequence) -> Outcome:
    _check(parameters)
    rng = np.random.default_rng(seed)
    total = parameters.messages * parameters.users + 2 * settled_messages(parameters)
    writer = int(rng.integers(1, parameters.users))
    flows = with_writer(simulate(parameters, total, rng), writer)
    trace = trace_of(flows)
    corrupt = corrupt_in_layers(parameters, parameters.corrupt_per_layer, rng)
    seen, _ = observe(trace, corrupt)
    log = log_predecessors(
        seen, corrupt, TARGET, parameters.mean_delay_seconds, parameters.link_seconds
    )
    leads = log.leaders == writer
    messages = len(leads)
    not_yet = np.flatnonzero(~leads)
    first = int(np.argmax(leads)) + 1 if leads.any() else messages
    lasting = int(not_yet[-1]) + 2 if len(not_yet) else 1
    certain = int(log.is_certain.sum())
    place = int(np.argmax(log.is_certain)) + 1 if certain else messages
    chance = layer_compromise_probability(
        parameters.width, [parameters.corrupt_per_layer] * parameters.layers
    )
    measures = {
        "messages": Measure(float(messages), "messages", Quality.EXACT),
        "messages_to_lead": Measure(float(first), "messages", QUALITY),
        "messages_to_lasting_lead": Measure(float(min(lasting, messages)), "messages", QUALITY),
        "leads_at_end": Measure(float(messages > 0 and bool(leads[-1])), "share", QUALITY, 1),
        "messages_to_certainty": Measure(float(place), "messages", QUALITY),
        "certain": Measure(float(certain > 0), "share", QUALITY, 1),
        "closed_form_compromised": Measure(chance, "share", Quality.EXACT),
        "closed_form_certain": Measure(
            1.0 - (1.0 - chance) ** messages, "probability", Quality.EXACT
        ),
    }
    if messages:
        share = certain / messages
        measures["paths_compromised"] = Measure(share, "share", QUALITY, messages)
    suspicion = np.cumsum(log.suspicion, axis=0)
    return Outcome(
        measures,
        targets={
            "messages": [float(place + 1) for place in range(messages)],
            "writer_suspicion": suspicion[:, writer].tolist(),
            "highest_other_suspicion": np.delete(suspicion, writer, axis=1).max(axis=1).tolist(),
        },
    )


def _check(parameters: PredecessorParameters) -> None:
    if parameters.topology is not Topology.STRATIFIED:
        raise UserError("topology: the attack is built for stratified routes.", ExitCode.USAGE)
    if parameters.weights:
        raise UserError("weights: the closed form is for mixes drawn evenly.", ExitCode.USAGE)
    if parameters.delay_law is not DelayLaw.EXPONENTIAL:
        raise UserError("delay_law: the attack weighs exponential delays.", ExitCode.USAGE)
    if parameters.link_law is not LinkLaw.FIXED:
        raise UserError("link_law: the attack takes links to be of fixed latency.", ExitCode.USAGE)
    if parameters.messages * parameters.users > 5_000_000:
        raise UserError("messages: messages * users is at most 5 million.", ExitCode.USAGE)


def with_writer(flows: Flows, writer: int) -> Flows:
    """The same packets, with all that `writer` sends going to the target and nothing else."""
    others = np.where(flows.receivers == TARGET, writer, flows.receivers)
    receivers = np.where(flows.senders == writer, TARGET, others).astype(np.int32)
    return replace(flows, receivers=receivers)


EXPERIMENT = Experiment(
    name="predecessor",
    summary="Corrupt mixes log who hands on what the target gets, over many fresh routes.",
    parameters=PredecessorParameters,
    run=run,
)
