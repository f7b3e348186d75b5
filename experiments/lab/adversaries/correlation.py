"""Flow correlation: which sender's link goes with which receiver's, from counts by window.

Spec: docs/spec/laboratory.md (Links).
"""

import numpy as np

from experiments.lab.adversaries.counts import lagged
from experiments.lab.outcome import Quality
from experiments.lab.trace import Floats

QUALITY = Quality.SAMPLED
FLOOR = 0.05  # packets a window that are allowed for besides the flow, so that none is impossible


def correlation_scores(inputs: Floats, outputs: Floats, lags: Floats) -> Floats:
    """[senders, receivers] the correlation of what each sender's packets should give by window with
    what each receiver got. `inputs` is [windows, senders], `outputs` [windows, receivers]; `lags`
    as in `counts.lagged`. 0 where one of the two never changes."""
    expected = _standardised(lagged(inputs, lags))
    return np.asarray(expected.T @ _standardised(outputs) / max(len(inputs), 1), dtype=np.float64)


def likelihood_scores(inputs: Floats, outputs: Floats, lags: Floats) -> Floats:
    """[senders, receivers] the log likelihood ratio in nats of a receiver's counts being Poisson
    with what the sender's packets should give, scaled to the receiver's total, over being Poisson
    with an even mean."""
    expected = lagged(inputs, lags) + FLOOR
    shape = expected / expected.mean(axis=0)
    # The scaled means of all windows add up to the receiver's total, as the even ones do: the
    # terms that are linear in the mean cancel.
    return np.asarray(np.log(shape).T @ outputs, dtype=np.float64)


def _standardised(counts: Floats) -> Floats:
    centred = counts - counts.mean(axis=0)
    spread = centred.std(axis=0)
    return np.asarray(np.where(spread > 0, centred / np.where(spread > 0, spread, 1.0), 0.0))
