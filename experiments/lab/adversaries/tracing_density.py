"""Tracing where mixes do have a memory: arrivals weighed by the delay's density.

With delays of a law that is not exponential, a packet that has just come in is not as likely to
leave next as one that has waited. What a departure takes from each arrival is worked out once
(`tracing_matching.py`); here it is applied to what came in. Exact for constant delays.
"""

import numpy as np

from experiments.lab.adversaries.tracing_matching import LAWS, KnownDelays, density, matched
from experiments.lab.adversaries.tracing_pass import ENDS_A_LOOK, has_all
from experiments.lab.adversaries.tracing_passage import (
    BEGIN,
    BEGIN_LOST,
    END,
    ENTER,
    LEAVE,
    LEAVE_LOST,
    LOSE,
    Passage,
)
from experiments.lab.compiled import kernel
from experiments.lab.trace import Bytes, Floats, Ints, Observation


class DensityPass:
    """What `Pass` is, for delays of a known law."""

    def __init__(
        self, observation: Observation, passage: Passage, delays: KnownDelays, columns: int
    ) -> None:
        self._passage = passage
        self._time = observation.time
        self._law = LAWS[delays.law]
        self._mean = delays.mean_seconds
        self._matching = matched(observation, passage, delays)
        self._wires = np.empty((passage.slots, columns))
        self._is_empty = np.empty(passage.slots, dtype=np.uint8)
        arrivals = len(self._matching.time)
        self._held = np.empty((arrivals, columns))
        self._has_mass = np.empty(arrivals, dtype=np.uint8)
        self._posterior = np.empty((len(passage.end), columns))

    def run(self, column: Ints, first: int, enough: float) -> Floats:
        """As `Pass.run`."""
        passage, matching = self._passage, self._matching
        self._is_empty.fill(1)
        self._has_mass.fill(0)
        rows = _carry(
            passage.code,
            passage.slot,
            self._time,
            column,
            first,
            enough,
            matching.event,
            matching.time,
            matching.row,
            matching.column,
            matching.leaves,
            matching.first,
            matching.last,
            self._law,
            self._mean,
            self._held,
            self._has_mass,
            self._wires,
            self._is_empty,
            self._posterior,
        )
        return self._posterior[:rows]


@kernel
def _carry(
    code: Bytes,
    slot: Ints,
    time: Floats,
    column: Ints,
    first_event: int,
    enough: float,
    place: Ints,
    arrival_time: Floats,
    row: Floats,
    departure: Floats,
    leaves: Floats,
    first: Ints,
    last: Ints,
    law: int,
    mean: float,
    held: Floats,
    has_mass: Bytes,
    wires: Floats,
    is_empty: Bytes,
    posterior: Floats,
) -> int:
    """Fills `posterior` and returns how many rows, as the kernel of `Pass` does."""
    columns = held.shape[1]
    out = np.zeros(columns)
    leaving = np.zeros(columns)
    rows = 0
    for event in range(first_event, len(code)):
        what, lies = code[event], slot[event]
        if what in (LEAVE, LEAVE_LOST):
            for each in range(columns):
                leaving[each] = 0.0
            which = place[event]
            for other in range(first[which], last[which]):
                if has_mass[other] == 0:
                    continue
                age = time[event] - arrival_time[other]
                share = row[other] * departure[which] * density(law, age, mean)
                for each in range(columns):
                    leaving[each] += share * held[other, each]
            if what == LEAVE:
                is_empty[lies] = 0
                for each in range(columns):
                    wires[lies, each] = leaving[each]
            else:
                for each in range(columns):
                    out[each] += leaving[each]
        elif what == ENTER:
            if is_empty[lies] == 0:
                which = place[event]
                has_mass[which] = 1
                for each in range(columns):
                    held[which, each] = wires[lies, each]
                    out[each] += wires[lies, each] * (1.0 - leaves[which])
        elif what == END:
            if lies < 0 or is_empty[lies] == 1:
                for each in range(columns):
                    posterior[rows, each] = 0.0
            else:
                for each in range(columns):
                    posterior[rows, each] = wires[lies, each]
                    out[each] += wires[lies, each]
            rows += 1
            if rows % ENDS_A_LOOK == 0 and has_all(out, enough):
                break
        elif what == BEGIN:
            is_empty[lies] = 1
            if column[event] >= 0:
                is_empty[lies] = 0
                for each in range(columns):
                    wires[lies, each] = 0.0
                wires[lies, column[event]] = 1.0
        elif what == LOSE:
            if is_empty[lies] == 0:
                for each in range(columns):
                    out[each] += wires[lies, each]
        elif what == BEGIN_LOST and column[event] >= 0:
            out[column[event]] += 1.0
    return rows
