"""What a mix says that it relayed: whole epochs only, coarse. Spec: docs/spec/mixing.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.parameters import Parameters
from mixnode import SendPacket
from mixnode.load_meter import LoadMeter
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network, run

HOUR = 3600.0
BOUNDARY = 1000 * HOUR
MIX, ENTRY = LAYERS[0][0], PROVIDERS[0]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def meter_from(moment: float) -> LoadMeter:
    meter = LoadMeter(Parameters())
    meter.count(0, moment)
    return meter


def test_the_epoch_of_a_start_counts_for_nothing() -> None:
    meter = meter_from(BOUNDARY + 1)
    meter.count(100 * 3600, BOUNDARY + 2)
    assert meter.load(BOUNDARY + 3) == 0
    assert meter.load(BOUNDARY + HOUR) == 0


def test_a_whole_epoch_is_told_in_the_next_and_only_there() -> None:
    meter = meter_from(BOUNDARY - 1)
    meter.count(50 * 3600, BOUNDARY)
    meter.count(50 * 3600, BOUNDARY + HOUR - 1)
    assert meter.load(BOUNDARY + HOUR - 0.5) == 0
    assert [meter.load(BOUNDARY + HOUR + later) for later in (0, 1800)] == [64, 64]
    meter.count(3600, BOUNDARY + 2 * HOUR - 1)
    assert meter.load(BOUNDARY + 2 * HOUR) == 1


def test_an_epoch_after_a_gap_is_not_told() -> None:
    """The process slept, or the clock jumped: nobody knows how much of an epoch was lived."""
    meter = meter_from(BOUNDARY - 1)
    meter.count(10_000, BOUNDARY)
    assert meter.load(BOUNDARY + 2 * HOUR + 60) == 0
    meter.count(10_000, BOUNDARY + 2 * HOUR + 61)
    assert meter.load(BOUNDARY + 3 * HOUR) == 0
    meter.count(10_000, BOUNDARY + 3 * HOUR + 1)
    assert meter.load(BOUNDARY + 4 * HOUR) == 2


def test_a_time_that_steps_back_ends_no_epoch() -> None:
    meter = meter_from(BOUNDARY - 1)
    meter.count(7200, BOUNDARY + 10)
    meter.count(7200, BOUNDARY - 10)
    assert meter.load(BOUNDARY + HOUR) == 4


@given(st.lists(st.tuples(st.integers(0, 4 * 3600), st.integers(0, 10**5)), max_size=30))
def test_never_says_more_than_was_counted(counted: list[tuple[int, int]]) -> None:
    meter = meter_from(BOUNDARY - 1)
    for moment, packets in sorted(counted):
        meter.count(packets, BOUNDARY + moment)
        epoch = moment // HOUR
        before = sum(n for at, n in counted if at // HOUR == epoch - 1)
        assert meter.load(BOUNDARY + moment) <= before / HOUR


def test_a_mix_counts_what_it_relays_and_its_own_loops(network: Network) -> None:
    """Over one whole epoch: 3,000 packets of others, and its loops at one in two seconds."""
    parameters = Parameters(
        suite="x25519",
        payload_bytes=PARAMETERS.payload_bytes,
        mix_loop_rate=0.5,
    )
    core = network.core(MIX, parameters)
    assert core.load(START) == 0
    boundary = (EPOCH + 1) * HOUR
    run(core, boundary + 10)
    for place in range(3000):
        core.receive(network.arrived(MIX, 0.2, ENTRY, EPOCH), boundary + 10 + place * 0.01)
    sent = sum(isinstance(effect, SendPacket) for _, effect in run(core, boundary + HOUR - 1))
    assert sent > 3000 + 0.4 * HOUR
    expected = 1 << (int(sent / HOUR).bit_length() - 1)
    assert core.load(boundary + HOUR) == expected == 1


def test_a_provider_has_no_load(network: Network) -> None:
    core = network.core(ENTRY)
    assert core.load(START) == 0
    meter = LoadMeter(PARAMETERS)
    meter.count(0, START)
    assert core.load(START + HOUR) == 0
