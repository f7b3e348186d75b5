"""The memory that a node shares with one of its unwrap workers: slots in a ring, one a packet.

Spec: docs/spec/mixing.md (Workers). The node fills the next slots with jobs and tells the
worker how many; the worker writes each answer into the slot where its job stood and tells the node
how many are done, in the same order. Both are told by the value of an eventfd (eventfd(2)), whose
system call also orders what either has written to the memory. Nothing is pickled, and no length is
trusted: a slot has one size.

    job     kind 1 | packet, or keys
    answer  outcome 1 | tag 16 | epoch 4 | next node 2 | delay in µs 4 | packet or payload

Both processes are the node's own; who can write this memory holds its keys as well.
"""

import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum

from hushmill.crypto import Kem
from hushmill.drops import Drop
from hushmill.errors import UsageError
from hushmill.identifiers import REPLAY_TAG_BYTES, Epoch, NodeNumber, ReplayTag
from hushmill.packet import (
    MICROSECONDS,
    Deliver,
    Forward,
    Geometry,
    NodeKey,
    Packet,
    Unwrapped,
)

SLOTS = 64  # what a worker may have before it; what waits beyond that waits in the intake, fairly
_ALIGNMENT = 64
_ANSWER = struct.Struct(f">B{REPLAY_TAG_BYTES}sIHI")
_KEY_HEAD = struct.Struct(">IH")  # epoch, length of the secret


class Job(IntEnum):
    """What a slot asks for."""

    PACKET = 1  # open it
    KEYS = 2  # forget all keys, and use these from now on


class _Outcome(IntEnum):
    """What became of a packet."""

    FORWARD = 1
    DELIVER = 2
    NOTHING = 3  # keys were taken
    PACKET = 4
    KEY_EPOCH = 5


_REFUSALS = {
    _Outcome.PACKET: Drop.PACKET,
    _Outcome.KEY_EPOCH: Drop.KEY_EPOCH,
}
_OUTCOMES = {reason: outcome for outcome, reason in _REFUSALS.items()}
Answer = Unwrapped | Drop | None


class UnwrapRing:
    """One end of the memory, at slot 0; both ends go through the slots in the same order."""

    def __init__(self, descriptor: int, geometry: Geometry) -> None:
        self._payload_bytes = geometry.payload_bytes
        self._packet_bytes = geometry.packet_bytes
        self._slot_bytes = slot_bytes(geometry)
        self._memory = mmap.mmap(descriptor, SLOTS * self._slot_bytes)
        self._to_fill = 0
        self._to_read = 0

    def close(self) -> None:
        self._memory.close()

    # What the node writes and the worker reads.

    def write_packet(self, packet: Packet) -> None:
        """Fills the next slot."""
        start = self._fill_next()
        self._memory[start] = Job.PACKET
        self._memory[start + 1 : start + 1 + len(packet.raw)] = packet.raw

    def write_keys(self, keys: Sequence[NodeKey]) -> None:
        """Fills the next slot with the secrets of `keys`."""
        entries = [_KEY_HEAD.pack(key.epoch, len(key.secret.raw)) + key.secret.raw for key in keys]
        content = bytes([len(keys)]) + b"".join(entries)
        if len(content) >= self._slot_bytes:
            raise UsageError("a slot has no room for so many keys")
        start = self._fill_next()
        self._memory[start] = Job.KEYS
        self._memory[start + 1 : start + 1 + len(content)] = content

    def read_job(self) -> tuple[Job, int]:
        """What the slot asks for, and where it starts; it is answered before the next is read."""
        start = self._read_next()
        return Job(self._memory[start]), start

    def packet_at(self, start: int) -> Packet:
        return Packet(self._memory[start + 1 : start + 1 + self._packet_bytes])

    def take_keys(self, start: int, kem: Kem, node: NodeNumber) -> Mapping[int, NodeKey]:
        """The keys by the low byte of their epochs; their secrets are gone from the memory."""
        keys: dict[int, NodeKey] = {}
        place = start + 2
        for _ in range(self._memory[start + 1]):
            epoch, length = _KEY_HEAD.unpack_from(self._memory, place)
            place += _KEY_HEAD.size
            secret = kem.load_secret(self._memory[place : place + length])
            place += length
            keys[epoch & 0xFF] = NodeKey(node, Epoch(epoch), secret)
        self._memory[start + 1 : place] = bytes(place - start - 1)
        return keys

    # What the worker writes and the node reads.

    def write_answer(self, start: int, answer: Answer) -> None:
        match answer:
            case None:
                self._memory[start] = _Outcome.NOTHING
            case Drop():
                self._memory[start] = _OUTCOMES[answer]
            case Unwrapped(tag, epoch, Forward(node, delay_seconds, packet)):
                delay = round(delay_seconds * MICROSECONDS)
                self._write_opened(start, _Outcome.FORWARD, tag, epoch, node, delay, packet.raw)
            case Unwrapped(tag, epoch, Deliver(payload)):
                self._write_opened(start, _Outcome.DELIVER, tag, epoch, 0, 0, payload)

    def read_answer(self) -> Answer:
        """What stands in the next slot: None for keys."""
        start = self._read_next()
        outcome = _Outcome(self._memory[start])
        if outcome is _Outcome.NOTHING:
            return None
        if outcome in _REFUSALS:
            return _REFUSALS[outcome]
        _, tag, epoch, node, delay = _ANSWER.unpack_from(self._memory, start)
        content = start + _ANSWER.size
        if outcome is _Outcome.FORWARD:
            packet = Packet(self._memory[content : content + self._packet_bytes])
            forward = Forward(NodeNumber(node), delay / MICROSECONDS, packet)
            return Unwrapped(ReplayTag(tag), Epoch(epoch), forward)
        payload = self._memory[content : content + self._payload_bytes]
        return Unwrapped(ReplayTag(tag), Epoch(epoch), Deliver(payload))

    def _write_opened(
        self,
        start: int,
        outcome: _Outcome,
        tag: ReplayTag,
        epoch: Epoch,
        node: int,
        delay: int,
        content: bytes,
    ) -> None:
        _ANSWER.pack_into(self._memory, start, outcome, tag, epoch, node, delay)
        begin = start + _ANSWER.size
        self._memory[begin : begin + len(content)] = content

    def _fill_next(self) -> int:
        start = self._to_fill * self._slot_bytes
        self._to_fill = (self._to_fill + 1) % SLOTS
        return start

    def _read_next(self) -> int:
        start = self._to_read * self._slot_bytes
        self._to_read = (self._to_read + 1) % SLOTS
        return start


def slot_bytes(geometry: Geometry) -> int:
    """The size of a slot: an answer's, which is the larger, up to whole cache lines."""
    largest = _ANSWER.size + geometry.packet_bytes
    return -(-largest // _ALIGNMENT) * _ALIGNMENT


def make_ring_memory(geometry: Geometry) -> int:
    """The descriptor of fresh memory for both ends, in no file system."""
    descriptor = os.memfd_create("hushmill-unwrap", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, SLOTS * slot_bytes(geometry))
    return descriptor
