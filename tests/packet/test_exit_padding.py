"""The last node cannot read the length of the path from what fills its header.

Every statistic here is also run on packets padded with zeros, which it must find.
"""

import math
import os
from collections import Counter
from itertools import groupby

import pytest

from tests.packet import independent
from tests.packet.world import EPOCH_BYTE, FAST_KEM, HOPS, RNG, World, world

SUITE = FAST_KEM.name
PAYLOAD_BYTES = 100
ROUTING_BYTES = (HOPS - 1) * 55 + 17


def exit_view(net: World, length: int, zero_padding: bool) -> bytes:
    """The last node's opened routing part behind the command, of a route of `length`."""
    if zero_padding:
        stops = [
            independent.Stop(key.node, *key.secret.public.encapsulate())
            for key in net.keys[:length]
        ]
        reply = os.urandom(16)
        padding = reply.ljust(independent.padding_bytes(SUITE, HOPS, length), b"\0")
        raw = independent.seal(SUITE, HOPS, stops, EPOCH_BYTE, net.payload(), padding)
    else:
        raw = net.format.wrap(net.route(length), net.payload(), RNG).raw
    for key in net.keys[:length]:
        shared = key.secret.decapsulate(raw[2:34])
        secrets = {EPOCH_BYTE: b""}
        opened = independent.open_layer(SUITE, HOPS, PAYLOAD_BYTES, key.node, secrets, raw, shared)
        if isinstance(opened, independent.Final):
            return opened.opened[1:]
        raw = opened.packet
    raise AssertionError("the route had no end")


def chi_square(views: list[bytes]) -> float:
    """Over the 256 byte values, standardised: 0 in the mean, 1 the deviation."""
    counts = Counter(b"".join(views))
    total = sum(counts.values())
    expected = total / 256
    statistic = sum((counts[value] - expected) ** 2 for value in range(256)) / expected
    return (statistic - 255) / math.sqrt(2 * 255)


def longest_zero_run(views: list[bytes]) -> int:
    return max(
        (len(list(run)) for view in views for value, run in groupby(view) if value == 0), default=0
    )


def worst_bit(views: list[bytes]) -> float:
    """Of all bit positions, the largest departure from one half, in standard deviations."""
    bits = (ROUTING_BYTES - 1) * 8
    counts = [0] * bits
    for view in views:
        number = int.from_bytes(view, "big")
        for position in range(bits):
            counts[position] += number >> position & 1
    half, deviation = len(views) / 2, math.sqrt(len(views)) / 2
    return max(abs(count - half) for count in counts) / deviation


def assert_random(views: list[bytes]) -> None:
    """Bounds of about 10⁻⁶ together for what is truly random."""
    assert abs(chi_square(views)) < 7
    assert longest_zero_run(views) <= 6
    assert worst_bit(views) < 7


@pytest.mark.parametrize("length", range(1, HOPS + 1))
def test_the_exit_sees_random_bytes_for_every_length(length: int) -> None:
    net = world(FAST_KEM, HOPS, PAYLOAD_BYTES)
    assert_random([exit_view(net, length, zero_padding=False) for _ in range(2000)])


@pytest.mark.parametrize("length", range(1, HOPS))
def test_these_statistics_find_zero_padding(length: int) -> None:
    net = world(FAST_KEM, HOPS, PAYLOAD_BYTES)
    views = [exit_view(net, length, zero_padding=True) for _ in range(50)]
    assert chi_square(views) > 100
    assert longest_zero_run(views) >= 55
    assert worst_bit(views) >= 7


@pytest.mark.soak
@pytest.mark.parametrize("length", range(1, HOPS + 1))
def test_the_exit_sees_random_bytes_in_a_hundred_thousand_packets(length: int) -> None:
    net = world(FAST_KEM, HOPS, PAYLOAD_BYTES)
    views = [exit_view(net, length, zero_padding=False) for _ in range(100_000)]
    assert_random(views)
