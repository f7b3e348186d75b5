"""The indistinguishability of Loopix: how alike two senders are to an observer of one output.

After Loopix (Piotrowska et al., USENIX Security 2017), section 4.1.3, as remembered.
Spec: docs/spec/laboratory.md (Games).
"""

import numpy as np

from experiments.lab.trace import Floats


def loopix_epsilon(first: Floats, second: Floats) -> Floats:
    """[n] |ln(p1 / p2)| in nats, of each output's probabilities of coming from two senders.

    Infinite where one of the two alone can have sent it; left out where neither can.
    """
    known = (first > 0) | (second > 0)
    with np.errstate(divide="ignore"):
        logs = np.log(first[known]) - np.log(second[known])
    return np.asarray(np.abs(logs), dtype=np.float64)


def loopix_delta(epsilons: Floats, bound: float) -> float:
    """The share of outputs whose epsilon is above `bound`."""
    return float((epsilons > bound).mean()) if len(epsilons) else 0.0
