"""The n - 1 attack on one mix: everything else is kept out until the mix is empty of it, the target
is let in, and what then comes out that is not the attacker's own must be the target.

What can still come out is a loop that the mix sends itself, which nobody can keep out, or a packet
of the share that the attacker lets in. A loop must look like any other packet, so here, unlike in
tracing, the adversary is not granted which those are. Spec: docs/spec/laboratory.md (n - 1).
"""

import math

import numpy as np

from experiments.lab.outcome import Quality
from experiments.lab.trace import NOBODY, Event, Flags, Observation

QUALITY = Quality.SAMPLED


def guess_exit(observation: Observation, target: int, own: Flags, rng: np.random.Generator) -> int:
    """The wire on which the packet of the wire `target` is taken to leave the mix that it came
    into; NOBODY if nothing came out.

    It is the first that leaves after the target came and is not `own` [E], a packet of the
    attacker's, which knows them; of several at that moment one is drawn. No later one is likelier:
    delays without memory are shorter rather than longer, and a batch mix sends all it has seen. It
    raises ValueError if the target came into no mix.
    """
    came = np.flatnonzero((observation.wire == target) & (observation.kind == Event.ARRIVE))
    if len(came) == 0:
        raise ValueError("the target came into no mix")
    mix = observation.mix[came[0]]
    leaves = (observation.kind == Event.DEPART) | (observation.kind == Event.LOOP_SEND)
    leaves &= (observation.mix == mix) & ~own
    leaves[: came[0]] = False
    after = np.flatnonzero(leaves)
    if len(after) == 0:
        return NOBODY
    together = after[observation.time[after] == observation.time[after[0]]]
    return int(observation.wire[rng.choice(together)])


def first_exit_probability(
    mean_delay_seconds: float, loop_rate_per_second: float, let_in_per_second: float
) -> float:
    """How often the target is the first to leave a Poisson mix in steady state.

    It leaves at rate μ, one over the mean delay. The others leave as a Poisson process whatever
    their delays: the mix's loops at λ_M, what the attacker lets in at its rate of coming. So it is
    first with μ/(μ + λ_M + λ_R/s), if s is such that one in s of λ_R packets a second is let in.
    Loopix's sμ/(sλ_M + λ_R) (`pki.anonymity.blending_probability`) leaves out the target among
    what leaves; the two agree where the others are many. Derived here.
    """
    own = 1.0 / mean_delay_seconds
    return own / (own + loop_rate_per_second + let_in_per_second)


def batch_exit_probability(others: float) -> float:
    """How often the right one is drawn from a batch that holds the target and a Poisson number of
    others, of this mean: the mean of 1/(1 + n), which is (1 - e^-x)/x."""
    return -math.expm1(-others) / others if others > 0.0 else 1.0
