"""The anonymity trilemma: how far a network is from what its latency and its cover allow.

Das, Meiser, Mohammadi and Kate, S&P 2018, Theorem 2, as given in the design: strong anonymity is
impossible where 2 l beta < 1 - epsilon(eta). Spec: docs/spec/laboratory.md (Games).
"""

from dataclasses import dataclass

from pki import trilemma_bound


@dataclass(frozen=True, slots=True)
class Trilemma:
    """A network's place beside the bound.

    latency_hops     rounds that a packet takes; a round is the mean delay of one mix
    cover_share      packets that a user sends a round, at most 1
    most_anonymity   the most that 1 - advantage can be, by the theorem
    anonymity        1 - advantage, measured
    """

    latency_hops: float
    cover_share: float
    most_anonymity: float
    anonymity: float

    @property
    def distance(self) -> float:
        """What the bound leaves between it and the network; the network would break the theorem
        below 0."""
        return self.most_anonymity - self.anonymity


def trilemma_of(
    layers: int, packets_per_second_a_user: float, mean_delay_seconds: float, advantage: float
) -> Trilemma:
    """The place of a network of `layers` mixes a route whose adversary has `advantage` in telling
    two senders apart. Delays are random and the theorem's rounds are not: approximate."""
    cover = min(1.0, packets_per_second_a_user * mean_delay_seconds)
    return Trilemma(float(layers), cover, trilemma_bound(float(layers), cover), 1.0 - advantage)
