"""What a neighbour may send. Spec: docs/spec/mixing.md (Rate of a link)."""

import msgspec
import pytest

from hushmill.identifiers import NodeNumber
from mixnode.link_rate import LEAST_BURST_PACKETS, LinkRates
from mixnode.node_directory import NodeSettings

A, B = NodeNumber(1), NodeNumber(2)


def test_a_burst_of_a_second_passes_and_one_past_it_does_not() -> None:
    rates = LinkRates(100)
    assert rates.admit(A, 100, 0.0) == 100
    assert rates.admit(A, 1, 0.0) == 0
    assert LinkRates(100).admit(A, 101, 0.0) == 100


def test_a_slow_links_burst_is_not_below_64() -> None:
    assert LinkRates(1).admit(A, LEAST_BURST_PACKETS + 1, 0.0) == LEAST_BURST_PACKETS == 64


def test_ten_times_the_rate_gets_the_rate_and_the_burst() -> None:
    rates = LinkRates(100)
    admitted = sum(rates.admit(A, 10, step / 100) for step in range(6000))
    assert 100 + 60 * 100 - 2 <= admitted <= 100 + 60 * 100


def test_the_rate_itself_loses_nothing_however_it_is_cut_into_reads() -> None:
    rates = LinkRates(100)
    for step in range(1, 1000):
        assert rates.admit(A, 50, step / 2) == 50
    for step in range(50_000, 51_000):
        assert rates.admit(A, 1, step / 100) == 1


def test_a_flood_on_one_link_costs_the_other_nothing() -> None:
    rates = LinkRates(100)
    for step in range(1000):
        rates.admit(A, 1000, step / 10)
        assert rates.admit(B, 10, step / 10) == 10


def test_a_neighbour_that_comes_back_finds_its_allowance_as_it_left_it() -> None:
    rates = LinkRates(100)
    rates.admit(A, 100, 0.0)
    rates.keep_only({A})
    assert rates.admit(A, 1, 0.0) == 0
    rates.keep_only({B})
    assert len(rates) == 0


def test_a_clock_that_steps_back_earns_nothing() -> None:
    rates = LinkRates(100)
    rates.admit(A, 100, 50.0)
    assert rates.admit(A, 1, 10.0) == 0
    assert rates.admit(A, 100, 50.1) == 10


def test_the_setting_is_from_1_to_a_million() -> None:
    for good in (1, 10**6):
        assert msgspec.convert(
            {"listen": "127.0.0.1", "link_packets_per_second": good}, NodeSettings
        )
    for bad in (0, 10**6 + 1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"listen": "127.0.0.1", "link_packets_per_second": bad}, NodeSettings)
