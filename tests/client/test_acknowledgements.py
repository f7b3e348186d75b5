"""The clock of acknowledgements, and the one of retries."""

import itertools

import msgspec
import pytest

from client import PacerStarted, Text
from client.acknowledgements import (
    ACTIVE_SECONDS,
    LARGEST_WAIT_SECONDS,
    LATE_SECONDS,
    TRIES,
    UNCONFIRMED_SECONDS,
    AcknowledgementClock,
    first_retry_seconds,
    retry_wait_seconds,
)
from experiments.simnet.seeded import SeededRandomness
from hushmill.parameters import Parameters, local_parameters
from tests.client.street import friends

DEFAULTS = Parameters()
NOW = 1_800_000_000.0


def tick(clock: AcknowledgementClock, seconds: float) -> dict[int, int]:
    """How often each contact ticked."""
    counts: dict[int, int] = {}
    while clock.next_tick is not None and clock.next_tick <= NOW + seconds:
        for contact in clock.due(clock.next_tick):
            counts[contact] = counts.get(contact, 0) + 1
    return counts


def clock_of(contacts: dict[int, float], seed: int = 1) -> AcknowledgementClock:
    clock = AcknowledgementClock(DEFAULTS, SeededRandomness(seed, "acks"))
    for contact, active_at in contacts.items():
        clock.watch(contact, active_at, NOW)
    return clock


def test_an_idle_contact_ticks_every_two_minutes_though_nothing_comes() -> None:
    counts = tick(clock_of({1: 0.0}), 120 * 2000)
    assert counts[1] == pytest.approx(2000, rel=0.1)


def test_an_active_one_ticks_every_ten_seconds_for_ten_minutes() -> None:
    total = 0
    for seed in range(40):
        total += tick(clock_of({1: NOW}, seed), ACTIVE_SECONDS)[1]
    assert total / 40 == pytest.approx(60, rel=0.1)
    later = tick(clock_of({1: NOW}), 120 * 1000)
    assert later[1] == pytest.approx(1000 + 55, rel=0.1)


def test_all_contacts_together_take_a_quarter_of_the_payload_slots() -> None:
    counts = tick(clock_of(dict.fromkeys(range(128), 1000000000000.0)), 20_000)
    assert sum(counts.values()) == pytest.approx(5_000, rel=0.05)
    assert len(counts) == 128
    assert max(counts.values()) < 3 * min(counts.values())


def test_few_contacts_are_not_stretched() -> None:
    counts = tick(clock_of({1: 0.0, 2: 1e12}), 100_000)
    assert counts[2] == pytest.approx(10_000, rel=0.05)
    assert counts[1] == pytest.approx(833, rel=0.15)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 33, 512])
@pytest.mark.parametrize("own", [0.0, NOW])
def test_a_contacts_rate_does_not_depend_on_other_conversations(count: int, own: float) -> None:
    """Else Mallory would see how many others his contact talks with."""
    quiet = clock_of({1: own} | dict.fromkeys(range(2, count + 1), 0.0))
    busy = clock_of({1: own} | dict.fromkeys(range(2, count + 1), NOW))
    assert quiet.mean_seconds(1, NOW) == busy.mean_seconds(1, NOW)
    before = quiet._ticks[1]
    for other in range(2, count + 1):
        quiet.watch(other, NOW, NOW)
    assert quiet._ticks[1] == before


def test_a_contacts_ticks_do_not_depend_on_other_conversations() -> None:
    counts = {
        others: tick(clock_of({1: 1e12} | dict.fromkeys(range(2, 9), others)), 60_000)[1]
        for others in (0.0, 1e12)
    }
    assert counts[0.0] == pytest.approx(60_000 / 32, rel=0.1)
    assert counts[1e12] == pytest.approx(60_000 / 32, rel=0.1)


def test_the_number_of_contacts_shows_only_as_a_power_of_two() -> None:
    """That residue is in the spec."""
    means = {}
    clock = clock_of({})
    for count in range(1, 513):
        clock.watch(count, NOW, NOW)
        means[count] = clock.mean_seconds(1, NOW)
    assert len(set(means.values())) == 9  # up to two contacts take what they like
    assert means[1] == means[2] == 10
    assert means[3] == means[4] == 16
    assert means[257] == means[512] == 2048


def test_nothing_is_made_up_for_after_a_standstill() -> None:
    clock = clock_of({1: 0.0, 2: 0.0})
    assert clock.due(NOW + 1e6) == []
    assert clock.next_tick is not None
    assert clock.next_tick > NOW + 1e6
    late = clock.next_tick + LATE_SECONDS
    assert len(clock.due(late)) >= 1


def test_nobody_to_acknowledge_is_no_tick() -> None:
    clock = clock_of({1: 0.0})
    clock.forget(1, NOW)
    assert clock.next_tick is None


def test_watching_again_does_not_move_the_tick() -> None:
    """Else a receipt would shift the acknowledgement that follows it."""
    clock = clock_of({1: NOW})
    before = clock.next_tick
    clock.watch(1, NOW + 1, NOW)
    assert clock.next_tick == before


@pytest.mark.parametrize(
    "parameters", [DEFAULTS, local_parameters(), local_parameters(mixing="timed_pool")]
)
def test_retries_begin_at_thirty_seconds_or_later_and_last_two_weeks(
    parameters: Parameters,
) -> None:
    waits = [retry_wait_seconds(number, parameters) for number in range(1, TRIES + 1)]
    assert waits[0] == first_retry_seconds(parameters) >= 30
    assert all(
        later in (2 * wait, LARGEST_WAIT_SECONDS) for wait, later in itertools.pairwise(waits)
    )
    assert 0.8 * UNCONFIRMED_SECONDS < sum(waits) <= UNCONFIRMED_SECONDS


def test_first_retry_is_three_round_trips_by_default() -> None:
    slots = 1 / DEFAULTS.payload_rate + 1 / DEFAULTS.client_rate
    way = slots + 3 * DEFAULTS.delay_mean_seconds
    assert first_retry_seconds(DEFAULTS) == pytest.approx(3 * (2 * way + 10))


def test_pools_delay_the_first_retry_by_what_they_hold_in_a_quiet_network() -> None:
    """Rounds of 2 s, 10 kept, 1.2 loops of mixes a round: 17.67 s a mix."""
    pooling = msgspec.structs.replace(DEFAULTS, mixing="timed_pool")
    way = 1 + 1 / 1.4 + 3 * 2 * (0.5 + 10 / 1.2)
    assert first_retry_seconds(pooling) == pytest.approx(3 * (2 * way + 10))


def test_acknowledgements_flow_between_idle_friends() -> None:
    street, alice, bob = friends()
    street.run_for(300)
    for house in (alice, bob):
        packets = dict(house.messenger.status(street.now).packets)
        assert packets["acknowledgement"] > 50
        assert packets["acknowledgement"] < 0.3 * 300 * 5


def test_acknowledgements_ride_on_messages() -> None:
    street, alice, bob = friends()
    id_ = alice.messenger.send("bob", Text("ping"), street.now)
    alice.acted()
    assert street.run_until(lambda: bob.texts == ["ping"], 60)
    bob.messenger._clock.forget(1, street.now)
    bob.messenger._courier._owed.clear()
    bob.messenger.send("alice", Text("pong"), street.now)
    bob.messenger._clock.forget(1, street.now)
    bob.acted()
    assert street.run_until(lambda: alice.texts == ["pong"], 60)
    view = alice.messenger.message(id_)
    assert view is not None
    assert view.state.value == "delivered"


def test_what_is_owed_while_the_link_is_down_is_not_made_up_for() -> None:
    """Else a burst would tell every contact when we came online."""
    street, alice, _ = friends()
    street.run_for(30)
    courier, board = alice.messenger._courier, alice.messenger._board
    courier.owe(1)
    alice.acted()
    assert board.acknowledgements_in_flight() == {1}
    courier.owe(1)
    alice.link_down()
    assert board.acknowledgements_in_flight() == set()
    street.run_for(300)
    assert not courier._owed
    alice.link_up()
    assert board.acknowledgements_in_flight() == set()
    assert dict(alice.messenger.status(street.now).packets)["acknowledgement"] > 0
    before = dict(alice.messenger.status(street.now).packets)["acknowledgement"]
    street.run_for(120)
    assert dict(alice.messenger.status(street.now).packets)["acknowledgement"] > before


def test_a_new_pacer_is_owed_no_acknowledgement() -> None:
    street, alice, _ = friends()
    street.run_for(30)
    alice.messenger._courier.owe(1)
    alice.acted()
    alice.tell(PacerStarted())
    assert not alice.messenger._courier._owed
