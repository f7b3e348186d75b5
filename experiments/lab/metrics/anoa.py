"""AnoA: what an adversary who must tell two cases apart gains beyond a factor of e^epsilon.

delta(epsilon) = E[max(0, 1 - e^epsilon P(seen | other) / P(seen | true))] over what is seen in the
true case (Backes et al., CSF 2013, in the form of approximate differential privacy, as remembered).
Spec: docs/spec/laboratory.md (Games).
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.intervals import clopper_pearson_interval
from experiments.lab.trace import Floats


@dataclass(frozen=True, slots=True)
class Delta:
    """delta at one epsilon.

    value      by the adversary's own chances: exact in the mean where they are
    low, high  by how often its test was right and wrong, whether or not its chances are true: with
               95 % confidence, if the games are independent. `low` holds for any adversary as
               strong; `high` for this one, which is the best if its chances are exact
    """

    epsilon: float
    value: float
    low: float
    high: float


def anoa_delta(chance_true: Floats, chance_other: Floats, epsilon: float) -> Delta:
    """delta of games that are symmetric in their two cases. [games] chances, not both 0.

    The test says "true case" where its chance is more than e^epsilon times the other's. Raises
    ValueError without games.
    """
    games = len(chance_true)
    if games == 0:
        raise ValueError("there is no game")
    factor = math.exp(epsilon)
    with np.errstate(divide="ignore"):
        gain = np.maximum(0.0, 1.0 - factor * np.divide(chance_other, chance_true))
    # By symmetry a game of one case serves for the other, with the two people exchanged.
    right = int((chance_true > factor * chance_other).sum())
    wrong = int((chance_other > factor * chance_true).sum())
    # Two intervals of 97.5 % hold together with 95 %.
    hit = clopper_pearson_interval(right, games, confidence=0.975)
    miss = clopper_pearson_interval(wrong, games, confidence=0.975)
    return Delta(
        epsilon=epsilon,
        value=float(gain.mean()),
        low=max(0.0, hit.low - factor * miss.high),
        high=min(1.0, max(0.0, hit.high - factor * miss.low)),
    )
