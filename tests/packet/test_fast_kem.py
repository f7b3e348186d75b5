"""The simulator's KEM: quick, the same twice, and never the product's."""

from typing import get_args

import pytest

from experiments.simnet.fast_kem import FastKem
from experiments.simnet.seeded import SeededRandomness
from hushmill.crypto import kem_named
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import NodeNumber
from hushmill.packet import Hop, NodeKey, PacketFormat, Route, deposit_payload, open_deposit
from hushmill.parameters import SuiteName
from tests.packet.world import DEPOSIT, EPOCH, FAST_KEM, HOPS, INBOX, world


def test_no_suite_is_the_fast_one() -> None:
    for suite in get_args(SuiteName):
        assert kem_named(suite).code != FastKem.code
        assert kem_named(suite).name == suite
    assert FastKem.code == 0xFE


def test_one_seed_gives_one_packet() -> None:
    def packet(seed: int) -> bytes:
        rng = SeededRandomness(seed, "sender")
        kem = FastKem(rng)
        form = PacketFormat(kem, HOPS, 200)
        keys = [NodeKey(NodeNumber(number), EPOCH, kem.generate()) for number in range(HOPS)]
        hops = tuple(Hop(key.node, kem.public(key.secret.public.raw), 0.5) for key in keys)
        payload = deposit_payload(INBOX, DEPOSIT, bytes(120), form.geometry)
        return form.wrap(Route(hops, EPOCH), payload, rng).raw

    assert packet(1) == packet(1)
    assert packet(1) != packet(2)


def test_it_carries_a_packet_through_the_products_code() -> None:
    net = world(FAST_KEM)
    payload = net.payload()
    packet = net.format.wrap(net.route(HOPS), payload, SeededRandomness(3, "sender"))
    assert open_deposit(net.delivered(packet, 0, HOPS - 1)).inbox == INBOX


def test_refuses_other_lengths() -> None:
    secret = FAST_KEM.generate()
    for action in (lambda: FAST_KEM.public(bytes(31)), lambda: secret.decapsulate(bytes(33))):
        with pytest.raises(PeerError) as refused:
            action()
        assert refused.value.reason is Drop.PACKET
    with pytest.raises(UsageError):
        FAST_KEM.load_secret(bytes(33))
