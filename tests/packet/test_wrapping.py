"""What a sender makes and what every node on the way sees of it."""

import math

import pytest

from hushmill.crypto import XWING_KEM, Kem
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import Epoch
from hushmill.packet import (
    Deliver,
    Forward,
    Geometry,
    Packet,
    PacketFormat,
    Route,
    deposit_payload,
    open_deposit,
    packet_format,
)
from hushmill.parameters import Parameters
from tests.packet.world import (
    ALL_KEMS,
    DEPOSIT,
    FAST_KEM,
    HOPS,
    INBOX,
    REAL_KEMS,
    RNG,
    kem_name,
    world,
)


@pytest.mark.parametrize(
    ("suite", "sizes"),
    [("x25519", (55, 182, 232, 3840, 3528)), ("xwing", (1143, 3446, 4584, 8192, 3528))],
)
def test_has_the_sizes_of_the_spec(suite: str, sizes: tuple[int, ...]) -> None:
    kem = next(kem for kem in REAL_KEMS if kem.name == suite)
    geometry = Geometry(kem, 4, 3608)
    assert sizes == (
        geometry.block_bytes,
        geometry.routing_bytes,
        geometry.header_bytes,
        geometry.packet_bytes,
        geometry.body_bytes,
    )


def test_the_default_parameters_give_xwing_at_four_hops() -> None:
    geometry = packet_format(Parameters()).geometry
    assert geometry.kem is XWING_KEM
    assert (geometry.hops, geometry.packet_bytes) == (4, 8192)


@pytest.mark.parametrize("kem", ALL_KEMS, ids=kem_name)
@pytest.mark.parametrize("hops", [1, 2, 4, 6])
def test_every_packet_has_one_size_at_every_hop_of_every_length(kem: Kem, hops: int) -> None:
    net = world(kem, hops, 200)
    for length in range(1, hops + 1):
        payload = net.payload()
        packet = net.format.wrap(net.route(length), payload, RNG)
        seen = []
        for hop in range(length):
            seen.append(len(packet.raw))
            unwrapped = net.open(packet, hop)
            assert unwrapped.epoch == 0x1234
            match unwrapped.instruction:
                case Forward(next_node, delay_seconds, following):
                    assert next_node == net.keys[hop + 1].node
                    assert math.isclose(delay_seconds, 0.1 * (hop + 1), abs_tol=5e-7)
                    packet = following
                case Deliver(delivered):
                    assert hop == length - 1
                    assert delivered == payload
        assert seen == [net.format.geometry.packet_bytes] * length


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_nothing_but_version_and_epoch_stays_the_same_between_hops(kem: Kem) -> None:
    net = world(kem)
    first = net.format.wrap(net.route(HOPS), net.payload(), RNG)
    second = net.arriving(first, 1)
    assert first.raw[:2] == second.raw[:2]
    size = 8
    pieces = {first.raw[at : at + size] for at in range(2, len(first.raw) - size)}
    assert not any(second.raw[at : at + size] in pieces for at in range(2, len(second.raw) - size))


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_two_wraps_of_one_payload_share_no_tag_and_no_ciphertext(kem: Kem) -> None:
    net = world(kem)
    payload = net.payload()
    first, second = (net.format.wrap(net.route(HOPS), payload, RNG) for _ in range(2))
    assert first.raw[2 : 2 + kem.ciphertext_bytes] != second.raw[2 : 2 + kem.ciphertext_bytes]
    assert net.open(first, 0).tag != net.open(second, 0).tag


def test_the_tags_of_a_packet_differ_by_hop_and_not_by_payload() -> None:
    net = world(FAST_KEM)
    packet = net.format.wrap(net.route(HOPS), net.payload(), RNG)
    tags = [net.open(net.arriving(packet, hop), hop).tag for hop in range(HOPS)]
    assert len(set(tags)) == HOPS
    tampered = Packet(packet.raw[:-1] + bytes([packet.raw[-1] ^ 1]))
    assert net.open(tampered, 0).tag == tags[0]


def test_the_same_node_may_stand_twice_in_a_route() -> None:
    net = world(FAST_KEM)
    hop = net.route(1).hops[0]
    packet = net.format.wrap(Route((hop, hop, hop), Epoch(0x1234)), net.payload(), RNG)
    first = net.open(packet, 0).instruction
    assert isinstance(first, Forward)
    second = net.open(first.packet, 0).instruction
    assert isinstance(second, Forward)
    assert isinstance(net.open(second.packet, 0).instruction, Deliver)


def test_delays_go_to_the_microsecond_and_no_further_than_they_fit() -> None:
    net = world(FAST_KEM)
    longest = (2**32 - 1) / 1_000_000
    packet = net.format.wrap(net.route(2, [longest, 0.0]), net.payload(), RNG)
    instruction = net.open(packet, 0).instruction
    assert isinstance(instruction, Forward)
    assert instruction.delay_seconds == longest
    for outside in (longest + 0.000_001, -0.000_001):
        with pytest.raises(UsageError):
            net.format.wrap(net.route(2, [outside, 0.0]), net.payload(), RNG)


def test_the_last_hops_delay_is_not_sent() -> None:
    net = world(FAST_KEM)
    packet = net.format.wrap(net.route(1, [1e9]), net.payload(), RNG)
    assert isinstance(net.open(packet, 0).instruction, Deliver)


@pytest.mark.parametrize("length", [0, HOPS + 1])
def test_refuses_a_route_without_hops_or_with_too_many(length: int) -> None:
    net = world(FAST_KEM, HOPS + 1)
    route = net.route(length)
    with pytest.raises(UsageError):
        world(FAST_KEM).format.wrap(route, world(FAST_KEM).payload(), RNG)


@pytest.mark.parametrize("change", [-1, 1])
def test_refuses_a_payload_of_another_size(change: int) -> None:
    net = world(FAST_KEM)
    with pytest.raises(UsageError):
        net.format.wrap(net.route(1), bytes(3608 + change), RNG)


@pytest.mark.parametrize(("hops", "payload"), [(0, 3608), (4, 80)])
def test_refuses_a_geometry_without_hops_or_body(hops: int, payload: int) -> None:
    with pytest.raises(UsageError):
        PacketFormat(FAST_KEM, hops, payload)


def test_a_deposit_survives_its_payload() -> None:
    geometry = Geometry(FAST_KEM, 4, 100)
    body = bytes(range(20))
    deposit = open_deposit(deposit_payload(INBOX, DEPOSIT, body, geometry))
    assert (deposit.inbox, deposit.deposit, deposit.body) == (INBOX, DEPOSIT, body)


@pytest.mark.parametrize("size", [0, 19, 21])
def test_refuses_a_body_of_another_size(size: int) -> None:
    with pytest.raises(UsageError):
        deposit_payload(INBOX, DEPOSIT, bytes(size), Geometry(FAST_KEM, 4, 100))


def test_every_bit_of_the_zero_tag_counts() -> None:
    payload = deposit_payload(INBOX, DEPOSIT, bytes(20), Geometry(FAST_KEM, 4, 100))
    for bit in range(32 * 8):
        wrong = bytearray(payload)
        wrong[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(PeerError) as refused:
            open_deposit(bytes(wrong))
        assert refused.value.reason is Drop.PACKET


@pytest.mark.parametrize("change", [-1, 1])
def test_a_packet_of_another_size_is_none(change: int) -> None:
    geometry = world(FAST_KEM).format.geometry
    with pytest.raises(PeerError) as refused:
        Packet.of(bytes(geometry.packet_bytes + change), geometry)
    assert refused.value.reason is Drop.PACKET
    assert len(Packet.of(bytes(geometry.packet_bytes), geometry).raw) == geometry.packet_bytes
