"""One case of a vector file, as the independent decoder and as the product see it."""

from typing import Any

from hushmill.crypto import Kem
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.packet import Deliver, Forward, NodeKey, Packet, PacketFormat
from tests.packet import independent


def decode_case(suite: str, case: dict[str, Any]) -> dict[str, Any]:
    """The outcome, by the independent decoder."""
    secrets = {int(epoch): bytes.fromhex(secret) for epoch, secret in case["keys"].items()}
    packet = bytes.fromhex(case["packet"])
    try:
        opened = independent.open_layer(
            suite, case["hops"], case["payload_bytes"], case["node"], secrets, packet
        )
    except independent.RefusedError as error:
        return {"refused": str(error)}
    match opened:
        case independent.Onward(tag, node, microseconds, onward):
            forward = {"next_node": node, "microseconds": microseconds, "packet": onward.hex()}
            return {"tag": tag.hex(), "forward": forward}
        case independent.Final(tag, payload, _):
            return {"tag": tag.hex(), "deliver": payload.hex()}


def product_outcome(kem: Kem, case: dict[str, Any]) -> dict[str, Any]:
    """The outcome, by the product."""
    form = PacketFormat(kem, case["hops"], case["payload_bytes"])
    keys = {
        int(epoch): NodeKey(
            NodeNumber(case["node"]), Epoch(int(epoch)), kem.load_secret(bytes.fromhex(secret))
        )
        for epoch, secret in case["keys"].items()
    }
    try:
        unwrapped = form.unwrap(Packet(bytes.fromhex(case["packet"])), keys)
    except PeerError as error:
        return {"refused": error.reason.value}
    match unwrapped.instruction:
        case Forward(next_node, delay_seconds, packet):
            microseconds = round(delay_seconds * 1_000_000)
            forward = {
                "next_node": next_node,
                "microseconds": microseconds,
                "packet": packet.raw.hex(),
            }
            return {"tag": unwrapped.tag.hex(), "forward": forward}
        case Deliver(payload):
            return {"tag": unwrapped.tag.hex(), "deliver": payload.hex()}
