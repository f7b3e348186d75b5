"""Garbage: what it costs, and that it always ends in a value or in the one error."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushmill.crypto import X25519_KEM, Kem, KemPublic, KemSecret
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch
from hushmill.packet import Deposit, Forward, NodeKey, Packet, Unwrapped, open_deposit
from tests.packet.world import (
    ALL_KEMS,
    EPOCH_BYTE,
    HOPS,
    REAL_KEMS,
    RNG,
    kem_name,
    with_bytes,
    world,
)

PACKET_REASONS = {Drop.PACKET, Drop.KEY_EPOCH}
Value = TypeVar("Value")
SMALL = world(X25519_KEM, 2, 100)
GOOD = {kem.name: world(kem) for kem in ALL_KEMS}
GOOD_PACKETS = {
    name: net.format.wrap(net.route(HOPS), net.payload(), RNG) for name, net in GOOD.items()
}


def outcome(action: Callable[[], Value]) -> Value | Drop:
    """What `action` gives, or the reason for which it refuses; any other error goes on."""
    try:
        return action()
    except PeerError as error:
        return error.reason


class CountingSecret:
    """Counts how often its key is used."""

    def __init__(self, secret: KemSecret) -> None:
        self._secret = secret
        self.uses = 0

    @property
    def raw(self) -> bytes:
        return self._secret.raw

    @property
    def public(self) -> KemPublic:
        return self._secret.public

    def decapsulate(self, ciphertext: bytes) -> bytes:
        self.uses += 1
        return self._secret.decapsulate(ciphertext)


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_garbage_costs_one_use_of_one_key(kem: Kem) -> None:
    net = world(kem)
    secrets = [CountingSecret(kem.generate()) for _ in range(4)]
    keys = {
        number: NodeKey(net.keys[0].node, Epoch(number), secret)
        for number, secret in enumerate(secrets)
    }
    for epoch in (0, 1, 2, 3, 4, 255):
        for secret in secrets:
            secret.uses = 0
        raw = bytes([1, epoch]) + os.urandom(net.format.geometry.packet_bytes - 2)
        garbage = with_bytes(Packet(raw), 1 + kem.ciphertext_bytes, b"\x07")  # a canonical point
        with pytest.raises(PeerError):
            net.format.unwrap(garbage, keys)
        assert [secret.uses for secret in secrets] == [int(epoch == n) for n in range(4)]


@given(data=st.binary(max_size=400), head=st.booleans())
def test_any_bytes_are_a_value_or_a_peer_error(data: bytes, head: bool) -> None:
    """Packets of any bytes, of the right size and of any other."""
    geometry = SMALL.format.geometry
    raw = data
    if head:
        raw = bytes([1, EPOCH_BYTE]) + data.ljust(geometry.packet_bytes, b"\x01")
        raw = raw[: geometry.packet_bytes]
    for action in (
        lambda: SMALL.open(Packet.of(raw, geometry), 0),
        lambda: SMALL.open(Packet(raw), 0),
    ):
        result = outcome(action)
        assert isinstance(result, Unwrapped) or result in PACKET_REASONS


@given(
    position=st.integers(0, 10_000),
    replacement=st.binary(min_size=1, max_size=200),
    suite=st.sampled_from(ALL_KEMS),
)
def test_a_changed_header_is_refused_and_a_changed_payload_is_not(
    position: int, replacement: bytes, suite: Kem
) -> None:
    net, packet = GOOD[suite.name], GOOD_PACKETS[suite.name]
    header = net.format.geometry.header_bytes
    offset = position % (len(packet.raw) - len(replacement))
    changed = with_bytes(packet, offset, replacement)
    result = outcome(lambda: net.open(changed, 0))
    if changed.raw[:header] == packet.raw[:header]:
        assert isinstance(result, Unwrapped)
        assert isinstance(result.instruction, Forward)
    else:
        assert result in PACKET_REASONS


@given(data=st.binary(max_size=300), zeros=st.integers(0, 40))
def test_any_payload_is_a_deposit_or_a_peer_error(data: bytes, zeros: int) -> None:
    payload = bytes(zeros) + data
    result = outcome(lambda: open_deposit(payload))
    if len(payload) > 80 and payload[:32] == bytes(32):
        assert isinstance(result, Deposit)
        assert bytes(32) + result.inbox + result.deposit + result.body == payload
    else:
        assert result is Drop.PACKET


def test_keys_do_not_print() -> None:
    net = world(X25519_KEM)
    secret = net.keys[0].secret.raw
    for text in (repr(net.keys[0]), str(net.keys[0]), repr(net.keys[0].secret)):
        assert secret.hex() not in text
        assert repr(secret) not in text


def test_the_packet_loads_no_classical_reference() -> None:
    """In a fresh interpreter, so that no other test's imports count."""
    code = "import sys, hushmill.packet; print({'sphinxmix', 'petlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
