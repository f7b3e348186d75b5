"""Routes: uniform a layer, exponential below the cap, blind to the destination."""

import math
from collections import Counter

import pytest

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.parameters import Parameters
from pki import choose_mixes, choose_provider, draw_delay, loop_route, route_to
from tests.pki.documents import chain
from tests.pki.network import FIRST, SeededRandomness, small_network

NETWORK = small_network(layers=3, width=3)
CONSENSUS = chain(NETWORK, 1)[0][0]
PARAMETERS = NETWORK.genesis.parameters
KEM = NETWORK.kem
EPOCH = Epoch(FIRST)


def numbers(layer: int) -> list[NodeNumber]:
    return [entry.number for entry in CONSENSUS.layers[layer - 1]]


def test_one_mix_a_layer_in_order() -> None:
    rng = SeededRandomness(1)
    for _ in range(50):
        mixes = choose_mixes(CONSENSUS, EPOCH, PARAMETERS, KEM, rng)
        assert [hop.node in numbers(layer) for layer, hop in enumerate(mixes, 1)] == [True] * 3


def test_uniform_in_each_layer() -> None:
    """χ² of 3 × 3 cells over 3,000 routes: 6 degrees of freedom, 99.9 % below 22.5."""
    rng = SeededRandomness(2)
    count = 3000
    seen: Counter[NodeNumber] = Counter()
    for _ in range(count):
        seen.update(hop.node for hop in choose_mixes(CONSENSUS, EPOCH, PARAMETERS, KEM, rng))
    assert len(seen) == 9
    expected = count / 3
    assert sum((n - expected) ** 2 / expected for n in seen.values()) < 22.5


def test_delays_are_exponential_and_redrawn_above_the_cap() -> None:
    """Kolmogorov–Smirnov against the truncated law, 20,000 draws: 99.9 % below 1.95 / √n."""
    parameters = Parameters(delay_mean_seconds=0.5)
    rng = SeededRandomness(3)
    count = 20000
    draws = sorted(draw_delay(parameters, rng) for _ in range(count))
    mass = -math.expm1(-10)
    law = [-math.expm1(-draw / 0.5) / mass for draw in draws]
    distance = max(abs(value - index / count) for index, value in enumerate(law))
    assert distance < 1.95 / math.sqrt(count)
    assert draws[-1] <= parameters.delay_cap_seconds
    assert len(set(draws)) == count  # clipping would pile up at the cap


class CappedRandomness:
    """First a draw beyond any cap, then one of a tenth of it."""

    def __init__(self) -> None:
        self.calls = 0

    def take(self, count: int) -> bytes:
        self.calls += 1
        return b"\xff" * count if self.calls == 1 else b"\x10" * count


def test_a_draw_above_the_cap_is_drawn_again() -> None:
    rng = CappedRandomness()
    assert draw_delay(PARAMETERS, rng) < PARAMETERS.delay_cap_seconds / 5
    assert rng.calls == 2


def test_mixes_and_delays_do_not_depend_on_the_destination() -> None:
    """They are drawn first, and the destination draws nothing."""
    routes = {}
    for provider in CONSENSUS.providers:
        rng = SeededRandomness(4)
        mixes = choose_mixes(CONSENSUS, EPOCH, PARAMETERS, KEM, rng)
        routes[provider.number] = route_to(mixes, CONSENSUS, provider.number, EPOCH, KEM)
        assert rng.take(8) == after_mixes(4)
    first, second = routes.values()
    assert first.hops[:-1] == second.hops[:-1]
    assert [route.hops[-1].node for route in routes.values()] == list(routes)
    assert all(route.hops[-1].delay_seconds == 0 for route in routes.values())


def after_mixes(seed: int) -> bytes:
    rng = SeededRandomness(seed)
    choose_mixes(CONSENSUS, EPOCH, PARAMETERS, KEM, rng)
    return rng.take(8)


def test_hops_carry_the_epochs_keys() -> None:
    mixes = choose_mixes(CONSENSUS, Epoch(FIRST + 2), PARAMETERS, KEM, SeededRandomness(5))
    for hop in mixes:
        entry = CONSENSUS.node(hop.node)
        assert entry is not None
        assert hop.key.raw == entry.key_for(Epoch(FIRST + 2))


def test_no_route_beyond_the_last_key() -> None:
    with pytest.raises(UserError) as refused:
        choose_mixes(CONSENSUS, Epoch(FIRST + 4), PARAMETERS, KEM, SeededRandomness(6))
    assert refused.value.exit_code is ExitCode.NO_CONSENSUS
    mixes = choose_mixes(CONSENSUS, EPOCH, PARAMETERS, KEM, SeededRandomness(6))
    with pytest.raises(UserError):
        route_to(mixes, CONSENSUS, NodeNumber(99), EPOCH, KEM)


def test_no_operator_has_two_places_in_a_route() -> None:
    rng = SeededRandomness(7)
    for _ in range(200):
        mixes = choose_mixes(CONSENSUS, EPOCH, PARAMETERS, KEM, rng)
        route = route_to(mixes, CONSENSUS, choose_provider(CONSENSUS, rng), EPOCH, KEM)
        entries = [CONSENSUS.node(hop.node) for hop in route.hops]
        operators = [entry.operator for entry in entries if entry is not None]
        assert len(set(operators)) == len(route.hops) == PARAMETERS.hops


def test_drop_cover_goes_to_every_provider() -> None:
    rng = SeededRandomness(8)
    seen = Counter(choose_provider(CONSENSUS, rng) for _ in range(2000))
    assert set(seen) == {entry.number for entry in CONSENSUS.providers}
    assert abs(seen.most_common(1)[0][1] - 1000) < 150  # 6.7 standard deviations


def place(node: NodeNumber) -> int:
    entry = CONSENSUS.node(node)
    assert entry is not None
    return entry.layer


@pytest.mark.parametrize(("layer", "places"), [(1, [2, 3, 0]), (2, [3, 0, 1]), (3, [0, 1, 2])])
def test_a_mixs_loop_goes_once_around(layer: int, places: list[int]) -> None:
    node = numbers(layer)[1]
    route = loop_route(CONSENSUS, node, EPOCH, PARAMETERS, KEM, SeededRandomness(layer))
    assert [place(hop.node) for hop in route.hops] == [*places, layer]
    assert route.hops[-1].node == node
    assert route.hops[-1].delay_seconds == 0
    assert all(hop.delay_seconds > 0 for hop in route.hops[:-1])
    assert len(route.hops) == PARAMETERS.hops


def test_a_providers_loop_goes_through_the_layers() -> None:
    node = CONSENSUS.providers[0].number
    route = loop_route(CONSENSUS, node, EPOCH, PARAMETERS, KEM, SeededRandomness(9))
    assert [place(hop.node) for hop in route.hops] == [1, 2, 3, 0]
    assert route.hops[-1].node == node
