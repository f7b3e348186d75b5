"""A mix in virtual time: what leaves, when, and in which order. Spec: docs/spec/mixing.md."""

import math

import pytest

from experiments.simnet.seeded import SeededRandomness
from hushmill.drops import Drop
from hushmill.errors import UsageError
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.packet import Deliver, Forward, Unwrapped
from mixnode import (
    Arrived,
    Counters,
    DeliverPayload,
    EraseKeys,
    LogTags,
    MixCore,
    MixLimits,
    SendPacket,
    TagsSynced,
)
from mixnode.limits import HELD_OVERHEAD_BYTES
from mixnode.replay import table_bytes
from pki import draw_delay
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network, run

MIX = LAYERS[0][0]
ENTRY = PROVIDERS[0]
TICK = MixLimits().tick_seconds


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def _drops(core: MixCore) -> dict[Drop, int]:
    return {reason: count for reason, count in core.counters.drops.items() if count}


def test_logs_tags_then_waits_for_the_sync_before_a_packet_leaves(network: Network) -> None:
    core = network.core(MIX)
    arrived = network.arrived(MIX, 0.0, ENTRY)
    assert core.receive(arrived, START + 0.001) == []
    at = core.next_deadline()
    assert at is not None
    assert 0 <= at - START - 0.001 <= TICK
    assert core.advance(at) == [LogTags(1, EPOCH, (arrived.unwrapped.tag,))]
    assert core.advance(at + 10) == []  # due for long, but not synced
    core.receive(TagsSynced(1), at + 10)
    assert core.next_deadline() is not None
    sent = core.advance(at + 10)
    assert [type(effect) for effect in sent] == [SendPacket]


def test_one_tick_is_one_batch(network: Network) -> None:
    core = network.core(MIX)
    for _ in range(5):
        core.receive(network.arrived(MIX, 1.0, ENTRY), START + 0.001)
    logged = [effect for _, effect in run(core, START + 0.1) if isinstance(effect, LogTags)]
    assert [(batch.batch, len(batch.tags)) for batch in logged] == [(1, 5)]


def test_a_packet_that_comes_while_a_batch_is_synced_waits_for_its_own(network: Network) -> None:
    core = network.core(MIX)
    core.receive(network.arrived(MIX, 0.0, ENTRY), START)
    assert [e.batch for e in core.advance(START + 0.005) if isinstance(e, LogTags)] == [1]
    core.receive(network.arrived(MIX, 0.0, ENTRY), START + 0.006)
    core.receive(TagsSynced(1), START + 0.007)
    first = core.advance(START + 0.011)
    assert [type(effect) for effect in first] == [LogTags, SendPacket]
    assert core.advance(START + 1) == []
    core.receive(TagsSynced(2), START + 1)
    assert [type(effect) for effect in core.advance(START + 1)] == [SendPacket]


def test_delays_are_the_senders_draws(network: Network) -> None:
    """Kolmogorov–Smirnov, 600 packets, false alarm 10⁻³; and each one never early, at most two
    ticks late (one for its tag, one for itself)."""
    core = network.core(MIX)
    rng = SeededRandomness(3, "delays")
    due: dict[bytes, tuple[float, float]] = {}
    effects = []
    for n in range(600):
        at = START + n * 0.0137
        effects += run(core, at)
        delay = draw_delay(PARAMETERS, rng)
        arrived = network.arrived(MIX, delay, ENTRY)
        assert isinstance(arrived.unwrapped.instruction, Forward)
        due[arrived.unwrapped.instruction.packet.raw] = (at, delay)
        core.receive(arrived, at)
    effects += run(core, START + 60)

    held = []
    for at, effect in effects:
        if isinstance(effect, SendPacket):
            arrival, delay = due.pop(effect.packet.raw)
            assert -2e-6 <= at - arrival - delay <= 2 * TICK + 2e-6
            held.append(at - arrival - TICK / 2)
    assert not due
    mean = PARAMETERS.delay_mean_seconds
    distance = max(
        abs((n + 0.5) / len(held) - (1 - math.exp(-max(0.0, seconds) / mean)))
        for n, seconds in enumerate(sorted(held))
    )
    assert distance < 1.95 / math.sqrt(len(held))


def test_ties_leave_shuffled(network: Network) -> None:
    """Six packets due at one tick, 150 times: a guess of first in, first out is right for each
    with probability 1/6 (0.1667 ± 0.05, four standard deviations)."""
    right = 0
    core = network.core(MIX)
    for n in range(150):
        at = START + n
        order = []
        for _ in range(6):
            arrived = network.arrived(MIX, 0.25, ENTRY)
            assert isinstance(arrived.unwrapped.instruction, Forward)
            order.append(arrived.unwrapped.instruction.packet)
            core.receive(arrived, at)
        sent = [e.packet for _, e in run(core, at + 0.9) if isinstance(e, SendPacket)]
        assert sorted(packet.raw for packet in sent) == sorted(packet.raw for packet in order)
        right += sum(one == other for one, other in zip(order, sent, strict=True))
    assert abs(right / 900 - 1 / 6) < 0.05


def test_drops_a_replay_at_once_and_ever_after(network: Network) -> None:
    core = network.core(MIX)
    arrived = network.arrived(MIX, 0.1, ENTRY)
    core.receive(arrived, START)
    core.receive(Arrived(PROVIDERS[1], arrived.unwrapped), START)  # over the other link, too
    sent = [effect for _, effect in run(core, START + 1) if isinstance(effect, SendPacket)]
    core.receive(arrived, START + 2)
    assert len(sent) == 1
    assert not [effect for _, effect in run(core, START + 9) if isinstance(effect, SendPacket)]
    assert _drops(core) == {Drop.REPLAY: 2}


def test_drops_a_replay_that_only_the_log_remembers(network: Network) -> None:
    arrived = network.arrived(MIX, 0.1, ENTRY)
    core = network.core(MIX, known_tags={EPOCH: [arrived.unwrapped.tag]})
    core.receive(arrived, START)
    assert run(core, START + 9) == []
    assert _drops(core) == {Drop.REPLAY: 1}


def test_drops_a_delay_above_the_cap(network: Network) -> None:
    core = network.core(MIX)
    cap = PARAMETERS.delay_cap_seconds
    core.receive(network.arrived(MIX, cap, ENTRY), START)
    core.receive(network.arrived(MIX, cap + 0.000001, ENTRY), START)
    assert sum(isinstance(effect, SendPacket) for _, effect in run(core, START + 30)) == 1
    assert _drops(core) == {Drop.DELAY: 1}


@pytest.mark.parametrize("path", [(MIX, LAYERS[0][1]), (MIX, LAYERS[2][0]), (MIX, PROVIDERS[0])])
def test_a_mix_forwards_to_the_next_layer_only(
    network: Network, path: tuple[NodeNumber, NodeNumber]
) -> None:
    core = network.core(MIX)
    core.receive(Arrived(ENTRY, network.unwrap(MIX, network.packet(path, (0.1,)))), START)
    assert not [effect for _, effect in run(core, START + 9) if isinstance(effect, SendPacket)]
    assert _drops(core) == {Drop.NO_ROUTE: 1}


@pytest.mark.parametrize("source", [LAYERS[0][1], LAYERS[1][0], LAYERS[2][0], NodeNumber(77)])
def test_a_mix_hears_from_the_layer_before_only(network: Network, source: NodeNumber) -> None:
    core = network.core(MIX)
    core.receive(network.arrived(MIX, 0.1, source), START)
    assert run(core, START + 9) == []
    assert _drops(core) == {Drop.NO_ROUTE: 1}


def test_a_provider_delivers_once_its_tag_is_synced(network: Network) -> None:
    core = network.core(PROVIDERS[0])
    unwrapped = network.unwrap(PROVIDERS[0], network.packet((PROVIDERS[0],), ()))
    assert isinstance(unwrapped.instruction, Deliver)
    core.receive(Arrived(LAYERS[2][0], unwrapped), START)
    logged, delivered = (effect for _, effect in run(core, START + 1))
    assert isinstance(logged, LogTags)
    assert delivered == DeliverPayload(unwrapped.instruction.payload)


def test_a_mix_delivers_nothing_but_its_own_loops(network: Network) -> None:
    core = network.core(MIX)
    core.receive(Arrived(ENTRY, network.unwrap(MIX, network.packet((MIX,), ()))), START)
    assert [type(effect) for _, effect in run(core, START + 9)] == [LogTags]
    assert _drops(core) == {Drop.NOT_OWN_LOOP: 1}


def test_memory_stays_under_the_budget_and_a_flood_costs_its_own_link(network: Network) -> None:
    cost = network.format.geometry.packet_bytes + HELD_OVERHEAD_BYTES
    limits = MixLimits(budget_bytes=2 * table_bytes(300) + 20 * cost, tags_per_key=300)
    core = network.core(MIX, limits=limits)
    flood, honest = PROVIDERS
    sent = []
    for n in range(100):
        at = START + n * 0.01
        sent += run(core, at)
        core.receive(network.arrived(MIX, 5.0, flood), at)
        if n % 20 == 0:
            core.receive(network.arrived(MIX, 0.5, honest), at)
        assert core.bytes_used <= limits.budget_bytes
    sent += run(core, START + 30)
    left = [at for at, effect in sent if isinstance(effect, SendPacket)]
    assert 15 <= len(left) <= 25
    assert _drops(core) == {Drop.OVERFLOW: 105 - len(left)}
    assert sum(at < START + 2 for at in left) == 5  # every one of the honest link's


def test_the_replay_table_refuses_one_past_its_limit(network: Network) -> None:
    core = network.core(MIX, limits=MixLimits(tags_per_key=4))
    for source in (*[PROVIDERS[0]] * 3, *[PROVIDERS[1]] * 2):
        core.receive(network.arrived(MIX, 0.1, source), START)
    assert _drops(core) == {Drop.REPLAY_FULL: 1}


def test_limits_must_leave_room_beside_the_tags() -> None:
    MixLimits(budget_bytes=2 * table_bytes(10) + 1, tags_per_key=10)
    with pytest.raises(UsageError):
        MixLimits(budget_bytes=2 * table_bytes(10), tags_per_key=10)


def test_keys_open_and_close_around_the_boundary(network: Network) -> None:
    """The next key from two allowances before, the last one until its grace has passed."""
    boundary = (EPOCH + 1) * 3600.0
    grace = PARAMETERS.key_grace_seconds
    following = Epoch(EPOCH + 1)
    tries = [
        (following, boundary - 120.01, Drop.KEY_EPOCH),
        (following, boundary - 120.0, None),
        (EPOCH, boundary + grace - 0.01, None),
        (EPOCH, boundary + grace, Drop.KEY_EPOCH),
    ]
    for epoch, at, expected in tries:
        core = network.core(MIX)
        core.receive(network.arrived(MIX, 0.1, ENTRY, epoch), at)
        assert _drops(core) == ({expected: 1} if expected else {})


def test_keys_are_erased_when_their_grace_has_passed_and_never_come_back(network: Network) -> None:
    core = network.core(MIX)
    erased = [(at, e) for at, e in run(core, START + 4000) if isinstance(e, EraseKeys)]
    boundary = (EPOCH + 1) * 3600.0
    assert [effect for _, effect in erased] == [EraseKeys(Epoch(EPOCH + 1))]
    assert 0 <= erased[0][0] - boundary - PARAMETERS.key_grace_seconds <= 2 * TICK
    core.receive(network.arrived(MIX, 0.1, ENTRY), boundary)  # the clock has stepped back
    assert _drops(core) == {Drop.KEY_EPOCH: 1}


def test_tags_live_no_longer_than_their_key(network: Network) -> None:
    tags = [network.arrived(MIX, 0.1, ENTRY).unwrapped.tag for _ in range(3)]
    limits = MixLimits(tags_per_key=100)
    known = {Epoch(EPOCH - 5): tags[:2], EPOCH: tags[2:]}
    core = network.core(MIX, limits=limits, known_tags=known)
    core.receive(network.arrived(MIX, 0.1, ENTRY), START)
    run(core, START + 60)
    assert core.bytes_used == table_bytes(100)
    run(core, START + 4000)
    assert core.bytes_used == 0


def test_a_packet_whose_key_is_erased_before_its_sync_leaves_once_the_key_is_gone(
    network: Network,
) -> None:
    """Its tag is asked to be logged after the key is asked to be erased: the disk, which answers
    in that order, says "synced" when there is no key left to replay it to."""
    core = network.core(MIX)
    at = (EPOCH + 1) * 3600.0 + PARAMETERS.key_grace_seconds - 0.001
    core.receive(network.arrived(MIX, 0.5, ENTRY), at)
    asked = core.advance(at + TICK)
    assert [type(effect) for effect in asked] == [EraseKeys, LogTags]
    assert core.advance(at + 2) == []
    core.receive(TagsSynced(1), at + 2)
    assert [type(effect) for effect in core.advance(at + 2 + TICK)] == [SendPacket]


def test_a_replay_is_refused_on_both_sides_of_a_boundary(network: Network) -> None:
    """Under the old key and under the new one, before the boundary, after it, after the erasure,
    and by a node that has started again on either side."""
    boundary = (EPOCH + 1) * 3600.0
    following = Epoch(EPOCH + 1)
    old, new = network.arrived(MIX, 0.1, ENTRY), network.arrived(MIX, 0.1, ENTRY, following)
    core = network.core(MIX)
    known: dict[Epoch, list[ReplayTag]] = {}
    sent = 0
    for at in (boundary - 100, boundary - 0.01, boundary + 0.01, boundary + 100):
        restarted = network.core(MIX, known_tags=known)
        for packet in (old, new):
            core.receive(packet, at)
            if known:
                restarted.receive(packet, at)
        assert _drops(restarted) == ({Drop.REPLAY: 2} if known else {})
        for _, effect in run(core, at + 1):
            sent += isinstance(effect, SendPacket)
            if isinstance(effect, LogTags):
                known.setdefault(effect.epoch, []).extend(effect.tags)
    assert sent == 2
    assert {epoch: len(tags) for epoch, tags in known.items()} == {EPOCH: 1, following: 1}
    assert _drops(core) == {Drop.REPLAY: 6}
    run(core, boundary + 1000)
    core.receive(old, boundary + 1000)
    core.receive(new, boundary + 1000)
    assert _drops(core) == {Drop.REPLAY: 7, Drop.KEY_EPOCH: 1}


def test_tags_are_held_per_key(network: Network) -> None:
    """The same tag under two keys is two packets: tables never mix."""
    core = network.core(MIX)
    boundary = (EPOCH + 1) * 3600.0
    unwrapped = network.arrived(MIX, 0.1, ENTRY).unwrapped
    core.receive(Arrived(ENTRY, unwrapped), boundary)
    twin = Unwrapped(unwrapped.tag, Epoch(EPOCH + 1), unwrapped.instruction)
    core.receive(Arrived(ENTRY, twin), boundary)
    assert _drops(core) == {}
    logged = [e for _, e in run(core, boundary + 1) if isinstance(e, LogTags)]
    assert sorted(batch.epoch for batch in logged) == [EPOCH, EPOCH + 1]


def test_counters_leave_in_steps() -> None:
    first, second = Counters(), Counters()
    first.relayed, second.relayed = 50, 99
    second.drops[Drop.REPLAY] = 49
    assert first.rounded() == second.rounded()
    second.relayed += 1
    assert second.rounded()["relayed"] == 100


def test_what_falls_due_during_the_sync_leaves_at_a_tick(network: Network) -> None:
    """A packet that left at the moment of the sync would be told from all others."""
    tick = MixLimits().tick_seconds
    core = network.core(MIX)
    core.receive(network.arrived(MIX, 0.0, ENTRY), START)
    logged = next(effect for effect in core.advance(START + tick) if isinstance(effect, LogTags))
    core.receive(TagsSynced(logged.batch), START + 1.46 * tick)
    deadline = core.next_deadline()
    assert deadline is not None
    assert deadline == pytest.approx(START + 2 * tick, abs=1e-6)
    assert [type(effect) for effect in core.advance(deadline)] == [SendPacket]
