"""The frozen packets, and two implementations that never saw each other's code."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hushmill.crypto import Kem
from hushmill.packet import Deliver, Forward, Packet
from tests.packet import independent
from tests.packet.vectors import decode_case, product_outcome
from tests.packet.world import EPOCH_BYTE, HOPS, REAL_KEMS, RNG, kem_name, world

VECTORS = Path(__file__).parent.parent / "vectors"
# Version 1 of the packet. A change of format is a new version with files of its own.
FROZEN = {
    "x25519": "8fe93f60b3c365b0e9729c2c07f96cc82f127c4b0a03f1e46a9e162e52e53176",
    "xwing": "7030a315b4a00191f62d0b06c73036222f6ed1c8fda6c60b3a72a47b66db3d02",
}


def cases() -> list[Any]:
    found = []
    for kem in REAL_KEMS:
        document = json.loads((VECTORS / f"packet_{kem.name}.json").read_text())
        for case in document["cases"]:
            found.append(pytest.param(kem, case, id=f"{kem.name}: {case['name']}"))
    return found


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_the_vectors_are_frozen(kem: Kem) -> None:
    data = (VECTORS / f"packet_{kem.name}.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == FROZEN[kem.name]


@pytest.mark.parametrize(("kem", "case"), cases())
def test_a_frozen_packet_has_its_frozen_outcome(kem: Kem, case: dict[str, Any]) -> None:
    assert product_outcome(kem, case) == case["outcome"]
    assert decode_case(kem.name, case) == case["outcome"]


@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_the_vectors_hold_refused_cases_and_whole_routes(kem: Kem) -> None:
    document = json.loads((VECTORS / f"packet_{kem.name}.json").read_text())
    outcomes = [next(k for k in case["outcome"] if k != "tag") for case in document["cases"]]
    assert outcomes.count("refused") >= 20
    assert outcomes.count("forward") >= 6
    assert outcomes.count("deliver") >= 4


@pytest.mark.parametrize("length", range(1, HOPS + 1))
@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_the_independent_decoder_opens_what_wrap_makes(kem: Kem, length: int) -> None:
    net = world(kem)
    payload = net.payload()
    delays = [0.25 * index for index in range(length)]
    raw = net.format.wrap(net.route(length, delays), payload, RNG).raw
    for hop, key in enumerate(net.keys[:length]):
        secrets = {EPOCH_BYTE: key.secret.raw}
        opened = independent.open_layer(kem.name, HOPS, len(payload), key.node, secrets, raw)
        assert opened.tag == net.open(Packet(raw), hop).tag
        if isinstance(opened, independent.Final):
            assert hop == length - 1
            assert opened.payload == payload
        else:
            assert (opened.node, opened.microseconds) == (net.keys[hop + 1].node, 250_000 * hop)
            raw = opened.packet


@pytest.mark.parametrize("length", range(1, HOPS + 1))
@pytest.mark.parametrize("kem", REAL_KEMS, ids=kem_name)
def test_unwrap_opens_what_the_independent_sender_makes(kem: Kem, length: int) -> None:
    net = world(kem)
    payload = net.payload()
    stops = [
        independent.Stop(key.node, *key.secret.public.encapsulate(), microseconds=1000 * index)
        for index, key in enumerate(net.keys[:length])
    ]
    padding = os.urandom(independent.padding_bytes(kem.name, HOPS, length))
    packet = Packet(independent.seal(kem.name, HOPS, stops, EPOCH_BYTE, payload, padding))
    for hop in range(length):
        match net.open(packet, hop).instruction:
            case Forward(next_node, delay_seconds, following):
                assert (next_node, delay_seconds) == (net.keys[hop + 1].node, hop / 1000)
                packet = following
            case Deliver(delivered):
                assert hop == length - 1
                assert delivered == payload


def test_the_independent_packet_imports_nothing_of_the_product() -> None:
    source = Path(independent.__file__).read_text()
    lines = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert lines
    assert not any("hushmill" in line or "experiments" in line for line in lines)
