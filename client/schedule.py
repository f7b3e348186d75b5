"""Randomness of one slot, from a secret of this run and the slot's name.

What a slot's packet does on its way is drawn from the slot's own stream, which nothing else
touches: whether anyone writes cannot shift it. Spec: docs/spec/traffic.md (Slots).
"""

from enum import IntEnum

from client.core_events import Stream
from hushmill.crypto import Label, derive
from hushmill.identifiers import Epoch


class Purpose(IntEnum):
    ROUTE = 0  # mixes, delays, a cover's destination
    CONTENT = 1  # a cover's bytes, a packet's filling
    CONTROL = 2  # inbox ids in the control field


class SlotRandomness:
    """`take` gives derive(TRAFFIC_SLOT, count, secret, stream 1 | purpose 1 | epoch 4 | slot 8 |
    draw 4): the same again for the same slot and epoch. The secret is drawn at the program's start
    and never stored."""

    __slots__ = ("_draws", "_name", "_secret")

    def __init__(
        self, secret: bytes, stream: Stream, number: int, epoch: Epoch, purpose: Purpose
    ) -> None:
        self._secret = secret
        head = bytes((stream, purpose)) + epoch.to_bytes(4, "big")
        self._name = head + number.to_bytes(8, "big")
        self._draws = 0

    def take(self, count: int) -> bytes:
        name = self._name + self._draws.to_bytes(4, "big")
        self._draws += 1
        return derive(Label.TRAFFIC_SLOT, count, self._secret, name)
