"""Writes tests/vectors/packet_<suite>.json. Run once, when the format is fixed:

    python -m tests.packet.make_vectors tests/vectors

Honest packets come from the product's `wrap`, hostile ones from the tests' own `seal`. Every
outcome in the file is the independent decoder's, and the product must have agreed when it was
written.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hushmill.crypto import Kem
from tests.packet import independent
from tests.packet.vectors import decode_case, product_outcome
from tests.packet.world import EPOCH_BYTE, INBOX, REAL_KEMS, RNG, World, world

LOW_ORDER_8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
SMALL_PAYLOAD = 112


def honest(net: World, length: int, delays: list[float]) -> Iterator[dict[str, Any]]:
    """One packet at each of its hops."""
    geometry = net.format.geometry
    packet = net.format.wrap(net.route(length, delays), net.payload(), RNG).raw
    for hop in range(length):
        case = vector(net, f"route of {length} of {geometry.hops}, hop {hop + 1}", hop, packet)
        yield case
        if "forward" in case["outcome"]:
            packet = bytes.fromhex(case["outcome"]["forward"]["packet"])


def vector(net: World, name: str, hop: int, packet: bytes) -> dict[str, Any]:
    """A case with the outcome of the independent decoder."""
    geometry = net.format.geometry
    key = net.keys[hop]
    case: dict[str, Any] = {
        "name": name,
        "hops": geometry.hops,
        "payload_bytes": geometry.payload_bytes,
        "node": key.node,
        "keys": {str(EPOCH_BYTE): key.secret.raw.hex()},
        "packet": packet.hex(),
    }
    case["outcome"] = decode_case(geometry.kem.name, case)
    return case


def damaged(net: World) -> Iterator[dict[str, Any]]:
    """Each part of the header changed, one at a time; a changed payload is not refused."""
    kem = net.format.geometry.kem
    packet = net.format.wrap(net.route(2), net.payload(), RNG).raw
    header = net.format.geometry.header_bytes
    places = {
        "version 0": (0, 0x01),
        "version 3": (0, 0x02),
        "another key epoch": (1, 0x01),
        "ciphertext, first bit": (2, 0x01),
        "ciphertext, high bit of its X25519 part": (1 + kem.ciphertext_bytes, 0x80),
        "MAC, first bit": (2 + kem.ciphertext_bytes, 0x01),
        "MAC, last bit": (17 + kem.ciphertext_bytes, 0x80),
        "routing, first bit": (18 + kem.ciphertext_bytes, 0x01),
        "routing, last bit": (header - 1, 0x80),
        "payload, first bit": (header, 0x01),
        "payload, last bit": (len(packet) - 1, 0x80),
    }
    for name, (offset, mask) in places.items():
        changed = bytearray(packet)
        changed[offset] ^= mask
        yield vector(net, f"changed: {name}", 0, bytes(changed))
    yield vector(net, "a byte short", 0, packet[:-1])
    yield vector(net, "a byte long", 0, packet + b"\0")
    yield vector(net, "at another node", 1, packet)


def hostile(net: World) -> Iterator[dict[str, Any]]:
    """Whole packets with good MACs, from a sender who does not keep to the page."""
    geometry = net.format.geometry
    suite = geometry.kem.name
    key = net.keys[0]
    public = key.secret.public

    def sealed(stop: independent.Stop) -> bytes:
        padding = RNG.take(independent.padding_bytes(suite, geometry.hops, 1))
        return independent.seal(suite, geometry.hops, [stop], EPOCH_BYTE, net.payload(), padding)

    for command in (0, 3, 4, 255):
        stop = independent.Stop(key.node, *public.encapsulate(), command=command)
        yield vector(net, f"command {command}", 0, sealed(stop))
    stop = independent.Stop(key.node + 1, *public.encapsulate())
    yield vector(net, "derived for another node", 0, sealed(stop))
    points = {
        "zero": 0,
        "one": 1,
        "of order 8": LOW_ORDER_8,
        "p - 1": independent.P25519 - 1,
        "p": independent.P25519,
        "p + 1": independent.P25519 + 1,
        "p + 9, not canonical": independent.P25519 + 9,
    }
    for name, point in points.items():
        ciphertext = public.encapsulate()[0][:-32] + point.to_bytes(32, "little")
        shared = bytes(32)
        if suite == "xwing":
            expanded = independent.expand(key.secret.raw)
            shared_m = independent.post_quantum(expanded, ciphertext)
            shared = independent.combine(shared_m, bytes(32), ciphertext[1088:], public.raw[1184:])
        stop = independent.Stop(key.node, ciphertext, shared)
        yield vector(net, f"X25519 part {name}, sealed for a zero secret", 0, sealed(stop))


def suite_vectors(kem: Kem) -> dict[str, Any]:
    default = world(kem)
    small = world(kem, 3, SMALL_PAYLOAD)
    cases = list(honest(default, 4, [0.0, 0.5, 5.0, 0.0]))
    for length in (1, 2, 3):
        cases += honest(small, length, [0.000_001, 4294.967295, 1.0])
    tiny = world(kem, 2, SMALL_PAYLOAD)
    cases += [*damaged(tiny), *hostile(tiny)]
    for case in cases:
        assert product_outcome(kem, case) == case["outcome"], case["name"]
    return {
        "spec": "docs/spec/packet.md",
        "suite": kem.name,
        "inbox": INBOX.hex(),
        "cases": cases,
    }


def main() -> None:
    folder = Path(sys.argv[1])
    for kem in REAL_KEMS:
        path = folder / f"packet_{kem.name}.json"
        if path.exists():
            sys.exit(f"{path} is frozen; a change of format is a new version with new files")
        path.write_text(json.dumps(suite_vectors(kem), indent=1) + "\n")


if __name__ == "__main__":
    main()
