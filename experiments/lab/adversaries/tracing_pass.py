"""The way of probability through the mixes: one pass over the events, many columns at once.

A column is what is traced: a packet, or all packets of one person. For each pool and column the
observer keeps the expected number of the column's packets inside, `mass`, and for each pool the
number of all packets inside, `size`. An arrival of posterior q adds q; a departure takes
q = mass / size, and the mass loses q. That is exact where every packet inside is as likely to leave
as another: with memoryless delays, and for batches drawn uniformly from what is held.
"""

import numpy as np

from experiments.lab.adversaries.tracing_passage import (
    BEGIN,
    BEGIN_LOST,
    CLEAR,
    END,
    ENTER,
    LEAVE,
    LEAVE_LOST,
    LOSE,
    Passage,
)
from experiments.lab.compiled import kernel
from experiments.lab.trace import Bytes, Floats, Ints

ENDS_A_LOOK = 64  # deliveries between two looks at whether all mass is out


class Pass:
    """Runs passes of at most `columns` columns over one passage, in memory that they share."""

    def __init__(self, passage: Passage, columns: int) -> None:
        self._passage = passage
        self._mass = np.empty((len(passage.pool_mix), columns))
        self._wires = np.empty((passage.slots, columns))
        self._is_empty = np.empty(passage.slots, dtype=np.uint8)
        # Pages that no pass reaches are never touched, so they take up no memory.
        self._posterior = np.empty((len(passage.end), columns))

    def run(self, column: Ints, first: int, enough: float) -> Floats:
        """[R, columns] the posterior of each delivery from event `first` on: row r is the expected
        number of the column's packets that the delivered packet is. Overwritten by the next pass.

        `column` [E] is the column that a packet sent at this event belongs to, or NOBODY. The pass
        is over when `enough` of every column has come out, at the latest with the last event.
        """
        passage = self._passage
        self._mass.fill(0.0)
        self._is_empty.fill(1)
        rows = _carry(
            passage.code,
            passage.slot,
            passage.pool,
            passage.size,
            passage.pool_mix,
            column,
            first,
            enough,
            self._mass,
            self._wires,
            self._is_empty,
            self._posterior,
        )
        return self._posterior[:rows]


@kernel
def has_all(out: Floats, enough: float) -> bool:
    """Whether `enough` of every column is out."""
    has = True
    for each in range(len(out)):
        has = has and out[each] >= enough
    return has


@kernel
def _carry(
    code: Bytes,
    slot: Ints,
    pool: Ints,
    size: Ints,
    pool_mix: Ints,
    column: Ints,
    first: int,
    enough: float,
    mass: Floats,
    wires: Floats,
    is_empty: Bytes,
    posterior: Floats,
) -> int:
    """Fills `posterior` and returns how many rows. `is_empty` marks slots without any mass, whose
    content is not read."""
    columns = mass.shape[1]
    out = np.zeros(columns)  # what has come out of the network, delivered or lost
    rows = 0
    for event in range(first, len(code)):
        what, lies, held = code[event], slot[event], pool[event]
        if what == LEAVE:
            is_empty[lies] = 0
            if size[event] > 0:
                share = 1.0 / size[event]
                for each in range(columns):
                    leaving = mass[held, each] * share
                    mass[held, each] -= leaving
                    wires[lies, each] = leaving
            else:
                is_empty[lies] = 1
        elif what == ENTER:
            if is_empty[lies] == 0:
                for each in range(columns):
                    mass[held, each] += wires[lies, each]
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
        elif what == LEAVE_LOST:
            if size[event] > 0:
                share = 1.0 / size[event]
                for each in range(columns):
                    leaving = mass[held, each] * share
                    mass[held, each] -= leaving
                    out[each] += leaving
        elif what == BEGIN_LOST:
            if column[event] >= 0:
                out[column[event]] += 1.0
        elif what == CLEAR:
            for other in range(len(pool_mix)):
                if pool_mix[other] == held:
                    for each in range(columns):
                        out[each] += mass[other, each]
                        mass[other, each] = 0.0
    return rows
