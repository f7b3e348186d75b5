"""Every bit of a header counts at the hop it reaches; a damaged payload becomes noise."""

from collections.abc import Iterable

import pytest

from hushmill.crypto import X25519_KEM, XWING_KEM, Kem
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.packet import Deliver, Forward, open_deposit
from tests.packet.world import HOPS, REAL_KEMS, RNG, World, kem_name, with_bit_flipped, world

HEADER_REASONS = {Drop.PACKET, Drop.KEY_EPOCH}


def assert_each_flip_is_dropped(net: World, bits: Iterable[int]) -> None:
    """At the very hop at which the bit is flipped, for each of them."""
    chosen = list(bits)
    packet = net.format.wrap(net.route(HOPS), net.payload(), RNG)
    for hop in range(HOPS):
        arriving = net.arriving(packet, hop)
        net.open(arriving, hop)  # as it came, it is good
        for bit in chosen:
            with pytest.raises(PeerError) as refused:
                net.open(with_bit_flipped(arriving, bit), hop)
            expected = Drop.KEY_EPOCH if bit // 8 == 1 else Drop.PACKET
            assert refused.value.reason is expected, f"bit {bit} at hop {hop}"


def test_drops_every_flipped_bit_of_an_x25519_header_at_that_hop() -> None:
    net = world(X25519_KEM)
    assert_each_flip_is_dropped(net, range(net.format.geometry.header_bytes * 8))


def test_drops_flipped_bits_of_an_xwing_header_at_that_hop() -> None:
    net = world(XWING_KEM)
    geometry = net.format.geometry
    block = geometry.block_bytes
    start = geometry.header_bytes - geometry.routing_bytes
    # Each field's first and last byte, in the header and in every block of the routing part.
    edges = [0, 1, 2, 1089, 1090, 1121, 1122, 1137, 1138]
    fields = [0, 1, 2, 3, 6, 7, 1094, 1095, 1126, 1127, 1142]
    edges += [start + index * block + offset for index in range(3) for offset in fields]
    edges += [geometry.header_bytes - 17, geometry.header_bytes - 1]
    bits = {byte * 8 + bit for byte in edges for bit in range(8)}
    assert_each_flip_is_dropped(net, sorted(bits | set(range(0, geometry.header_bytes * 8, 61))))


@pytest.mark.soak
def test_drops_every_flipped_bit_of_an_xwing_header_at_that_hop() -> None:
    net = world(XWING_KEM)
    assert_each_flip_is_dropped(net, range(net.format.geometry.header_bytes * 8))


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
@pytest.mark.parametrize("hop", range(HOPS))
def test_one_flipped_payload_bit_makes_noise_at_the_exit(kem: Kem, hop: int) -> None:
    net = world(kem)
    payload = net.payload()
    arriving = net.arriving(net.format.wrap(net.route(HOPS), payload, RNG), hop)
    header_bits = net.format.geometry.header_bytes * 8
    size_bits = len(payload) * 8
    for bit in (0, 255, 256, 257, size_bits // 2, size_bits - 1):
        seen = net.delivered(with_bit_flipped(arriving, header_bits + bit), hop, HOPS - 1)
        difference = int.from_bytes(seen, "big") ^ int.from_bytes(payload, "big")
        # Half of 28,864 bits, within seven standard deviations of 85.
        assert abs(difference.bit_count() - size_bits / 2) < 7 * 85
        # So does the address: the first 80 bytes, within seven standard deviations of 12.6.
        assert abs((difference >> (size_bits - 640)).bit_count() - 320) < 7 * 13
        with pytest.raises(PeerError) as refused:
            open_deposit(seen)
        assert refused.value.reason is Drop.PACKET


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_a_tagged_packet_looks_like_any_other_until_the_exit(kem: Kem) -> None:
    net = world(kem)
    packet = net.format.wrap(net.route(HOPS), net.payload(), RNG)
    tagged = with_bit_flipped(packet, net.format.geometry.packet_bytes * 8 - 1)
    for hop in range(HOPS):
        honest, damaged = net.open(packet, hop), net.open(tagged, hop)
        assert (honest.tag, honest.epoch) == (damaged.tag, damaged.epoch)
        match honest.instruction, damaged.instruction:
            case Forward() as one, Forward() as other:
                assert one.next_node == other.next_node
                assert one.delay_seconds == other.delay_seconds
                assert len(one.packet.raw) == len(other.packet.raw)
                packet, tagged = one.packet, other.packet
            case Deliver() as one, Deliver() as other:
                assert len(one.payload) == len(other.payload)
            case pair:
                pytest.fail(f"the outcomes differ in kind: {pair}")


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_blocks_of_two_packets_cannot_be_exchanged(kem: Kem) -> None:
    net = world(kem)
    one, other = (net.format.wrap(net.route(HOPS), net.payload(), RNG) for _ in range(2))
    geometry = net.format.geometry
    start = geometry.header_bytes - geometry.routing_bytes
    for cut in (2 + kem.ciphertext_bytes // 2, 2 + kem.ciphertext_bytes, start):
        with pytest.raises(PeerError):
            net.open(type(one)(one.raw[:cut] + other.raw[cut:]), 0)
    # A foreign payload under this header is no error of the header's, and no deposit either.
    mixed = type(one)(one.raw[: geometry.header_bytes] + other.raw[geometry.header_bytes :])
    with pytest.raises(PeerError):
        open_deposit(net.delivered(mixed, 0, HOPS - 1))
