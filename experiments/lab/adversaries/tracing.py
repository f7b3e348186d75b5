"""The adversary who sees every link and traces packets by Bayes' rule, mix by mix.

It finds for a packet how likely each delivery is to be it, and for a delivery how likely each
person is to have sent it. Spec: docs/spec/laboratory.md (Tracing).
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.adversaries.tracing_density import DensityPass
from experiments.lab.adversaries.tracing_hops import HopPass
from experiments.lab.adversaries.tracing_matching import KnownDelays
from experiments.lab.adversaries.tracing_pass import Pass
from experiments.lab.adversaries.tracing_passage import BEGIN, BEGIN_LOST, Passage, passage_of
from experiments.lab.adversaries.tracing_scores import (
    COLLISION,
    ENTROPY,
    MASS,
    MIN_ENTROPY,
    RANK,
    TRUTH,
    scores,
)
from experiments.lab.model import DelayLaw
from experiments.lab.outcome import Quality
from experiments.lab.trace import NOBODY, Event, Floats, Ints, Observation

BATCH = 64  # targets that go through one pass: measured, see `hushmill bench lab`
LEFT_SHARE = 1e-7  # of each target's mass that may be left in the network when its pass is over
EVERYTHING = float("inf")  # more mass than there is: a pass that goes on to the last event


@dataclass(frozen=True, slots=True)
class TargetScores:
    """How well each of T targets was traced to its delivery, all [T].

    entropy_bits, min_entropy_bits, collision_entropy_bits   of the posterior over deliveries
    truth_probability   what the posterior gave to the true delivery
    truth_rank          the place of the true delivery, from 1; equals share the mean of theirs
    mass                the share of the target that came out at some delivery: less than 1 by what
                        was lost, refused, or ended as what turned out to be a mix's own loop
    quality             EXACT where packets leave as the rule has it, see `_quality`
    """

    entropy_bits: Floats
    min_entropy_bits: Floats
    collision_entropy_bits: Floats
    truth_probability: Floats
    truth_rank: Floats
    mass: Floats
    quality: Quality


@dataclass(frozen=True, slots=True)
class SenderPosteriors:
    """For each of D deliveries how likely each person is to have sent it.

    posterior  [D, people] rows add up to 1
    delivered  [D] the wires, in order; deliveries that nobody seen can have sent are left out
    """

    posterior: Floats
    delivered: Ints
    quality: Quality


def trace_targets(
    observation: Observation,
    targets: Ints,
    truth: Ints,
    *,
    batch: int = BATCH,
    delays: KnownDelays | None = None,
    is_layered: bool = True,
) -> TargetScores:
    """How well each target is traced.

    `targets` [T] are wires on which packets were sent, `truth` [T] those on which they were
    delivered, from `Ends`: it is read only for what the finished posterior gave to it. Each pass
    takes `batch` targets, and is over when all but LEFT_SHARE of their mass is out. With `delays`
    arrivals are weighed by their law; without, packets leave as if they had no memory. Where routes
    have no layers, which a sparse trace need not show, `is_layered` False keeps the result from
    being called exact: the rule leaves out that no route takes a mix twice. Raises
    ValueError if a target is no wire on which a person sent, or stands twice.
    """
    passage = passage_of(observation)
    sent = _sent_events(observation, passage, targets)
    rows = np.full(observation.wires, NOBODY, dtype=np.int32)
    delivered = observation.wire[passage.end]
    rows[delivered[delivered >= 0]] = np.flatnonzero(delivered >= 0)
    true_row = np.where(truth >= 0, rows[truth], NOBODY)
    # In the order of sending: no pass comes to an event that an earlier batch was sent at.
    order = np.argsort(sent, kind="stable")
    column = np.full(len(observation.kind), NOBODY, dtype=np.int32)
    found = np.empty((6, len(targets)))
    shared = _pass_over(observation, passage, min(batch, len(targets)), delays)
    for begin in range(0, len(targets), batch):
        chosen = order[begin : begin + batch]
        if len(chosen) < batch and begin:
            shared = _pass_over(observation, passage, len(chosen), delays)
        column[sent[chosen]] = np.arange(len(chosen), dtype=np.int32)
        first = int(sent[chosen[0]])
        posterior = shared.run(column, first, 1 - LEFT_SHARE)
        before = int(np.searchsorted(passage.end, first))
        true_place = np.where(true_row[chosen] < 0, NOBODY, true_row[chosen] - before)
        found[:, chosen] = scores(posterior, true_place, len(passage.end))
    return TargetScores(
        entropy_bits=found[ENTROPY],
        min_entropy_bits=found[MIN_ENTROPY],
        collision_entropy_bits=found[COLLISION],
        truth_probability=found[TRUTH],
        truth_rank=found[RANK],
        mass=found[MASS],
        quality=_quality(passage, delays) if is_layered else Quality.APPROXIMATE,
    )


def trace_senders(
    observation: Observation, *, delays: KnownDelays | None = None
) -> SenderPosteriors:
    """For each delivery the posterior over the people who sent something.

    Packets of mixes' own loops carry no mass for any person, and neither do packets from before
    the trace began; a delivered packet is surely a person's, so its posterior is normalised.
    """
    passage = passage_of(observation)
    column = np.where(observation.kind == Event.SEND, observation.label, NOBODY).astype(np.int32)
    shared = _pass_over(observation, passage, observation.people, delays)
    posterior = shared.run(column, 0, EVERYTHING)
    total = posterior.sum(axis=1)
    known = total > 0
    return SenderPosteriors(
        posterior=posterior[known] / total[known, np.newaxis],
        delivered=observation.wire[passage.end][known],
        quality=_quality(passage, delays),
    )


def _pass_over(
    observation: Observation, passage: Passage, columns: int, delays: KnownDelays | None
) -> Pass | DensityPass | HopPass:
    if delays is not None and delays.law is not DelayLaw.EXPONENTIAL:
        return DensityPass(observation, passage, delays, columns)
    return HopPass(observation, passage, columns) if passage.has_hops else Pass(passage, columns)


def _quality(passage: Passage, delays: KnownDelays | None) -> Quality:
    """EXACT if every packet in a mix is as likely to leave next as another, which without `delays`
    is for the caller to know; or if delays are constant. APPROXIMATE where that cannot be so.

    A mix's own loop, once it has ended, is known to have been none of the packets of people, and
    so are the departures it may have been; the rule forgets that mass, but does not go back to say
    who else must have left instead.
    """
    known = delays is None or delays.law in (DelayLaw.EXPONENTIAL, DelayLaw.CONSTANT)
    is_exact = known and not passage.has_loops and not passage.has_hops
    return Quality.EXACT if is_exact else Quality.APPROXIMATE


def _sent_events(observation: Observation, passage: Passage, targets: Ints) -> Ints:
    """[T] the event at which each target was sent. Wires are numbered as packets are put on them,
    so the n-th such event is that of wire n."""
    kind = observation.kind
    put = np.flatnonzero((kind == Event.SEND) | (kind == Event.DEPART) | (kind == Event.LOOP_SEND))
    if len(targets) and not (int(targets.min()) >= 0 and int(targets.max()) < len(put)):
        raise ValueError("a target is no wire of this observation")
    if len(np.unique(targets)) < len(targets):
        raise ValueError("a target stands twice")
    sent = put[targets].astype(np.int32)
    if not np.isin(passage.code[sent], (BEGIN, BEGIN_LOST)).all():
        raise ValueError("a target is a wire on which no person sent a packet")
    return sent
