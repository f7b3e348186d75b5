"""What an observer of every link is left in doubt about, in the figures that people are shown.

It serves what the programs themselves did: rows of processes, the shipped cores in virtual time,
and imported logs. Their mixes are near to the law by which the adversary traces, but not on it
(ticks, a cap on delays, own loops), so its figures are approximate. Spec: docs/spec/observer.md.
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.adversaries.tracing import TargetScores, trace_senders, trace_targets
from experiments.lab.intervals import Interval, estimated
from experiments.lab.outcome import Quality
from experiments.lab.trace import Ends, Event, Flags, Floats, Ints, Observation, Trace
from experiments.lab.trace import observe as observed

TARGETS = 256  # traced packets of a run, evenly over its time
BLOCKS = 10
EQUAL_SHARE = 1e-9  # as the adversary has it: probabilities that differ by less are one


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when targets are sent, in seconds of the trace."""

    first: float
    last: float


@dataclass(frozen=True, slots=True)
class PacketDoubt:
    """Of `packets` that people sent: which of all delivered packets was it?

    entropy_bits            mean of the Shannon entropy; `interval` is for this mean
    effective_set_size      2 ** entropy_bits: among so many it would be hidden if all were alike
    min_entropy_bits        mean; what a single best guess is left with
    collision_entropy_bits  mean
    best_guess_probability  what the observer gives its best guess, in the mean
    best_guess_right        how often that guess was the packet; None where the truth is unknown
    truth_probability       what it gave to the truth, in the mean; None likewise
    surprise_bits           mean of -log2 of that: as much as the entropy, if the observer's
                            probabilities are right; None likewise, or if it ruled the truth out
    mass                    the least share of a packet that was traced to any delivery
    """

    packets: int
    entropy_bits: float
    interval: Interval | None
    effective_set_size: float
    min_entropy_bits: float
    collision_entropy_bits: float
    best_guess_probability: float
    best_guess_right: float | None
    truth_probability: float | None
    surprise_bits: float | None
    mass: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class SenderDoubt:
    """Of `packets` that were delivered: which person sent it? `entropy_bits` is the mean of the
    Shannon entropy, and the log2 of the number of people is all that there is to hide."""

    packets: int
    entropy_bits: float
    interval: Interval | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class Doubts:
    """One adversary's doubts about one trace."""

    packet: PacketDoubt
    sender: SenderDoubt


def doubts_of(
    trace: Trace,
    window: Window,
    corrupt: Flags | None = None,
    targets: int = TARGETS,
    deliveries: Window | None = None,
) -> Doubts:
    """What is left in doubt about packets that were sent in `window` (at most `targets` of them,
    evenly over it), and about the senders of those that were delivered in `deliveries` (without it,
    in all of the trace).

    `corrupt` [mixes] marks mixes that tell what they did. Without any packet there is no doubt: 0.
    """
    observation, ends = observed(trace, corrupt)
    return Doubts(
        packet=_packet_doubt(observation, ends, _chosen(trace, ends, window, targets)),
        sender=_sender_doubt(observation, deliveries),
    )


def one_a_layer(trace: Trace, corrupt_per_layer: int = 1) -> Flags:
    """[mixes] marks that many mixes of each layer, those of the lowest places. Where a layer has no
    more than so many, all of them are marked, and hide nothing."""
    corrupt = np.zeros(trace.mixes, dtype=np.bool_)
    is_held = (trace.kind == Event.ARRIVE) | (trace.kind == Event.DEPART)
    for layer in np.unique(trace.layer[is_held]):
        places = np.unique(trace.mix[is_held & (trace.layer == layer)])
        corrupt[places[:corrupt_per_layer]] = True
    return corrupt


def _chosen(trace: Trace, ends: Ends, window: Window, targets: int) -> Ints:
    """Messages to trace. Those whose end is known, where any is: the truth has to score them."""
    is_sent = trace.kind == Event.SEND
    is_sent &= (trace.time >= window.first) & (trace.time <= window.last)
    messages: Ints = trace.message[is_sent]
    is_known = ends.delivered[messages] >= 0
    if is_known.any():
        messages = messages[is_known]
    if len(messages) > targets:
        messages = messages[np.linspace(0, len(messages) - 1, targets).round().astype(np.int64)]
    return messages


def _packet_doubt(observation: Observation, ends: Ends, messages: Ints) -> PacketDoubt:
    if not len(messages):
        return PacketDoubt(0, 0.0, None, 1.0, 0.0, 0.0, 1.0, None, None, None, 0.0, _QUALITY)
    scores = trace_targets(observation, ends.sent[messages], ends.delivered[messages])
    entropy = float(scores.entropy_bits.mean())
    best = np.exp2(-scores.min_entropy_bits)
    is_scored = bool((ends.delivered[messages] >= 0).any())
    truth = scores.truth_probability
    return PacketDoubt(
        packets=len(messages),
        entropy_bits=entropy,
        interval=_interval(scores.entropy_bits),
        effective_set_size=2.0**entropy,
        min_entropy_bits=float(scores.min_entropy_bits.mean()),
        collision_entropy_bits=float(scores.collision_entropy_bits.mean()),
        best_guess_probability=float(best.mean()),
        best_guess_right=_share_right(scores, best) if is_scored else None,
        truth_probability=float(truth.mean()) if is_scored else None,
        surprise_bits=float(-np.log2(truth).mean()) if truth.all() else None,
        mass=float(scores.mass.min()),
        quality=_QUALITY,
    )


_QUALITY = Quality.APPROXIMATE  # see above: true of every source that this file serves


def _share_right(scores: TargetScores, best: Floats) -> float:
    """How often the likeliest delivery was the packet's; one of k alike is right once in k. A truth
    among the likeliest shares the mean of their places, (k + 1) / 2."""
    is_best = scores.truth_probability >= best * (1 - EQUAL_SHARE)
    alike = 2 * scores.truth_rank - 1
    return float(np.where(is_best, 1 / alike, 0.0).mean())


def _sender_doubt(observation: Observation, deliveries: Window | None) -> SenderDoubt:
    traced = trace_senders(observation)
    found = traced.posterior
    if deliveries is not None:
        is_delivery = observation.kind == Event.DELIVER
        is_delivery &= observation.time >= deliveries.first
        is_delivery &= observation.time <= deliveries.last
        found = found[np.isin(traced.delivered, observation.wire[is_delivery])]
    if not len(found):
        return SenderDoubt(0, 0.0, None, _QUALITY)
    logs = np.log2(found, out=np.zeros_like(found), where=found > 0)
    entropies = -(found * logs).sum(axis=1)
    return SenderDoubt(
        len(found), max(float(entropies.mean()), 0.0), _interval(entropies), _QUALITY
    )


def _interval(values: Floats) -> Interval | None:
    """A 95 % interval for the mean of one run's values, which share pools with their neighbours and
    so are not independent: by batch means. In order of time they are cut into ten blocks, each long
    beside the time that a packet takes, and the blocks' means are taken for independent. None where
    a block would have fewer than ten values."""
    if len(values) < BLOCKS * BLOCKS:
        return None
    blocks = np.array_split(values, BLOCKS)
    return estimated([float(block.mean()) for block in blocks]).interval


def window_between(trace: Trace, settling_seconds: float) -> Window:
    """The part of a recording that is `settling_seconds` away from its first packet and from its
    end: before, pools fill; after it, packets are cut off on their way."""
    sent = trace.time[trace.kind == Event.SEND]
    if not len(sent):
        return Window(0.0, 0.0)
    return Window(float(sent[0]) + settling_seconds, float(trace.time[-1]) - settling_seconds)
