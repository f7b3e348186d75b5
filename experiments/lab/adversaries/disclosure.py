"""Disclosure: to whom a person writes, from who sent and who received, round after round.

Statistical disclosure is after Danezis 2003 and least squares after Perez-Gonzalez and Troncoso
2012, both as remembered: the papers were not read again. The closed forms below were derived anew
and are held against simulation. Spec: docs/spec/laboratory.md (Long-term adversaries).
"""

import math
from dataclasses import dataclass

import numpy as np

from experiments.lab.adversaries.counts import Counts, lagged
from experiments.lab.outcome import Quality
from experiments.lab.trace import Flags, Floats

QUALITY = Quality.SAMPLED


@dataclass(frozen=True, slots=True)
class Granted:
    """What the observer is told of the network's public parameters.

    lags                 share of a window's packets that come out so many windows later
    mix_cover_per_round  packets a window that the mix sends to `receivers` people alike
    """

    lags: Floats
    mix_cover_per_round: float
    receivers: int


def statistical_disclosure(counts: Counts, targets: int) -> Floats:
    """[targets, people] scores of the first `targets` people, higher for likelier contacts.

    The mean received in windows in which the target sent, less the mean in the others. Where the
    target sent in every window nothing can be subtracted, and the mean itself is the score. A
    person who never sent has a row of zeros.
    """
    took_part = (counts.sent[:, :targets] > 0).astype(np.float64)
    windows = took_part.sum(axis=0)[:, None]
    among = _summed(took_part, counts.received)
    apart = counts.received.sum(axis=0) - among
    score = among / np.maximum(windows, 1) - apart / np.maximum(len(took_part) - windows, 1)
    return np.asarray(np.where(windows > 0, score, 0.0), dtype=np.float64)


def least_squares_profiles(counts: Counts, granted: Granted) -> Floats:
    """[people, people] the estimated share of each sender's payload that goes to each receiver.

    The least-squares solution of received = expected arrivals · profiles, divided by the share of
    all packets that reach anybody, so that cover scales nothing. A person who never sent has a row
    of zeros. Entries can be negative.
    """
    expected = lagged(counts.sent, granted.lags)
    received = counts.received.copy()
    received[:, : granted.receivers] -= granted.mix_cover_per_round / granted.receivers
    profiles = np.zeros((expected.shape[1], received.shape[1]))
    active = np.flatnonzero(counts.sent.any(axis=0))
    total = expected.sum()
    if len(active) == 0 or total <= 0:
        return profiles
    arrivals = expected[:, active]
    # A pseudo-inverse, since people who always send together cannot be told apart.
    solved = np.linalg.pinv(_summed(arrivals, arrivals), hermitian=True) @ _summed(
        arrivals, received
    )
    payload_share = max(received.sum() / total, 1e-9)
    profiles[active] = solved / payload_share
    return profiles


def _summed(left: Floats, right: Floats) -> Floats:
    """[a, b] the products of each column of `left` with each of `right`, summed over windows.

    By numpy's own loop: a linear-algebra library would start threads, which wait for each other
    where every core is busy with a replicate, and add in an order that depends on their number.
    """
    return np.asarray(np.einsum("wa,wb->ab", left, right), dtype=np.float64)


def recall(scores: Floats, contacts: Flags) -> Floats:
    """[rows] the share of each row's true contacts among its best-scored so many.

    `scores` and `contacts` are [rows, people]. Equal scores at the border share the places left.
    """
    many = contacts.sum(axis=1)
    ranked = -np.sort(-scores, axis=1)
    border = ranked[np.arange(len(scores)), np.maximum(many, 1) - 1][:, None]
    above, level = scores > border, scores == border
    places = many - above.sum(axis=1)
    hits = (above & contacts).sum(axis=1)
    hits = hits + places * (level & contacts).sum(axis=1) / np.maximum(level.sum(axis=1), 1)
    return np.asarray(hits / np.maximum(many, 1), dtype=np.float64)


def squared_error(profiles: Floats, truth: Floats) -> Floats:
    """[users] a user's squared error, summed over receivers. `truth` is [users, receivers]."""
    users, receivers = truth.shape
    return np.asarray(((profiles[:users, :receivers] - truth) ** 2).sum(axis=1), dtype=np.float64)


def rounds_to_separate(contacts: int, receivers: int, batch: int, confidence: float) -> float:
    """Rounds until a contact's count stands clear of another's by `confidence` standard deviations
    of each, for a target that sends one packet in every round of `batch`, evenly to `contacts`.

    Each round adds a mean of 1/m, and a variance of (b-1)(N-1)/N^2 from the others, and for a
    contact of (m-1)/m^2 more: [m l (sqrt(v0) + sqrt(v1))]^2 rounds. The bound of Danezis 2003 in
    the form remembered (46 rounds for m=5, l=2, N=1000, b=50); the paper was not read again.
    """
    others = (batch - 1) * (receivers - 1) / receivers**2
    own = (contacts - 1) / contacts**2
    spread = math.sqrt(others) + math.sqrt(others + own)
    return (contacts * confidence * spread) ** 2
