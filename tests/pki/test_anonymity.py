"""The closed forms against published and exact values, and the laws that they must keep."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.errors import UsageError
from pki import (
    blending_probability,
    fifo_guess_probability,
    layer_compromise_probability,
    layered_entropy_bits,
    least_squares_error,
    newer_message_probability,
    older_message_probability,
    packet_entropy_bits,
    path_compromise_probability,
    pool_mix_entropy_bits,
    pool_packet_entropy_bits,
    pool_sender_entropy_bits,
    sender_entropy_bits,
    single_mix_entropy_bits,
    single_mix_entropy_limit_bits,
    timed_blending_probability,
    trilemma_bound,
)

RATES = st.floats(0, 5000)
DELAYS = st.floats(0.01, 30)
LAYERS = st.integers(1, 8)
WIDTHS = st.integers(1, 50)


@pytest.mark.parametrize(
    ("held", "bits"), [(1, 1.5112), (2, 2.4088), (5, 3.7549), (10, 4.7630), (45, 6.9345)]
)
def test_a_single_mix_gives_the_exact_values(held: float, bits: float) -> None:
    """Rows A02 to A04 of the published values."""
    assert single_mix_entropy_bits(held) == pytest.approx(bits, abs=5e-5)


def test_a_single_mix_of_two_packets_by_hand() -> None:
    """With next to no traffic a target finds another inside with probability ρ, and another joins
    it with probability ρ; in either case the two hide one bit."""
    assert single_mix_entropy_bits(1e-6) == pytest.approx(2e-6, rel=1e-3)
    assert single_mix_entropy_bits(0) == 0


def test_a_single_mix_has_no_seam_where_its_limit_begins() -> None:
    below, above = single_mix_entropy_bits(499.999999), single_mix_entropy_bits(500)
    assert above == pytest.approx(below, abs=1e-6)
    assert single_mix_entropy_bits(1e5) == pytest.approx(math.log2(math.e * 1e5), abs=1e-9)


def test_very_long_routes_have_an_entropy_without_a_seam() -> None:
    found = [packet_entropy_bits(1000, 0.1, layers, 2) for layers in (499, 500, 501, 502, 600)]
    steps = [after - before for before, after in itertools.pairwise(found[:4])]
    assert max(steps) - min(steps) < 1e-5
    assert found[3] < found[4] < packet_entropy_bits(1000, 0.1, 10_000, 2)


def test_routes_of_more_layers_than_anybody_would_build_are_refused() -> None:
    with pytest.raises(UsageError, match="layers"):
        packet_entropy_bits(1000, 0.1, 10**18, 2)
    with pytest.raises(UsageError, match="layers"):
        path_compromise_probability(10**18, 10**18, 10**18)


def test_the_layered_entropy_of_no_traffic_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="above zero"):
        layered_entropy_bits(5e-324, 0.1, 3, 2)


def test_the_limit_is_the_published_one() -> None:
    """Row A01: 100 packets a second, half a second."""
    assert single_mix_entropy_limit_bits(50) == pytest.approx(7.087, abs=5e-4)


@pytest.mark.parametrize(
    ("mean_delay", "layers", "bits"),
    [(0.9, 1, 10.2534), (0.85 / 2, 2, 13.2960), (0.8 / 3, 3, 13.0392), (0.45 / 10, 10, 11.4693)],
)
def test_large_pools_give_the_published_simulations(
    mean_delay: float, layers: int, bits: float
) -> None:
    """Rows A05 to A09: 5,000 packets a second over ten mixes a layer. The form is an upper one; in
    ten layers of pools of 23 it is too high by 0.1."""
    form = layered_entropy_bits(5000, mean_delay, layers, 10)
    assert form == pytest.approx(bits, abs=0.05 if layers < 10 else 0.15)
    assert form - 0.08 <= packet_entropy_bits(5000, mean_delay, layers, 10) <= form + 1e-6


def test_a_pool_mix_and_its_threshold_mix() -> None:
    """Row A18; and with nothing kept it hides a packet among those of its round."""
    assert pool_mix_entropy_bits(100, 10) == pytest.approx(7.1273, abs=5e-5)
    assert pool_mix_entropy_bits(64, 0) == 6


@pytest.mark.parametrize(
    ("layers", "corrupt", "chance"),
    [
        (2, 10, 9.0909e-3),
        (3, 10, 7.421e-4),
        (3, 20, 7.050e-3),
        (3, 30, 2.511e-2),
        (4, 10, 5.3555e-5),
        (5, 10, 3.3472e-6),
    ],
)
def test_path_compromise(layers: int, corrupt: int, chance: float) -> None:
    """Rows A16 and the true values of A17."""
    assert path_compromise_probability(100, corrupt, layers) == pytest.approx(chance, rel=2e-4)


def test_layer_compromise_is_a_product_of_shares() -> None:
    assert layer_compromise_probability(10, [1, 2, 5]) == pytest.approx(0.01)
    assert layer_compromise_probability(10, [10, 0, 10]) == 0
    assert layer_compromise_probability(4, [4, 4]) == 1


def test_small_forms_give_their_published_rows() -> None:
    """Rows A20.1, A21, A26 and Loopix, Theorem 1."""
    assert fifo_guess_probability(3, 3) == 0.75
    assert blending_probability(1, 1, 50, 2) == pytest.approx(0.03846, abs=5e-6)
    assert trilemma_bound(10, 0.01) == pytest.approx(0.2)
    assert trilemma_bound(100, 0.5) == 1
    assert older_message_probability(4, 3, 2) == pytest.approx(2 / (4 * 5))
    assert newer_message_probability(3, 2) == pytest.approx(1 / 5)


def test_older_and_newer_messages_share_all_probability() -> None:
    for initial, arrived, remaining in ((1, 1, 0), (5, 2, 3), (9, 7, 9)):
        older = initial * older_message_probability(initial, arrived, remaining)
        newer = arrived * newer_message_probability(arrived, remaining)
        assert older + newer == pytest.approx(1)


def test_blending_stops_at_certainty_and_at_the_loops() -> None:
    assert blending_probability(0.5, 0.2, 50, math.inf) == 1
    assert blending_probability(2, 5, 50, math.inf) == pytest.approx(0.1)


def test_least_squares_gives_the_derived_row() -> None:
    """Row A27: 50 users, batches of ten, 4,000 rounds. Its value is the mean over profiles of
    Dirichlet(0.2), whose Σ p² is 1.2 / 11 on average; this profile has just that."""
    wanted = 1.2 / 11
    large = (1 + math.sqrt(1 - 50 * (1 - 49 * wanted))) / 50
    profile = [large] + [(1 - large) / 49] * 49
    assert sum(p * p for p in profile) == pytest.approx(wanted)
    assert least_squares_error(4000, 10, 1 / 50, profile) == pytest.approx(0.01094, abs=5e-6)


@given(RATES, DELAYS, LAYERS, WIDTHS, st.floats(1, 3))
def test_more_traffic_or_delay_or_layers_never_hide_less(
    rate: float, delay: float, layers: int, width: int, factor: float
) -> None:
    def figures(rate: float, delay: float, layers: int) -> tuple[float, float]:
        return (
            packet_entropy_bits(rate, delay, layers, width),
            sender_entropy_bits(50, rate, delay, layers, width),
        )

    here = figures(rate, delay, layers)
    others = [figures(rate * factor, delay, layers), figures(rate, delay * factor, layers)]
    for more in [*others, figures(rate, delay, layers + 1)]:
        assert all(there >= figure - 1e-6 for there, figure in zip(more, here, strict=True))


@given(st.floats(0, 1e4), RATES, DELAYS, LAYERS, WIDTHS)
def test_a_sender_hides_among_no_more_than_there_are(
    clients: float, rate: float, delay: float, layers: int, width: int
) -> None:
    bits = sender_entropy_bits(clients, rate, delay, layers, width)
    assert 0 <= bits <= math.log2(max(clients, 1)) + 1e-9
    assert bits <= packet_entropy_bits(rate, delay, layers, width) + 1e-9


@given(RATES, DELAYS, st.integers(2, 8), WIDTHS)
def test_a_packet_hides_between_one_mix_and_the_law_of_the_delay(
    rate: float, delay: float, layers: int, width: int
) -> None:
    held = rate * delay / width
    bits = packet_entropy_bits(rate, delay, layers, width)
    assert bits >= single_mix_entropy_bits(held)
    if held >= 1:
        assert bits <= layered_entropy_bits(rate, delay, layers, width) + 1e-9
    assert bits <= layers * single_mix_entropy_bits(held) + 1e-9


def test_nothing_hides_where_nothing_moves() -> None:
    for layers in (1, 3):
        assert packet_entropy_bits(0, 0.5, layers, 2) == 0
        assert packet_entropy_bits(1e-6, 0.5, layers, 2) < 1e-5
        assert sender_entropy_bits(1000, 0, 0.5, layers, 2) == 0
        assert sender_entropy_bits(1000, 1e-6, 0.5, layers, 2) < 1e-5
    assert sender_entropy_bits(1, 1e6, 0.5, 3, 2) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: single_mix_entropy_bits(-1),
        lambda: single_mix_entropy_bits(math.nan),
        lambda: single_mix_entropy_limit_bits(0),
        lambda: layered_entropy_bits(0, 1, 2, 2),
        lambda: packet_entropy_bits(1, 0, 2, 2),
        lambda: packet_entropy_bits(1, 1, 0, 2),
        lambda: packet_entropy_bits(math.inf, 1, 2, 2),
        lambda: sender_entropy_bits(-1, 1, 1, 2, 2),
        lambda: sender_entropy_bits(3, 1, 1, 2, 0),
        lambda: pool_mix_entropy_bits(0, 1),
        lambda: path_compromise_probability(10, 11, 2),
        lambda: path_compromise_probability(10, 1, 11),
        lambda: layer_compromise_probability(2, [3]),
        lambda: layer_compromise_probability(2, []),
        lambda: fifo_guess_probability(0, 1),
        lambda: blending_probability(1, 1, 1, 0),
        lambda: blending_probability(1, -1, 1, 1),
        lambda: older_message_probability(1, 1, 2),
        lambda: newer_message_probability(0, 2),
        lambda: trilemma_bound(-1, 0.1),
        lambda: least_squares_error(10, 10, 2, [1.0]),
        lambda: least_squares_error(10, 10, 0.5, [0.4]),
    ],
)
def test_refuses_what_cannot_be(call: object) -> None:
    assert callable(call)
    with pytest.raises(UsageError):
        call()


def test_a_timed_pools_figures_are_at_whole_numbers_below() -> None:
    assert pool_packet_entropy_bits(100.9, 10.9) == pool_mix_entropy_bits(100, 10)
    assert pool_packet_entropy_bits(0.99, 10.0) == 0
    assert pool_sender_entropy_bits(10, 0.99, 10.0) == pool_sender_entropy_bits(1, 50, 10) == 0
    # With very many people two draws agree with 1/(N + 2n), by the sum over rounds.
    arrivals, kept = 20, 7
    stays = kept / (arrivals + kept)
    met = sum(arrivals * (stays**k / (arrivals + kept)) ** 2 for k in range(500))
    assert pool_sender_entropy_bits(1e15, arrivals, kept) == pytest.approx(-math.log2(met))
    assert pool_sender_entropy_bits(4, 1000, 0) <= 2


def test_an_n_1_attacker_on_rounds_meets_what_came_in_one() -> None:
    """E[1 / (1 + K)] for K ~ Poisson(x)."""
    met = 0.2 * 2 + 30 * 2 / 10
    chance = sum(
        math.exp(-met) * met**count / math.factorial(count) / (1 + count) for count in range(60)
    )
    assert timed_blending_probability(2.0, 0.2, 30.0, 10.0) == pytest.approx(chance)
    assert timed_blending_probability(2.0, 0.0, 30.0, math.inf) == 1
    with pytest.raises(UsageError):
        timed_blending_probability(2.0, 0.2, 30.0, 0.0)
