"""What a finished posterior says of each traced packet: entropies, and what it gave the truth."""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.lab.compiled import kernel
from experiments.lab.trace import Floats, Ints

# Two probabilities are held to be equal if they differ by less than this share: they are the same
# fraction of a pool, come by in another order.
EQUAL_SHARE = 1e-9

# A float64 is 52 bits of fraction under 11 of exponent. An exponent written into the fraction of
# 2^52 is that number plus 2^52.
_FRACTION_BITS = np.uint64(52)
_FRACTION = np.uint64(2**52 - 1)
_ONE = np.uint64(0x3FF0000000000000)
_TWO_TO_52 = np.uint64(0x4330000000000000)
_EXPONENT_OFFSET = 2.0**52 + 1023
_ROOT = math.sqrt(2)
_S1, _S3, _S5, _S7, _S9, _S11, _S13 = (2 / math.log(2) / power for power in range(1, 14, 2))
# The line nearest to 1/d for d from 1 + √½ to 1 + √2 (1.5 % off at most), by Chebyshev.
_LINE_FROM, _LINE_SLOPE = 0.98506150, 0.23901600

# The rows of what `scores` returns.
ENTROPY, MIN_ENTROPY, COLLISION, TRUTH, RANK, MASS = range(6)


def scores(posterior: Floats, truth: Ints, deliveries: int) -> Floats:
    """[6, T] Shannon entropy, min-entropy and collision entropy in bits, the probability given to
    the truth, its rank, and the mass, of each column of `posterior` [R, T].

    `truth` [T] is the row of the true delivery; one outside of `posterior` had no probability, as
    have those of all `deliveries` that are no row. All but the mass are of the column over its
    mass; with no mass there is no doubt and no hit: 0 bits and 0. The rank is 1 for a truth more
    likely than all else, and among equals the mean of the places that they share.
    """
    found = np.zeros((6, posterior.shape[1]))
    patterns = posterior.view(np.uint64)
    _sums(posterior, patterns, found[ENTROPY], found[COLLISION], found[MIN_ENTROPY], found[MASS])
    mass = np.where(found[MASS] > 0, found[MASS], 1.0)
    has_mass = found[MASS] > 0
    found[ENTROPY] = np.where(has_mass, np.log2(mass) - found[ENTROPY] / mass, 0.0)
    for row, power in ((COLLISION, 2), (MIN_ENTROPY, 1)):
        inner = np.where(has_mass, found[row], 1.0)
        found[row] = np.where(has_mass, power * np.log2(mass) - np.log2(inner), 0.0)
    np.maximum(found[:TRUTH], 0.0, out=found[:TRUTH])  # −0 and the last digit
    is_row = (truth >= 0) & (truth < len(posterior))
    if len(posterior):
        at = np.where(is_row, truth, 0)
        given = np.where(is_row, posterior[at, np.arange(posterior.shape[1])], 0.0)
        _ranks(posterior, given, found[RANK], deliveries)
        found[TRUTH] = given / mass
    else:
        found[RANK] = (deliveries + 1) / 2
    return found


@kernel
def _sums(
    posterior: Floats,
    patterns: NDArray[np.uint64],
    logs: Floats,
    squares: Floats,
    most: Floats,
    mass: Floats,
) -> None:
    """Adds up q log2 q, q² and q over each column, and finds the greatest q. `patterns` are the
    bits of `posterior`.

    Half of the time of tracing goes into logarithms, and the compiler cannot call the library's for
    four numbers at a time. So the exponent is read off the bits, and the rest is the series in
    s = (m − 1)/(m + 1) for m from √½ to √2, which after s¹³ leaves off less than 1e-12 bits. Nor
    can it divide four at a time (it would have to look for a division by 0), so 1/(m + 1) is found
    by two cubic steps from a line. Of q = 0 the logarithm comes out finite, and counts nothing.
    """
    rows, columns = posterior.shape
    exponent, fraction, log = np.empty(columns), np.empty(columns), np.empty(columns)
    exponent_pattern, fraction_pattern = exponent.view(np.uint64), fraction.view(np.uint64)
    for row in range(rows):
        for each in range(columns):
            pattern = patterns[row, each]
            exponent_pattern[each] = (pattern >> _FRACTION_BITS) | _TWO_TO_52
            fraction_pattern[each] = (pattern & _FRACTION) | _ONE
        for each in range(columns):
            whole, part = exponent[each] - _EXPONENT_OFFSET, fraction[each]
            is_high = part > _ROOT
            part = part * 0.5 if is_high else part
            whole = whole + 1.0 if is_high else whole
            divisor = part + 1.0
            inverse = _LINE_FROM - _LINE_SLOPE * divisor
            wrong = 1.0 - divisor * inverse
            inverse += inverse * (wrong + wrong * wrong)
            wrong = 1.0 - divisor * inverse
            inverse += inverse * (wrong + wrong * wrong)
            s = (part - 1.0) * inverse
            z = s * s
            z2 = z * z
            tail = (_S9 + z * _S11) + z2 * _S13
            log[each] = whole + s * ((_S1 + z * _S3) + z2 * ((_S5 + z * _S7) + z2 * tail))
        for each in range(columns):
            value = posterior[row, each]
            logs[each] += value * log[each]
            squares[each] += value * value
            most[each] = value if value > most[each] else most[each]
            mass[each] += value


@kernel
def _ranks(posterior: Floats, given: Floats, rank: Floats, deliveries: int) -> None:
    """The place of `given` in each column. Deliveries that are no row count as zeros."""
    rows, columns = posterior.shape
    above = given * (1 + EQUAL_SHARE)
    below = given * (1 - EQUAL_SHARE)
    greater = np.zeros(columns)
    least = np.zeros(columns)
    for row in range(rows):
        for each in range(columns):
            value = posterior[row, each]
            greater[each] += 1.0 if value > above[each] else 0.0
            least[each] += 1.0 if value >= below[each] else 0.0
    for each in range(columns):
        equals = (deliveries if given[each] == 0 else least[each]) - greater[each]
        rank[each] = greater[each] + (equals + 1) / 2
