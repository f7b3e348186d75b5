"""How much anonymity a mix network can give: closed forms, in bits and probabilities.

Pure arithmetic, so that what a person reads in `status`, what an operator reads in `lab profile`
and what the laboratory's simulations are checked by is one text. "Bits" are Shannon entropy of an
observer's belief; "held" packets are those in one mix, `rate * mean delay / width` on average.
Where a source is named it is for the formula; papers that were not re-read are named as such in
docs/spec/laboratory.md (Closed forms), which also has the derivations.
Every function raises UsageError for arguments that cannot be.
"""

import math
from collections.abc import Callable, Sequence

from hushmill.errors import UsageError

# Above it the limits below differ from the exact values by less than 10⁻⁶ bits, and 10⁻⁶.
_LIMIT_FROM_HELD = 500.0
_EULER = 0.5772156649015329
# Of replicas that never part, see `_meeting_probability`: more layers part them hardly more often.
_LAYERS_THAT_PART = 3
# Of a route: more are refused, since the forms take as many steps.
_LAYERS_MAX = 10_000
# Up to here a quotient of whole numbers, above it of their logarithms: doubles end at 2^1024.
_WHOLE_LAYERS = 500


def single_mix_entropy_bits(packets_held: float) -> float:
    """Mean entropy of where a packet leaves one memoryless mix of `packets_held` (ρ) on average.

    Exact for Poisson arrivals and exponential delays. With n inside, the target among them,
    F(n) = [ρ F(n+1) + n h₂(1/n) + (n−1) F(n−1)] / (ρ + n), since a departure is the target with
    probability 1/n; a target that arrives meets n − 1 ~ Poisson(ρ). From ρ = 500 on it is
    `single_mix_entropy_limit_bits`, which differs by less than 10⁻⁶ bits there. 0 for ρ = 0.
    """
    _not_negative(packets_held=packets_held)
    if packets_held >= _LIMIT_FROM_HELD:
        return single_mix_entropy_limit_bits(packets_held)
    return _met_by_an_arrival(
        packets_held, lambda inside: inside * _coin_bits(1 / inside), lambda inside: inside - 1.0
    )


def single_mix_entropy_limit_bits(packets_held: float) -> float:
    """log₂(e ρ): the single mix's entropy for ρ ≥ 10 (Danezis, PET 2004, equation 13)."""
    _positive(packets_held=packets_held)
    return math.log2(math.e * packets_held)


def layered_entropy_bits(
    rate_per_second: float, mean_delay_seconds: float, layers: int, width: int
) -> float:
    """Entropy of where a packet leaves `layers` layers of `width` mixes, if pools were very large.

    log₂(rate) + h(Gamma(layers, mean delay)) / ln 2 for two layers or more: all that the observer
    then has is the law of the whole delay. log₂(e rate mean / width) for one. An *upper*
    approximation, far too high for small pools, and below zero where it has no meaning.
    """
    _check_network(rate_per_second, mean_delay_seconds, layers, width)
    _positive(rate_per_second=rate_per_second)
    inside = rate_per_second * mean_delay_seconds
    _positive(rate_times_mean_delay=inside)
    if layers == 1:
        return single_mix_entropy_limit_bits(inside / width)
    return math.log2(inside) + _delay_law_bits(layers)


def packet_entropy_bits(
    rate_per_second: float, mean_delay_seconds: float, layers: int, width: int
) -> float:
    """Doubt of an observer of every link about where one packet went (or came from), in bits.

    `rate_per_second` is all traffic that crosses each layer, spread evenly over its `width`
    memoryless mixes. For one layer exact. For more it is meant never to overstate:
    it is the larger of
    - the exact entropy of a single mix: every further honest layer moves probability by a doubly
      stochastic matrix, which lowers no entropy (a proof);
    - −log₂ c + (1 − a) g. c is the probability that two independent draws from the observer's
      belief agree (`_meeting_probability`), so −log₂ c the collision entropy, which is below
      Shannon's; g is what lies between the two for the bare law of the delay; a is c for one mix,
      so that g fades with the traffic.
    Where pools are large that is `layered_entropy_bits`; with no traffic it is 0. The second term
    is no proof: docs/spec/laboratory.md says on which grid simulations hold it to 0.05 bits.
    """
    _check_network(rate_per_second, mean_delay_seconds, layers, width)
    held = rate_per_second * mean_delay_seconds / width
    floor = single_mix_entropy_bits(held)
    if layers == 1 or held == 0:
        return floor
    alike = _single_mix_meeting(held)
    between = _delay_law_bits(layers) + math.log2(_delay_law_meeting(layers))
    met = _meeting_probability(rate_per_second, mean_delay_seconds, layers, width)
    return max(floor, -math.log2(met) + (1 - alike) * between)


def sender_entropy_bits(
    clients: float, rate_per_second: float, mean_delay_seconds: float, layers: int, width: int
) -> float:
    """Doubt of an observer of every link about *who* sent one packet, in bits; 0 for one client.

    `clients` people send at equal rates, `rate_per_second` in all. The observer's belief about the
    packet's place among all sent ones is spread over people as if dealt: two draws from it agree
    on the packet with probability c, and on the person with c + (1 − c) / clients. Its collision
    entropy −log₂(c + (1 − c) / clients) is below Shannon's, above neither log₂(clients) nor
    `packet_entropy_bits`, and falls to 0 with the traffic. c as in `packet_entropy_bits`.
    """
    _check_network(rate_per_second, mean_delay_seconds, layers, width)
    _not_negative(clients=clients)
    if clients <= 1:
        return 0.0
    met = _meeting_probability(rate_per_second, mean_delay_seconds, layers, width)
    return max(0.0, -math.log2(met + (1 - met) / clients))


def pool_mix_entropy_bits(arrivals: int, kept: int) -> float:
    """Entropy of a packet's sender at a pool mix that takes `arrivals` (N) a round and keeps `kept`
    (n): (1 + n/N) log₂(N + n) − (n/N) log₂ n (Serjantov and Danezis, PET 2002)."""
    if arrivals < 1 or kept < 0:
        raise UsageError("a pool mix takes at least one packet and keeps none or more")
    share = kept / arrivals
    rest = share * math.log2(kept) if kept else 0.0
    return (1 + share) * math.log2(arrivals + kept) - rest


def pool_packet_entropy_bits(arrivals: float, kept: float) -> float:
    """The same for a whole network of timed pools, to which `arrivals` of other people's packets
    come a round in the mean, and in which `kept` of them stay.

    The single pool's entropy at the whole numbers below both: what arrives is no constant number,
    but the round of a given packet is larger than the mean one, and every further honest layer
    moves probability by a doubly stochastic matrix. 0 with fewer than one arrival a round.
    """
    _not_negative(arrivals=arrivals, kept=kept)
    return pool_mix_entropy_bits(int(arrivals), int(kept)) if arrivals >= 1 else 0.0


def pool_sender_entropy_bits(clients: float, arrivals: float, kept: float) -> float:
    """Doubt about *who* sent one packet there, in bits; 0 for one client.

    As `sender_entropy_bits`, with c of a single pool of N arrivals and n kept: a packet that leaves
    came k rounds ago with probability N/(N + n) (n/(N + n))^k, as one of N, so that two draws agree
    with Σ N [(n/(N + n))^k / (N + n)]² = 1/(N + 2n).
    """
    _not_negative(clients=clients, arrivals=arrivals, kept=kept)
    if clients <= 1 or arrivals < 1:
        return 0.0
    met = 1 / (int(arrivals) + 2 * int(kept))
    return max(0.0, -math.log2(met + (1 - met) / clients))


def path_compromise_probability(nodes: int, corrupt: int, layers: int) -> float:
    """Probability that all of `layers` distinct nodes, drawn from `nodes` (N) of which `corrupt`
    (B) are corrupt, are: Π (B − i) / (N − i). For routes without fixed layers."""
    if not (0 <= corrupt <= nodes and 1 <= layers <= nodes):
        raise UsageError("a route has 1 to `nodes` nodes, and no more than all are corrupt")
    _check_layers(layers)
    return math.prod(max(0, corrupt - place) / (nodes - place) for place in range(layers))


def layer_compromise_probability(width: int, corrupt_in_layer: Sequence[int]) -> float:
    """Probability that a route takes a corrupt mix in every layer of `width`, one drawn a layer."""
    if width < 1 or not corrupt_in_layer or not all(0 <= c <= width for c in corrupt_in_layer):
        raise UsageError("a layer has at least one mix, of which 0 to `width` are corrupt")
    return math.prod(corrupt / width for corrupt in corrupt_in_layer)


def fifo_guess_probability(user_rate: float, mix_rate: float) -> float:
    """Probability that packets leave one memoryless hop in the order in which they came, for two
    packets of one user: 1 − λu / (2 (λu + λ)), λu the user's rate of sending, λ one over the mean
    delay (the guess of Das et al., PoPETs 2024)."""
    _positive(user_rate=user_rate, mix_rate=mix_rate)
    return 1 - user_rate / (2 * (user_rate + mix_rate))


def blending_probability(
    mean_delay_seconds: float, loop_rate: float, other_rate: float, thinning: float
) -> float:
    """Probability that an n − 1 attacker picks its target among what leaves one mix, at most 1.

    s μ / (s λ_M + λ_R) (Loopix, section 4.2.1): the attacker lets one in `thinning` (s) of the
    other packets (λ_R a second) come to a mix that itself sends `loop_rate` (λ_M) loops a second;
    1/μ is the mean delay. So it is one over the packets that the target then meets. With `thinning`
    infinite only the mix's loops are left.
    """
    _positive(mean_delay_seconds=mean_delay_seconds)
    if not thinning > 0:
        raise UsageError("thinning must be above zero")
    _not_negative(loop_rate=loop_rate, other_rate=other_rate)
    met = (loop_rate + other_rate / thinning) * mean_delay_seconds
    return 1.0 if met <= 1 else 1 / met


def timed_blending_probability(
    interval_seconds: float, loop_rate: float, other_rate: float, thinning: float
) -> float:
    """The same at a mix that sends in rounds: (1 − e^−x) / x, x the packets expected in a round
    beside the target.

    A timed pool comes to that under an attacker who sends enough packets of its own, which it
    knows again, to fill the pool: then target and loops leave in the round in which they came.
    """
    _positive(interval_seconds=interval_seconds)
    if not thinning > 0:
        raise UsageError("thinning must be above zero")
    _not_negative(loop_rate=loop_rate, other_rate=other_rate)
    met = (loop_rate + other_rate / thinning) * interval_seconds
    return -math.expm1(-met) / met if met > 0 else 1.0


def older_message_probability(initial: int, arrived: int, remaining: int) -> float:
    """Probability that what leaves next is a given one of `initial` (n) packets, of which
    `remaining` (k) are still inside with `arrived` (l) later ones: k / (n (l + k)) (Loopix,
    Theorem 1)."""
    if not 0 <= remaining <= initial or initial < 1 or arrived < 0 or arrived + remaining < 1:
        raise UsageError("of `initial` packets up to all remain, and one or more are inside")
    return remaining / (initial * (arrived + remaining))


def newer_message_probability(arrived: int, remaining: int) -> float:
    """Probability that what leaves next is a given one of the `arrived` (l) later packets, beside
    `remaining` (k) older ones: 1 / (l + k) (Loopix, Theorem 1)."""
    if arrived < 1 or remaining < 0:
        raise UsageError("at least one later packet is inside")
    return 1 / (arrived + remaining)


def trilemma_bound(latency_hops: float, cover_share: float) -> float:
    """The most that 1 − ε of sender anonymity can be at a latency of ℓ hops and a share β of cover
    a user and hop: min(1, 2 ℓ β) (Das et al., S&P 2018, Theorem 2)."""
    _not_negative(latency_hops=latency_hops, cover_share=cover_share)
    return min(1.0, 2 * latency_hops * cover_share)


def least_squares_error(
    rounds: float, batch: float, sender_share: float, profile: Sequence[float]
) -> float:
    """Squared error, summed over receivers, of a least-squares disclosure of one user's `profile`.

    (1/ρ) (1/f − 1 + 1/t) Σ p (1 − p) after `rounds` (ρ) rounds of `batch` (t) messages, of which
    each is the user's with probability `sender_share` (f) and then goes to receiver i with
    probability `profile[i]`; a batch of ten from 50 equal users has f = 1/50. Derived in the form
    of Perez-Gonzalez and Troncoso (2012) for users of like profiles; an approximation for many
    rounds. Without habits, a single receiver in the profile, there is nothing to err about: 0.
    """
    _positive(rounds=rounds, batch=batch, sender_share=sender_share)
    if sender_share > 1 or any(not 0 <= p <= 1 for p in profile):
        raise UsageError("shares and probabilities are between 0 and 1")
    if not math.isclose(math.fsum(profile), 1, abs_tol=1e-9):
        raise UsageError("the probabilities of a profile add up to 1")
    spread = math.fsum(p * (1 - p) for p in profile)
    return (1 / sender_share - 1 + 1 / batch) * spread / rounds


def _meeting_probability(
    rate_per_second: float, mean_delay_seconds: float, layers: int, width: int
) -> float:
    """c: an upper estimate of the probability that two independent draws from the observer's
    belief about one packet are the same packet.

    Either the draws never part: a in one mix (exact), so a² and a³ in two and three; or they part
    and meet by chance, for which pools of real packets are no likelier than a stream of the rate
    would be: ∫ f² / rate, f the density of the whole delay. Layers beyond the third are not relied
    on to part them. Never above the exact value of one mix, since further layers only lower it.
    """
    held = rate_per_second * mean_delay_seconds / width
    if held == 0:
        return 1.0
    alike = _single_mix_meeting(held)
    if layers == 1:
        return alike
    by_chance = _delay_law_meeting(layers) / (held * width)
    return min(alike, alike ** min(layers, _LAYERS_THAT_PART) + by_chance)


def _single_mix_meeting(packets_held: float) -> float:
    """a: the same for one mix, exactly: G(n) = [ρ G(n+1) + 1/n + (n−1)²/n G(n−1)] / (ρ + n).
    From ρ = 500 on its expansion 1/(2ρ) + 1/(12ρ²), which differs by less than 10⁻⁶."""
    if packets_held >= _LIMIT_FROM_HELD:
        return (1 + 1 / (6 * packets_held)) / (2 * packets_held)
    return _met_by_an_arrival(
        packets_held, lambda inside: 1 / inside, lambda inside: (inside - 1) ** 2 / inside
    )


def _met_by_an_arrival(
    packets_held: float, gain: Callable[[int], float], kept: Callable[[int], float]
) -> float:
    """Σ Poisson(n − 1; ρ) F(n), where (ρ + n) F(n) = ρ F(n+1) + gain(n) + kept(n) F(n−1).

    Solved from a top that an arrival never meets down to n = 1, F(n) as a line in F(n−1): the
    system is diagonally dominant, so errors shrink on the way and no guess at F(1) is needed.
    """
    top = int(packets_held + 12 * math.sqrt(packets_held) + 40)
    constant, slope = 0.0, 1.0  # F(top + 1) = F(top)
    lines: list[tuple[float, float]] = []
    for inside in range(top, 0, -1):
        scale = packets_held + inside - packets_held * slope
        constant = (gain(inside) + packets_held * constant) / scale
        slope = kept(inside) / scale
        lines.append((constant, slope))
    value = total = 0.0
    chance = math.exp(-packets_held)
    for met, (constant, slope) in enumerate(reversed(lines)):
        value = constant + slope * value
        total += chance * value
        chance *= packets_held / (met + 1)
    return total


def _delay_law_bits(layers: int) -> float:
    """h(Gamma(k, 1)) / ln 2 = [k + ln Γ(k) + (1 − k) ψ(k)] / ln 2."""
    digamma = -_EULER + math.fsum(1 / term for term in range(1, layers))
    return (layers + math.lgamma(layers) + (1 - layers) * digamma) / math.log(2)


def _delay_law_meeting(layers: int) -> float:
    """∫ f² for Gamma(k, 1): C(2k − 2, k − 1) / 2^(2k − 1)."""
    if layers > _WHOLE_LAYERS:
        log = math.lgamma(2 * layers - 1) - 2 * math.lgamma(layers)
        return math.exp(log - (2 * layers - 1) * math.log(2))
    return math.comb(2 * layers - 2, layers - 1) / float(2 ** (2 * layers - 1))


def _coin_bits(chance: float) -> float:
    """Entropy of an event of that probability."""
    if chance in (0.0, 1.0):
        return 0.0
    return -chance * math.log2(chance) - (1 - chance) * math.log2(1 - chance)


def _check_network(rate: float, mean_delay_seconds: float, layers: int, width: int) -> None:
    _not_negative(rate_per_second=rate)
    _positive(mean_delay_seconds=mean_delay_seconds)
    if layers < 1 or width < 1:
        raise UsageError("a network has at least one layer and one mix in each")
    _check_layers(layers)


def _check_layers(layers: int) -> None:
    if layers > _LAYERS_MAX:
        raise UsageError(f"layers must be at most {_LAYERS_MAX:,}")


def _positive(**values: float) -> None:
    for key, value in values.items():
        if not math.isfinite(value) or value <= 0:
            raise UsageError(f"{key} must be above zero")


def _not_negative(**values: float) -> None:
    for key, value in values.items():
        if not math.isfinite(value) or value < 0:
            raise UsageError(f"{key} must not be negative")
