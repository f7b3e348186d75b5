"""Loads: coarse, the least of the layers, and the figures that follow from them."""

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.errors import UsageError
from hushmill.parameters import Parameters
from pki import (
    Consensus,
    NodeEntry,
    anonymity_at,
    anonymity_of,
    anonymity_with,
    coarse_load,
    hold_seconds,
    is_load_known,
    network_load,
    packet_entropy_bits,
    pool_mix_entropy_bits,
    sender_entropy_bits,
    verify_consensus,
)
from tests.pki.documents import body_of, signed
from tests.pki.network import small_network

NETWORK = small_network()  # two layers of two mixes, numbers 1 to 4; two providers
PARAMETERS = NETWORK.genesis.parameters


def consensus(*loads: int) -> Consensus:
    """A signed document in which the mixes have these loads, in the order of their numbers."""
    body = body_of(NETWORK)
    mixes = [entry for entry in body.nodes if entry.role == "mix"]
    told: list[NodeEntry] = [
        msgspec.structs.replace(entry, load=load) for entry, load in zip(mixes, loads, strict=True)
    ]
    told += [entry for entry in body.nodes if entry.role != "mix"]
    data = signed(NETWORK, msgspec.structs.replace(body, nodes=tuple(told)))
    return verify_consensus(NETWORK.genesis, data)


@given(st.integers(0, 10**9), st.integers(2, 10**5))
def test_a_load_is_zero_or_the_power_of_two_below(packets: int, seconds: int) -> None:
    load = coarse_load(packets, seconds)
    rate = packets / seconds
    assert load & (load - 1) == 0
    assert load <= rate
    assert load == 0 if rate < 1 else rate < 2 * load


def test_a_load_needs_a_span_of_time() -> None:
    for packets, seconds in ((-1, 10.0), (1, 0.0)):
        with pytest.raises(UsageError):
            coarse_load(packets, seconds)


def test_a_layer_that_lies_high_changes_nothing() -> None:
    honest = network_load(consensus(8, 8, 8, 8))
    assert honest == 16
    assert network_load(consensus(1 << 30, 1 << 30, 8, 8)) == honest
    assert network_load(consensus(8, 8, 1 << 30, 8)) == honest
    assert network_load(consensus(16, 16, 16, 16)) == 32


def test_a_liar_in_every_layer_changes_nothing() -> None:
    """Half of each layer says as much as a document holds; a majority of one changes nothing."""
    honest = network_load(consensus(8, 8, 8, 8))
    assert network_load(consensus(1 << 30, 8, 8, 1 << 30)) == honest
    assert network_load(consensus(1 << 30, 1 << 30, 8, 1 << 30)) == honest


def test_a_mix_that_was_just_started_lowers_it() -> None:
    assert network_load(consensus(0, 8, 16, 16)) == 0
    assert network_load(consensus(4, 8, 16, 16)) == 8


def test_there_are_no_figures_while_nobody_has_said_a_load() -> None:
    assert not is_load_known(consensus(0, 0, 0, 0))
    assert anonymity_of(consensus(0, 0, 0, 0), PARAMETERS) is None
    quiet = anonymity_of(consensus(8, 8, 0, 0), PARAMETERS)
    assert quiet is not None
    assert (quiet.load_packets_per_second, quiet.packet_bits, quiet.sender_bits) == (0, 0, 0)


def test_figures_are_the_closed_forms() -> None:
    """Four mixes with 0.2 loops a second leave 16 − 0.8 to clients of 1.4: 10 of them."""
    found = anonymity_of(consensus(8, 8, 8, 8), PARAMETERS)
    assert found is not None
    assert (found.load_packets_per_second, found.clients_estimated) == (16, 10)
    assert found.packet_bits == packet_entropy_bits(9 * 1.4, 0.5, 2, 2)
    assert found.sender_bits == sender_entropy_bits(10, 10 * 1.4, 0.5, 2, 2)
    assert 1 < found.sender_bits < math.log2(10)


def test_figures_fall_with_the_load_and_end_at_nothing() -> None:
    figures = [anonymity_at(1 << power, [2, 2], PARAMETERS) for power in range(12, -1, -1)]
    for more, less in pairwise(figures):
        assert less.packet_bits <= more.packet_bits
        assert less.sender_bits <= more.sender_bits
    assert figures[0].sender_bits > 9
    assert (figures[-1].packet_bits, figures[-1].sender_bits) == (0, 0)


def test_one_client_hides_nothing_and_loops_are_nobody() -> None:
    alone = anonymity_with(1, [3, 3, 3], Parameters())
    assert (alone.packet_bits, alone.sender_bits) == (0, 0)
    loops_only = anonymity_at(int(9 * 0.2), [3, 3, 3], Parameters())
    assert (loops_only.clients_estimated, loops_only.sender_bits) == (0, 0)


def test_the_widest_layer_counts() -> None:
    assert (
        anonymity_with(50, [2, 8, 2], PARAMETERS).packet_bits
        == anonymity_with(50, [8, 8, 8], PARAMETERS).packet_bits
        < anonymity_with(50, [2, 2, 2], PARAMETERS).packet_bits
    )


@pytest.mark.parametrize(
    "rates",
    [{"payload_rate": 1e-300, "loop_rate": 0.0, "drop_rate": 0.0}, {"mix_loop_rate": 1.7e308}],
)
def test_absurd_rates_of_a_genesis_raise_nothing(rates: dict[str, float]) -> None:
    parameters = msgspec.structs.replace(PARAMETERS, **rates)
    assert anonymity_at(1 << 30, [2, 2], parameters).clients_estimated <= 1 << 30


def test_refuses_a_network_without_layers() -> None:
    with pytest.raises(UsageError):
        anonymity_with(3, [], PARAMETERS)


def test_a_pools_figures_are_its_closed_forms_for_other_peoples_share() -> None:
    """100 people at 1.4 a second over two mixes a layer, rounds of 2 s: of the 141.2 packets of a
    round 1.2 are mixes' loops, so of 10 kept ones 9 whole packets are people's."""
    pooling = Parameters(mixing="timed_pool")
    figures = anonymity_with(100, [2, 2, 2], pooling)
    assert figures.packet_bits == pool_mix_entropy_bits(138, 9)
    met = 1 / (140 + 2 * 9)
    assert figures.sender_bits == pytest.approx(-math.log2(met + (1 - met) / 100))
    assert hold_seconds(100, [2, 2, 2], pooling) == pytest.approx(2 * (0.5 + 10 / 141.2))
    assert hold_seconds(100, [2, 2, 2], Parameters()) == 0.5


def test_a_pool_of_a_quiet_network_hides_nothing_and_a_busier_one_more() -> None:
    pooling = Parameters(mixing="timed_pool")
    figures = [anonymity_with(clients, [2, 2, 2], pooling) for clients in (0, 1, 2, 5, 50, 500)]
    assert [(each.packet_bits, each.sender_bits) for each in figures[:2]] == [(0, 0), (0, 0)]
    assert figures[2].sender_bits < 1
    for less, more in pairwise(figures):
        assert less.packet_bits <= more.packet_bits
        assert less.sender_bits <= more.sender_bits


def test_the_mean_hold_falls_to_its_bound_with_nobody_on() -> None:
    pooling = Parameters(mixing="timed_pool")
    assert hold_seconds(0, [2, 2, 2], pooling) == pytest.approx(pooling.hold_mean_seconds)
    assert hold_seconds(50, [2, 2, 2], pooling) < pooling.hold_mean_seconds
