"""A mix's own loops, carried by every node. Spec: docs/spec/mixing.md (Own loops)."""

import math

import msgspec
import pytest

from hushmill.identifiers import NodeNumber
from hushmill.packet import Forward, Packet, PacketFormat, Route
from hushmill.randomness import Randomness
from mixnode import (
    Arrived,
    ConsensusChanged,
    DeliverPayload,
    LogTags,
    MixCore,
    SendPacket,
    TagsSynced,
)
from tests.mixnode.network import EPOCH, LAYERS, PARAMETERS, PROVIDERS, START, Network, run

NODES = (*PROVIDERS, *(mix for layer in LAYERS for mix in layer))
LOOPING = msgspec.structs.replace(PARAMETERS, mix_loop_rate=1.0)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network("loops")


def _carry(network: Network, cores: dict[NodeNumber, MixCore], until: float) -> list[SendPacket]:
    """Everything that was sent, with perfect links and instant disks."""
    sent: list[SendPacket] = []
    while True:
        deadlines = {
            node: at
            for node, core in cores.items()
            if (at := core.next_deadline()) is not None and at <= until
        }
        if not deadlines:
            return sent
        node = min(deadlines, key=lambda owner: (deadlines[owner], owner))
        now = deadlines[node]
        for effect in cores[node].advance(now):
            if isinstance(effect, LogTags):
                cores[node].receive(TagsSynced(effect.batch), now)
            assert not isinstance(effect, DeliverPayload)
            if isinstance(effect, SendPacket):
                sent.append(effect)
                unwrapped = network.unwrap(effect.to, effect.packet)
                cores[effect.to].receive(Arrived(node, unwrapped), now)


def test_loops_of_every_mix_come_back_to_it(network: Network) -> None:
    """60 s of loops of one a second, then patience; every one of them returns, none is dropped."""
    cores = {node: network.core(node, LOOPING) for node in NODES}
    sent = _carry(network, cores, START + 60)
    for node, core in cores.items():
        counters = core.counters
        assert not +counters.drops
        if node in PROVIDERS:
            assert counters.loops_sent == 0
            continue
        assert abs(counters.loops_sent - 60) < 4 * math.sqrt(60)
        on_the_way = counters.loops_sent - counters.loops_returned
        assert 0 <= on_the_way < 20
    assert {effect.kind for effect in sent} == {"relay", "own_loop"}
    assert {len(effect.packet.raw) for effect in sent} == {network.format.geometry.packet_bytes}


def test_loops_follow_the_law_of_every_route(network: Network) -> None:
    """The next node reads a forward to the ring after it, with an exponential delay: what it reads
    in any packet. And all first hops of the next layer are used alike."""
    core = network.core(LAYERS[0][0], LOOPING)
    sent = [effect for _, effect in run(core, START + 400) if isinstance(effect, SendPacket)]
    delays = []
    for effect in sent:
        instruction = network.unwrap(effect.to, effect.packet).instruction
        assert isinstance(instruction, Forward)
        assert instruction.next_node in LAYERS[2]
        delays.append(instruction.delay_seconds)
    first = [effect.to for effect in sent].count(LAYERS[1][0])
    assert {effect.to for effect in sent} == set(LAYERS[1])
    assert abs(first - len(sent) / 2) < 4 * math.sqrt(len(sent) / 4)
    mean = PARAMETERS.delay_mean_seconds
    assert abs(sum(delays) / len(delays) - mean) < 4 * mean / math.sqrt(len(delays))


def test_loops_that_do_not_return_are_counted_lost(network: Network) -> None:
    core = network.core(LAYERS[0][0], LOOPING)
    run(core, START + 200)
    assert core.counters.loops_returned == 0
    outstanding = core.counters.loops_sent - core.counters.loops_lost
    longest = 4 * PARAMETERS.delay_cap_seconds + 30
    assert abs(outstanding - longest) < 4 * math.sqrt(longest)


def test_a_loop_counts_once(network: Network) -> None:
    core = network.core(LAYERS[2][0], LOOPING)
    looped = next(e for _, e in run(core, START + 20) if isinstance(e, SendPacket))
    own = LAYERS[2][0]
    packet, at = looped.packet, looped.to
    path = []
    while at != own:
        instruction = network.unwrap(at, packet).instruction
        assert isinstance(instruction, Forward)
        path.append(at)
        at, packet = instruction.next_node, instruction.packet
    assert [node in ring for node, ring in zip(path, (PROVIDERS, *LAYERS[:2]), strict=True)]
    unwrapped = network.unwrap(own, packet)
    core.receive(Arrived(path[-1], unwrapped), START + 21)
    core.receive(Arrived(path[-1], unwrapped), START + 21)
    assert core.counters.loops_returned == 1
    assert core.counters.drops.total() == 1


def test_a_node_whose_key_was_destroyed_is_silent_in_that_epoch(network: Network) -> None:
    core = network.core(LAYERS[0][0], LOOPING, silent_epochs=[EPOCH])
    boundary = (EPOCH + 1) * 3600.0
    sent = [at for at, e in run(core, boundary + 60) if isinstance(e, SendPacket)]
    assert min(sent) >= boundary
    assert len(sent) > 30


def test_after_a_stall_loops_do_not_come_in_a_burst(network: Network) -> None:
    core = network.core(LAYERS[0][0], LOOPING)
    run(core, START + 10)
    assert len(core.advance(START + 1000)) <= 1


class _Watched(PacketFormat):
    """Counts what it wraps."""

    wrapped = 0

    def wrap(self, route: Route, payload: bytes, rng: Randomness) -> Packet:
        self.wrapped += 1
        return super().wrap(route, payload, rng)


def test_no_loop_is_wrapped_in_the_tick_in_which_it_leaves() -> None:
    """Wrapping takes milliseconds, and that tick would be late for all to see. The exceptions are
    two loops in one tick."""
    network = Network("watched")
    geometry = network.format.geometry
    watched = _Watched(geometry.kem, geometry.hops, geometry.payload_bytes)
    network.format = watched
    core = network.core(LAYERS[0][0], LOOPING)
    left, at_once, together = 0, 0, 0
    while (deadline := core.next_deadline()) is not None and deadline < START + 300:
        before = watched.wrapped
        leaving = [each for each in core.advance(deadline) if isinstance(each, SendPacket)]
        left += len(leaving)
        together += max(0, len(leaving) - 1)
        at_once += bool(leaving) * (watched.wrapped - before)
    assert left > 200
    assert at_once <= together
    assert watched.wrapped <= left + 1  # none is thrown away


def test_a_loop_that_was_wrapped_by_an_earlier_document_is_made_anew(network: Network) -> None:
    core = network.core(LAYERS[0][0], LOOPING)
    now = START
    for _ in range(20):
        deadline = core.next_deadline()
        assert deadline is not None
        core.advance(now := deadline)
    other = Network("other keys")
    core.receive(ConsensusChanged(other.consensus, EPOCH), now)
    sent: list[SendPacket] = []
    while len(sent) < 5:
        deadline = core.next_deadline()
        assert deadline is not None
        sent += [each for each in core.advance(deadline) if isinstance(each, SendPacket)]
    for each in sent:
        assert isinstance(other.unwrap(each.to, each.packet).instruction, Forward)
