"""How much doubt a distribution leaves: entropies, and what they mean as a number of packets.

A posterior is a matrix with a row for each thing that is guessed and a column for each thing that
it may be; rows add up to 1. Spec: docs/spec/laboratory.md (Metrics).
"""

import math

import numpy as np

from experiments.lab.trace import Floats, Ints
from hushmill.errors import UsageError


def shannon_bits(posterior: Floats) -> Floats:
    """[rows] the mean number of yes-or-no questions that are left."""
    positive = np.where(posterior > 0, posterior, 1.0)
    bits: Floats = np.maximum(-(positive * np.log2(positive)).sum(axis=1), 0.0)
    return bits


def min_entropy_bits(posterior: Floats) -> Floats:
    """[rows] what a single best guess is up against: −log2 of the greatest probability."""
    bits: Floats = np.maximum(-np.log2(posterior.max(axis=1)), 0.0)
    return bits


def renyi_bits(posterior: Floats, order: float) -> Floats:
    """[rows] Rényi's entropy of an order from 0 (log2 of how many are possible) to infinity (min-
    entropy); 1 is Shannon's, and 2 is collision entropy. Raises UsageError for an order below 0."""
    if not order >= 0:
        raise UsageError("the order of Rényi's entropy is 0 or more")
    if order == 1:
        return shannon_bits(posterior)
    if math.isinf(order):
        return min_entropy_bits(posterior)
    # Over the greatest probability, so that no high power vanishes.
    greatest = posterior.max(axis=1, keepdims=True)
    powers = np.where(posterior > 0, (posterior / greatest) ** order, 0.0).sum(axis=1)
    sums = np.log2(powers) + order * np.log2(greatest[:, 0])
    bits: Floats = np.maximum(sums / (1 - order), 0.0)
    return bits


def effective_set_size(bits: float) -> float:
    """Among how many that are all alike one would be hidden as well."""
    return float(2.0**bits)


def truth_probability(posterior: Floats, truth: Ints) -> Floats:
    """[rows] what each row gives to the column that is true of it."""
    return posterior[np.arange(len(posterior)), truth]


def top_share(ranks: Floats, places: int) -> float:
    """The share of targets whose truth is among the `places` likeliest; a tie's place is its mean,
    as in `TargetScores.truth_rank`."""
    return float(np.mean(ranks <= places))


def surprise_bits(probabilities: Floats) -> float:
    """The mean of −log2 of the probability given to the truth: as much as the mean entropy, if the
    probabilities are right. Infinite if something that happened was held to be impossible."""
    if np.any(probabilities <= 0):
        return math.inf
    return float(-np.log2(probabilities).mean())
