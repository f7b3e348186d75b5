"""What a node refuses, when the sender itself is hostile and when bytes are plain garbage.

The hostile packets here are complete: their MACs hold for whoever accepts the bad part, so only
the refusal under test stands in the way.
"""

import os
from dataclasses import dataclass

import pytest

from hushmill.crypto import X25519_KEM, XWING_KEM, Kem, KemPublic, KemSecret
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from hushmill.packet import (
    Deliver,
    NodeKey,
    Packet,
)
from tests.packet import independent
from tests.packet.world import (
    ALL_KEMS,
    EPOCH,
    EPOCH_BYTE,
    FAST_KEM,
    HOPS,
    PAYLOAD_BYTES,
    REAL_KEMS,
    RNG,
    World,
    kem_name,
    with_bytes,
    world,
)

P25519 = 2**255 - 19
# The u-coordinates of small order on the curve and its twist, in their encodings below 2^255: five
# canonical ones, and p and p + 1 (RFC 7748, 6.1; https://cr.yp.to/ecdh.html, "validate").
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
LOW_ORDER = {
    "zero": 0,
    "one": 1,
    "order 8, first": ORDER_8[0],
    "order 8, second": ORDER_8[1],
    "p - 1": P25519 - 1,
    "p": P25519,
    "p + 1": P25519 + 1,
}


def sealed_for(net: World, ciphertext: bytes, shared: bytes) -> Packet:
    """A one-hop packet to the first node under a ciphertext and a secret of the sender's choice."""
    suite = net.format.geometry.kem.name
    stop = independent.Stop(net.keys[0].node, ciphertext, shared)
    padding = os.urandom(independent.padding_bytes(suite, HOPS, 1))
    return Packet(independent.seal(suite, HOPS, [stop], EPOCH_BYTE, net.payload(), padding))


def assert_refused(net: World, packet: Packet, reason: Drop = Drop.PACKET) -> None:
    with pytest.raises(PeerError) as refused:
        net.open(packet, 0)
    assert refused.value.reason is reason
    assert str(refused.value) == reason.value


def zero_shared_ciphertext(net: World, classical: bytes) -> tuple[bytes, bytes]:
    """(ciphertext, shared) with `classical` as X25519 part, if its result were all zeros."""
    public = net.keys[0].secret.public
    if net.format.geometry.kem is X25519_KEM:
        return classical, bytes(32)
    honest, _ = public.encapsulate()
    expanded = independent.expand(net.keys[0].secret.raw)
    shared_m = independent.post_quantum(expanded, honest)
    combined = independent.combine(shared_m, bytes(32), classical, public.raw[1184:])
    return honest[:1088] + classical, combined


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
@pytest.mark.parametrize("point", LOW_ORDER.values(), ids=list(LOW_ORDER))
def test_refuses_a_low_order_point_though_its_mac_would_hold(kem: Kem, point: int) -> None:
    net = world(kem)
    ciphertext, shared = zero_shared_ciphertext(net, point.to_bytes(32, "little"))
    packet = sealed_for(net, ciphertext, shared)
    # The packet is whole: with that shared secret it opens.
    secrets = {EPOCH_BYTE: net.keys[0].secret.raw}
    opened = independent.open_layer(
        kem.name, HOPS, PAYLOAD_BYTES, net.keys[0].node, secrets, packet.raw, shared
    )
    assert isinstance(opened, independent.Final)
    assert_refused(net, packet)


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
@pytest.mark.parametrize("point", LOW_ORDER.values(), ids=list(LOW_ORDER))
def test_refuses_a_low_order_point_with_the_high_bit(kem: Kem, point: int) -> None:
    net = world(kem)
    ciphertext, shared = zero_shared_ciphertext(net, (point | 1 << 255).to_bytes(32, "little"))
    assert_refused(net, sealed_for(net, ciphertext, shared))


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_refuses_the_second_encoding_of_one_secret(kem: Kem) -> None:
    """RFC 7748 masks the high bit: an implementation that follows it here would open both."""
    net = world(kem)
    ciphertext, shared = net.keys[0].secret.public.encapsulate()
    assert isinstance(net.open(sealed_for(net, ciphertext, shared), 0).instruction, Deliver)
    second = ciphertext[:-1] + bytes([ciphertext[-1] | 0x80])
    if kem is XWING_KEM:  # the combiner hashes the X25519 ciphertext, so the secret changes with it
        expanded = independent.expand(net.keys[0].secret.raw)
        shared_m = independent.post_quantum(expanded, second)
        shared_x = independent.classical(expanded[64:], ciphertext[1088:])
        public_x = net.keys[0].secret.public.raw[1184:]
        shared = independent.combine(shared_m, shared_x, second[1088:], public_x)
    assert_refused(net, sealed_for(net, second, shared))


@pytest.mark.parametrize("value", [P25519 + 2, P25519 + 9, P25519 + 18, 2**255 - 1])
@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_refuses_values_from_p_on(kem: Kem, value: int) -> None:
    net = world(kem)
    packet = net.format.wrap(net.route(1), net.payload(), RNG)
    offset = 2 + kem.ciphertext_bytes - 32
    assert_refused(net, with_bytes(packet, offset, value.to_bytes(32, "little")))


def test_refuses_a_route_through_a_key_of_low_order() -> None:
    for point in LOW_ORDER.values():
        raw = point.to_bytes(32, "little")
        for kem, key in (
            (X25519_KEM, raw),
            (XWING_KEM, XWING_KEM.generate().public.raw[:1184] + raw),
        ):
            with pytest.raises(PeerError) as refused:
                kem.public(key)
            assert refused.value.reason is Drop.PACKET


@dataclass(frozen=True)
class HalfXWing:
    """An X-Wing secret with one part's result replaced by zeros: what a sloppy suite would use."""

    whole: KemSecret
    zeroed: str

    @property
    def raw(self) -> bytes:
        return self.whole.raw

    @property
    def public(self) -> KemPublic:
        return self.whole.public

    def decapsulate(self, ciphertext: bytes) -> bytes:
        expanded = independent.expand(self.raw)
        mlkem = independent.post_quantum(expanded, ciphertext)
        classical = independent.classical(expanded[64:], ciphertext[1088:])
        return independent.combine(
            bytes(32) if self.zeroed == "mlkem" else mlkem,
            bytes(32) if self.zeroed == "x25519" else classical,
            ciphertext[1088:],
            self.public.raw[1184:],
        )


@pytest.mark.parametrize(("zeroed", "opens"), [("", True), ("mlkem", False), ("x25519", False)])
def test_xwing_needs_both_of_its_parts(zeroed: str, opens: bool) -> None:
    net = world(XWING_KEM)
    packet = net.format.wrap(net.route(1), net.payload(), RNG)
    key = NodeKey(net.keys[0].node, EPOCH, HalfXWing(net.keys[0].secret, zeroed))
    if opens:
        assert isinstance(net.format.unwrap(packet, {EPOCH_BYTE: key}).instruction, Deliver)
        return
    with pytest.raises(PeerError) as refused:
        net.format.unwrap(packet, {EPOCH_BYTE: key})
    assert refused.value.reason is Drop.PACKET


def test_an_xwing_ciphertext_has_both_parts() -> None:
    ciphertext, _ = XWING_KEM.generate().public.encapsulate()
    assert len(ciphertext) == XWING_KEM.ciphertext_bytes == 1088 + 32


@pytest.mark.parametrize("command", [0, 3, 4, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_refuses_commands_that_are_unknown_or_reserved(kem: Kem, command: int) -> None:
    net = world(kem)
    ciphertext, shared = net.keys[0].secret.public.encapsulate()
    stop = independent.Stop(net.keys[0].node, ciphertext, shared, command=command)
    padding = os.urandom(independent.padding_bytes(kem.name, HOPS, 1))
    raw = independent.seal(kem.name, HOPS, [stop], EPOCH_BYTE, net.payload(), padding)
    assert_refused(net, Packet(raw))


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_refuses_another_version_though_its_mac_holds(kem: Kem) -> None:
    net = world(kem)
    ciphertext, shared = net.keys[0].secret.public.encapsulate()
    stop = independent.Stop(net.keys[0].node, ciphertext, shared)
    padding = os.urandom(independent.padding_bytes(kem.name, HOPS, 1))
    for version in (0, 2, 255):
        raw = independent.seal(
            kem.name, HOPS, [stop], EPOCH_BYTE, net.payload(), padding, version=version
        )
        assert_refused(net, Packet(raw))


@pytest.mark.parametrize("kem", ALL_KEMS, ids=kem_name)
def test_refuses_an_epoch_without_a_key_and_another_epochs_key(kem: Kem) -> None:
    net = world(kem)
    packet = net.format.wrap(net.route(1), net.payload(), RNG)
    assert_refused(net, with_bytes(packet, 1, b"\x35"), Drop.KEY_EPOCH)
    newer = NodeKey(net.keys[0].node, Epoch(0x1235), kem.generate())
    keys = {EPOCH_BYTE: net.keys[0], 0x35: newer}
    with pytest.raises(PeerError) as refused:
        net.format.unwrap(with_bytes(packet, 1, b"\x35"), keys)
    assert refused.value.reason is Drop.PACKET
    assert net.format.unwrap(packet, keys).epoch == EPOCH


@pytest.mark.parametrize("kem", ALL_KEMS, ids=kem_name)
def test_refuses_a_packet_for_another_node_with_the_same_key(kem: Kem) -> None:
    net = world(kem)
    packet = net.format.wrap(net.route(1), net.payload(), RNG)
    key = NodeKey(net.keys[1].node, EPOCH, net.keys[0].secret)
    with pytest.raises(PeerError) as refused:
        net.format.unwrap(packet, {EPOCH_BYTE: key})
    assert refused.value.reason is Drop.PACKET


def test_refuses_a_packet_of_another_format() -> None:
    small, large = world(FAST_KEM, 3), world(FAST_KEM, 4)
    packet = small.format.wrap(small.route(3), small.payload(), RNG)
    with pytest.raises(PeerError) as refused:
        large.format.unwrap(packet, {EPOCH_BYTE: small.keys[0]})
    assert refused.value.reason is Drop.PACKET
