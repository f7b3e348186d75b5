"""The n-1 alarm of a mix: how soon it tells, and how seldom it is wrong. Spec: docs/spec/mixing.md
(The n-1 alarm)."""

import math
import random
from itertools import repeat

import msgspec
import pytest

from hushmill.parameters import Parameters
from mixnode import Arrived, MixCore, SendPacket
from mixnode.loop_alarm import LoopAlarm
from mixnode.own_loops import SETTLING_SECONDS
from pki import expected_loops_to_notice, false_alarm_probability
from tests.mixnode.network import LAYERS, PARAMETERS, START, Network, run

DEFAULTS = Parameters()
WINDOW = DEFAULTS.alarm_window_loops
COMES_BACK = 0.99**4  # 1 % a link, three layers and a provider
FEWEST = 16  # of 20, by hand in tests/lab/test_loop_alarm.py


def calm(rng: random.Random) -> LoopAlarm:
    """An alarm whose window is full of loops that returned as often as they do in peace."""
    alarm = LoopAlarm(DEFAULTS)
    for _ in range(WINDOW):
        alarm.learn(is_returned=rng.random() < COMES_BACK)
    return alarm


def loops_to_notice(dropped: float, trials: int, seed: int) -> list[int]:
    """Loops from the beginning of an attack that drops this share of them, until the alarm."""
    rng = random.Random(seed)
    counts = []
    for _ in range(trials):
        alarm, count = calm(rng), 0
        while not alarm.is_raised:
            alarm.learn(is_returned=rng.random() < COMES_BACK * (1 - dropped))
            count += 1
        counts.append(count)
    return counts


def raised_after(*learnt: bool) -> bool:
    alarm = LoopAlarm(DEFAULTS)
    for is_returned in learnt:
        alarm.learn(is_returned=is_returned)
    return alarm.is_raised


def test_stands_while_fewer_than_sixteen_of_the_last_twenty_returned() -> None:
    assert not raised_after(*repeat(False, 19))  # not before a whole window is known
    assert raised_after(*repeat(False, 20))
    assert not raised_after(*repeat(False, 4), *repeat(True, 16))
    assert raised_after(*repeat(False, 5), *repeat(True, 15))
    assert not raised_after(*repeat(False, 5), *repeat(True, 16))
    assert not raised_after(*repeat(True, 100), *repeat(False, 4))
    assert raised_after(*repeat(True, 100), *repeat(False, 5))


def test_counts_how_often_it_rose() -> None:
    alarm = LoopAlarm(DEFAULTS)
    for is_returned in (*repeat(False, 30), *repeat(True, 20), *repeat(False, 5)):
        alarm.learn(is_returned=is_returned)
    assert alarm.raised_times == 2


def test_a_total_drop_is_noticed_after_as_many_loops_as_the_closed_form_says() -> None:
    counts = loops_to_notice(1.0, trials=3000, seed=1)
    expected = expected_loops_to_notice(WINDOW, FEWEST, COMES_BACK)
    assert expected == pytest.approx(4.34, abs=0.01)
    error = math.sqrt(sum((count - expected) ** 2 for count in counts)) / len(counts)
    assert abs(sum(counts) / len(counts) - expected) < 4 * error
    assert max(counts) == 5


def test_half_a_drop_is_noticed_within_a_window() -> None:
    counts = sorted(loops_to_notice(0.5, trials=2000, seed=2))
    assert 8.0 < sum(counts) / len(counts) < 10.0
    assert counts[int(0.99 * len(counts))] <= WINDOW


def test_without_an_attack_it_is_as_rare_as_its_bound() -> None:
    """Twelve seeded runs of 10,000 loops at 1 % a link."""
    bound = false_alarm_probability(WINDOW, FEWEST, COMES_BACK)
    assert bound < 1e-3
    shares = []
    for seed in range(12):
        rng = random.Random(seed)
        alarm, stood = calm(rng), 0
        for _ in range(10_000):
            alarm.learn(is_returned=rng.random() < COMES_BACK)
            stood += alarm.is_raised
        shares.append(stood / 10_000)
    mean = sum(shares) / len(shares)
    error = math.sqrt(sum((share - mean) ** 2 for share in shares) / (11 * 12))
    assert abs(mean - bound) < 4 * error
    assert mean < 1e-3 + 3 * error


# -- in the core

LOOPING = msgspec.structs.replace(PARAMETERS, mix_loop_rate=1.0)
MIX = LAYERS[2][0]
PATIENCE = 4 * LOOPING.delay_cap_seconds + 30


@pytest.fixture(scope="module")
def network() -> Network:
    return Network("alarm")


def returned(network: Network, sent: SendPacket) -> Arrived:
    """The loop, back at its mix over all its hops."""
    source, packet, at = MIX, sent.packet, sent.to
    while at != MIX:
        instruction = network.unwrap(at, packet).instruction
        source, packet, at = at, instruction.packet, instruction.next_node  # type: ignore[union-attr]
    return Arrived(source, network.unwrap(MIX, packet))


def live(network: Network, core: MixCore, start: float, until: float, is_calm: bool) -> float:
    """Runs the core; in peace every loop returns a second after it was sent. The end's time."""
    now = start
    while now < until:
        now += 1.0
        for _, effect in run(core, now):
            if isinstance(effect, SendPacket) and is_calm:
                core.receive(returned(network, effect), now)
    return now


def test_a_mix_alarms_once_its_patience_is_over_and_recovers(network: Network) -> None:
    core = network.core(MIX, LOOPING)
    now = live(network, core, START, START + SETTLING_SECONDS + 60, is_calm=True)
    assert not core.is_alarmed
    quiet = live(network, core, now, now + PATIENCE - 1, is_calm=False)
    assert not core.is_alarmed
    later = live(network, core, quiet, quiet + 20, is_calm=False)
    assert (core.is_alarmed, core.counters.loop_alarms) == (True, 1)
    live(network, core, later, later + PATIENCE + 60, is_calm=True)
    assert not core.is_alarmed


def test_loops_sent_before_neighbours_can_know_the_node_are_not_judged(network: Network) -> None:
    core = network.core(MIX, LOOPING)
    now = live(network, core, START, START + SETTLING_SECONDS - 1, is_calm=False)
    live(network, core, now, now + PATIENCE + 40, is_calm=True)
    assert core.counters.loops_lost > 15
    assert core.counters.loop_alarms == 0


def test_a_restart_begins_a_new_window(network: Network) -> None:
    core = network.core(MIX, LOOPING)
    live(network, core, START, START + SETTLING_SECONDS + PATIENCE + 40, is_calm=False)
    assert core.is_alarmed
    assert not network.core(MIX, LOOPING).is_alarmed


def test_a_process_that_stood_still_raises_no_alarm(network: Network) -> None:
    """Asleep for longer than its patience, with twenty or more loops on their way."""
    core = network.core(MIX, LOOPING)
    now = live(network, core, START, START + SETTLING_SECONDS + 40, is_calm=True)
    now = live(network, core, now, now + PATIENCE - 5, is_calm=False)
    lost = core.counters.loops_lost
    now += 500
    core.advance(now)
    assert core.counters.loops_lost - lost > 20
    assert core.counters.loop_alarms == 0
    # From then on it watches again.
    live(network, core, now, now + PATIENCE + 40, is_calm=False)
    assert (core.is_alarmed, core.counters.loop_alarms) == (True, 1)
