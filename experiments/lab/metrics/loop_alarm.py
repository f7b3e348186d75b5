"""What a watcher learns of loops in a trace, and when the alarm stands over them.

The bound itself is the product's: `pki.fewest_allowed`. Spec: docs/spec/laboratory.md (The alarm on
lost loops).
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.trace import Flags, Floats


@dataclass(frozen=True, slots=True)
class Loops:
    """The loops of one watcher in the order in which it learned of them, [N] each.

    begun        seconds at which each was sent
    known        seconds at which it came back, or was given up
    is_returned  which it was
    """

    begun: Floats
    known: Floats
    is_returned: Flags


def watched(begun: Floats, ended: Floats, timeout_seconds: float) -> Loops:
    """What a watcher knows of loops begun and ended at these times, NaN for those that never came
    back. A loop later than `timeout_seconds` was given up before."""
    taken = ended - begun
    is_returned = ~np.isnan(taken) & (np.nan_to_num(taken) <= timeout_seconds)
    known = begun + np.where(is_returned, np.nan_to_num(taken), timeout_seconds)
    order = np.argsort(known, kind="stable")
    return Loops(begun[order], known[order], is_returned[order])


def alarms(loops: Loops, window_loops: int, fewest: int) -> Flags:
    """[N] whether the alarm stands after each loop, over the last `window_loops`; never before so
    many are known."""
    returned = np.cumsum(np.r_[0, loops.is_returned])
    found = np.zeros(len(loops.begun), dtype=np.bool_)
    if len(found) >= window_loops:
        found[window_loops - 1 :] = returned[window_loops:] - returned[:-window_loops] < fewest
    return found
