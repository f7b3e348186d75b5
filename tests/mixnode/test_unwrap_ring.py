"""The memory between a node and its unwrap workers, both ends in one process.

Spec: docs/spec/mixing.md (Workers)."""

import os
from collections.abc import Iterator

import pytest

from hushmill.crypto import kem_named
from hushmill.drops import Drop
from hushmill.errors import UsageError
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Deliver, Forward, Hop, NodeKey, Packet, PacketFormat, Route, Unwrapped
from hushmill.runtime import SystemRandomness
from mixnode.unwrap_ring import SLOTS, Job, UnwrapRing, make_ring_memory
from mixnode.unwrap_worker import UnwrapWorker

KEM = kem_named("x25519")
FORMAT = PacketFormat(KEM, 2, 256)
NODE, NEXT = NodeNumber(7), NodeNumber(65534)
RNG = SystemRandomness()


class Ends:
    """The node's end, and a worker at the other."""

    def __init__(self) -> None:
        descriptor = make_ring_memory(FORMAT.geometry)
        self.here = UnwrapRing(descriptor, FORMAT.geometry)
        self.there = UnwrapRing(descriptor, FORMAT.geometry)
        os.close(descriptor)
        self.worker = UnwrapWorker(FORMAT, NODE, self.there)

    def ask(self, packet: Packet) -> Unwrapped | Drop | None:
        self.here.write_packet(packet)
        self.worker.work()
        return self.here.read_answer()

    def use(self, *keys: NodeKey) -> None:
        self.here.write_keys(keys)
        self.worker.work()
        assert self.here.read_answer() is None


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.here.close()
    ends.there.close()


def key(epoch: int) -> NodeKey:
    return NodeKey(NODE, Epoch(epoch), KEM.generate())


def packet_for(own: NodeKey, delay: float | None) -> Packet:
    """To be delivered by `own`, or forwarded after `delay`."""
    first = Hop(NODE, own.secret.public, delay or 0.0)
    last = Hop(NEXT, KEM.generate().public, 0.0)
    hops = (first,) if delay is None else (first, last)
    return FORMAT.wrap(Route(hops, own.epoch), RNG.take(256), RNG)


@pytest.mark.parametrize("delay", [0.0, 0.123456, 4294.967295])
def test_an_answer_is_what_unwrapping_gives(ends: Ends, delay: float) -> None:
    own = key(300)
    ends.use(own)
    packet = packet_for(own, delay)
    answer = ends.ask(packet)
    assert answer == FORMAT.unwrap(packet, {300 & 0xFF: own})
    assert isinstance(answer, Unwrapped)
    assert isinstance(answer.instruction, Forward)
    assert answer.instruction.next_node == NEXT
    delivered = ends.ask(packet_for(own, None))
    assert isinstance(delivered, Unwrapped)
    assert isinstance(delivered.instruction, Deliver)


def test_refusals_come_back_as_reasons(ends: Ends) -> None:
    own = key(1)
    ends.use(own)
    raw = bytearray(packet_for(own, 0.1).raw)
    raw[40] ^= 1
    assert ends.ask(Packet(bytes(raw))) is Drop.PACKET
    assert ends.ask(packet_for(key(2), 0.1)) is Drop.KEY_EPOCH


def test_new_keys_replace_the_old_ones_and_leave_no_secret_behind(ends: Ends) -> None:
    first, second = key(1), key(2)
    old, new = packet_for(first, 0.1), packet_for(second, 0.1)
    ends.use(first)
    assert isinstance(ends.ask(old), Unwrapped)
    ends.use(second)
    assert ends.ask(old) is Drop.KEY_EPOCH
    assert isinstance(ends.ask(new), Unwrapped)
    ends.use()
    assert ends.ask(new) is Drop.KEY_EPOCH
    memory = bytes(ends.here._memory)
    assert first.secret.raw not in memory
    assert second.secret.raw not in memory


def test_goes_round_the_ring_in_order(ends: Ends) -> None:
    own = key(1)
    ends.use(own)
    sent = [packet_for(own, number / 1000) for number in range(SLOTS + 5)]
    delays = []
    for start in range(0, len(sent), SLOTS - 1):
        run = sent[start : start + SLOTS - 1]
        for packet in run:
            ends.here.write_packet(packet)
        for _ in run:
            ends.worker.work()
        for _ in run:
            answer = ends.here.read_answer()
            assert isinstance(answer, Unwrapped)
            assert isinstance(answer.instruction, Forward)
            delays.append(answer.instruction.delay_seconds)
    assert delays == [number / 1000 for number in range(SLOTS + 5)]


def test_refuses_more_keys_than_a_slot_holds(ends: Ends) -> None:
    with pytest.raises(UsageError):
        ends.here.write_keys([key(number) for number in range(100)])


def test_a_slot_that_holds_no_job_is_a_bug(ends: Ends) -> None:
    with pytest.raises(ValueError, match="0 is not a valid Job"):
        ends.there.read_job()
    assert set(Job) == {Job.PACKET, Job.KEYS}
