"""The challenge of sender anonymity: which of two people sent this output.

A game takes an output, its sender and another person drawn at random. The adversary is told the
two and sees all links; it holds their chances by tracing. As all people send alike, each is as
likely as the other before. Spec: docs/spec/laboratory.md (Games).
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.adversaries.tracing import trace_senders
from experiments.lab.outcome import Quality
from experiments.lab.trace import Ends, Floats, Ints, Observation


@dataclass(frozen=True, slots=True)
class Games:
    """G games. `chance_sender` and `chance_other` [G] are the chances that the adversary gives to
    the person who sent the output and to the other one; `quality` is the tracing's."""

    chance_sender: Floats
    chance_other: Floats
    quality: Quality


def play(seen: Observation, ends: Ends, messages: Ints, rng: np.random.Generator) -> Games:
    """A game for each of `messages` that the adversary can say anything of.

    The other person is drawn evenly from all but the sender. `ends` chooses the pair and names who
    is who; the adversary does not read it. Raises ValueError with fewer than two people.
    """
    if seen.people < 2:
        raise ValueError("a challenge needs two people")
    traced = trace_senders(seen)
    sender_of = np.full(seen.wires, -1, dtype=np.int32)
    chosen = messages[(ends.delivered[messages] >= 0) & (ends.sender[messages] >= 0)]
    sender_of[ends.delivered[chosen]] = ends.sender[chosen]
    sender = sender_of[traced.delivered]
    rows = np.flatnonzero(sender >= 0)
    sender = sender[rows]
    other = (sender + rng.integers(1, seen.people, len(rows))) % seen.people
    chances = traced.posterior
    return Games(chances[rows, sender], chances[rows, other], traced.quality)
