"""The classical reference, `sphinxmix` on `petlib`, in the oracle's own environment.

Run by run.py, never by the product. It reads one JSON request a line and answers with one.
"""

import inspect
import json
import os
import struct
import sys
from time import perf_counter
from typing import Any

import msgpack  # type: ignore[import-not-found,import-untyped,unused-ignore]
from petlib.ec import (  # type: ignore[import-not-found,unused-ignore]
    POINT_CONVERSION_UNCOMPRESSED,
    EcPt,
)
from scenarios import (  # type: ignore[import-not-found,unused-ignore]
    BY_EVERY_NODE,
    DELIVERED,
    DROPPED,
    FLIPS_A_HOP,
    HOPS,
    NOBODYS_KEY,
    OTHER_ENCODING,
    OTHER_TAG,
    PADDING,
    PADDINGS,
    PAYLOAD_BYTES,
    REFUSED_AT_EXIT,
    SAME_PACKET,
    SAME_TAG,
    UNEXPECTED,
    Scenario,
    padding_verdict,
)
from sphinxmix import SphinxException  # type: ignore[import-not-found,unused-ignore]
from sphinxmix.SphinxClient import (  # type: ignore[import-not-found,unused-ignore]
    Dest_flag,
    Nenc,
    PFdecode,
    create_forward_message,
    pack_message,
    receive_forward,
    unpack_message,
)
from sphinxmix.SphinxNode import sphinx_process  # type: ignore[import-not-found,unused-ignore]
from sphinxmix.SphinxParams import SphinxParams  # type: ignore[import-not-found,unused-ignore]

MESSAGE_BYTES = 3500
POINT_EXTENSION = 2  # petlib.pack's number for a point
# Its ways to say no: its own exception, assertions on lengths, and OpenSSL's on points.
REFUSALS = (SphinxException, AssertionError, ValueError, Exception)


class Classical:
    """P-224 and AES, as the library has them by default, with the product's payload size."""

    def __init__(self) -> None:
        self.params = SphinxParams(body_len=PAYLOAD_BYTES)
        group = self.params.group
        self.names = [struct.pack("b", number) for number in range(HOPS)]
        self.secrets = [group.gensecret() for _ in range(HOPS)]
        self.publics = [group.expon(group.g, [secret]) for secret in self.secrets]

    def packet(self, length: int) -> tuple[Any, bytes, bytes]:
        """(header, payload, message)."""
        message = os.urandom(MESSAGE_BYTES)
        route = [Nenc(name) for name in self.names[:length]]
        header, payload = create_forward_message(
            self.params, route, self.publics[:length], b"bob", message
        )
        return header, payload, message

    def open(self, header: Any, payload: bytes, hop: int) -> Any:
        """(tag, routing, (header, payload), key of the payload's MAC)."""
        return sphinx_process(self.params, self.secrets[hop], header, payload)

    def arriving(self, header: Any, payload: bytes, hop: int) -> tuple[Any, bytes]:
        for before in range(hop):
            _, _, (header, payload), _ = self.open(header, payload, before)
        return header, payload

    def is_dropped(self, header: Any, payload: bytes, hop: int) -> bool:
        try:
            self.open(header, payload, hop)
        except REFUSALS:
            return True
        return False

    def open_wire(self, wire: bytes, hop: int) -> Any:
        """As `open`, from the bytes that a node receives."""
        known = {(self.params.max_len, self.params.m): self.params}
        _, (header, payload) = unpack_message(known, wire)
        return self.open(header, payload, hop)

    def without_a_key(self) -> Any:
        """A one-hop packet for the point at infinity, made with no node's key, sent to each."""
        nowhere = self.params.group.G.infinite()
        message = os.urandom(MESSAGE_BYTES)
        header, payload = create_forward_message(
            self.params, [Nenc(self.names[0])], [nowhere], b"bob", message
        )
        wire = pack_message(self.params, ((nowhere, *header[1:]), payload))
        for hop in range(HOPS):
            try:
                _, _, (_, opened), mac_key = self.open_wire(wire, hop)
                if receive_forward(self.params, mac_key, opened)[1] != message:
                    return UNEXPECTED
            except REFUSALS:
                return DROPPED
        return BY_EVERY_NODE

    def in_another_form(self, header: Any, payload: bytes, hop: int) -> Any:
        """The same point uncompressed, where the library itself writes it compressed."""
        alpha, beta, gamma = header
        wire = pack_message(self.params, (header, payload))
        point = alpha.export(POINT_CONVERSION_UNCOMPRESSED)
        inner = msgpack.packb((alpha.group.nid(), point))
        other = pack_message(
            self.params, ((msgpack.ExtType(POINT_EXTENSION, inner), beta, gamma), payload)
        )
        if other == wire:
            return UNEXPECTED
        try:
            same = self.open_wire(wire, hop)[0] == self.open_wire(other, hop)[0]
        except REFUSALS:
            return DROPPED
        return SAME_PACKET if same else UNEXPECTED

    def padding(self, length: int) -> bytes:
        """What the last hop can read behind its own block, as `sphinx_process` decrypts it."""
        header, payload, _ = self.packet(length)
        alpha, beta, _ = self.arriving(header, payload, length - 1)[0]
        shared = self.params.group.expon(alpha, [self.secrets[length - 1]])
        opened = self.params.xor_rho(self.params.hrho(self.params.get_aes_key(shared)), beta)
        block = opened[1 : 1 + opened[0]]
        if PFdecode(self.params, bytes(block))[0] != Dest_flag:
            raise AssertionError("this is not how the last block is read")
        return bytes(opened[1 + opened[0] :])

    def has_words(self, words: str) -> bool:
        return words in inspect.getsource(sphinx_process)

    def verdict(self, scenario: Any) -> str:
        return str(self.judged(scenario))

    def judged(self, scenario: Any) -> Any:
        if scenario.what == NOBODYS_KEY:
            return self.without_a_key()
        if scenario.what == PADDING:
            return padding_verdict([self.padding(scenario.length) for _ in range(PADDINGS)])
        header, payload, message = self.packet(scenario.length)
        if scenario.what == "send":
            return self.carry(header, payload, 0, scenario.length, message)
        hop = scenario.hop
        other_header, other_payload, _ = self.packet(scenario.length)
        header, payload = self.arriving(header, payload, hop)
        other_header, other_payload = self.arriving(other_header, other_payload, hop)
        alpha, beta, gamma = header
        changed: list[Any]
        match scenario.what:
            case "flip header bits":
                changed = self.flipped(header)
            case "send to another node's key":
                return DROPPED if self.is_dropped(header, payload, (hop + 1) % HOPS) else UNEXPECTED
            case "replace the public element":
                changed = [(other_header[0], beta, gamma)]
            case what if what == OTHER_ENCODING:
                return self.in_another_form(header, payload, hop)
            case "take another packet's routing":
                changed = [(alpha, other_header[1], gamma)]
            case "cut a byte off the header":
                changed = [(alpha, beta[:-1], gamma)]
            case "flip a payload bit":
                damaged = payload[:-1] + bytes([payload[-1] ^ 1])
                return self.carry(header, damaged, hop, scenario.length, message)
            case "take another packet's payload":
                return self.carry(header, other_payload, hop, scenario.length, message)
            case "send again":
                same = self.open(header, payload, hop)[0] == self.open(header, payload, hop)[0]
                return SAME_TAG if same else UNEXPECTED
            case "send a second packet":
                tag = self.open(header, payload, hop)[0]
                other = self.open(other_header, other_payload, hop)[0]
                return OTHER_TAG if tag != other else UNEXPECTED
            case what:
                raise AssertionError(what)
        dropped = all(self.is_dropped(each, payload, hop) for each in changed)
        return DROPPED if dropped else UNEXPECTED

    def flipped(self, header: Any) -> list[Any]:
        """Headers with one bit changed. One that is no longer a point counts as dropped at once:
        the library cannot even hold it."""
        alpha, beta, gamma = header
        point = alpha.export()
        whole = point + beta + gamma
        found = []
        step = len(whole) * 8 // FLIPS_A_HOP
        for bit in range(0, len(whole) * 8, step):
            raw = bytearray(whole)
            raw[bit // 8] ^= 1 << bit % 8
            try:
                changed = EcPt.from_binary(bytes(raw[: len(point)]), self.params.group.G)
            except Exception:  # noqa: S112 - petlib raises bare exceptions for what is no point
                continue
            end = len(point) + len(beta)
            found.append((changed, bytes(raw[len(point) : end]), bytes(raw[end:])))
        return found

    def carry(self, header: Any, payload: bytes, hop: int, length: int, message: bytes) -> Any:
        """From `hop` to the exit."""
        for each in range(hop, length):
            _, routing, (header, payload), mac_key = self.open(header, payload, each)
            PFdecode(self.params, routing)
        try:
            _, received = receive_forward(self.params, mac_key, payload)
        except REFUSALS:
            return REFUSED_AT_EXIT
        return DELIVERED if received == message else UNEXPECTED

    def time_unwrap(self, calls: int) -> float:
        """From the bytes that a node receives to the bytes that it sends, by the library's own
        encoding: the same work as the product's `unwrap`."""
        header, payload, _ = self.packet(HOPS)
        wire = pack_message(self.params, (header, payload))
        known = {(self.params.max_len, self.params.m): self.params}
        start = perf_counter()
        for _ in range(calls):
            params, (wire_header, wire_payload) = unpack_message(known, wire)
            _, routing, onward, _ = sphinx_process(
                params, self.secrets[0], wire_header, wire_payload
            )
            PFdecode(params, routing)
            pack_message(params, onward)
        return (perf_counter() - start) / calls * 1e6

    def time_process(self, calls: int) -> float:
        """`sphinx_process` alone, from a parsed point to a parsed point."""
        header, payload, _ = self.packet(HOPS)
        start = perf_counter()
        for _ in range(calls):
            self.open(header, payload, 0)
        return (perf_counter() - start) / calls * 1e6

    def time_wrap(self, calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            self.packet(HOPS)
        return (perf_counter() - start) / calls * 1e6


def main() -> None:
    subject = Classical()
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "verdict":
            answer: object = subject.verdict(Scenario(**request["scenario"]))
        elif request["do"] == "has_words":
            answer = subject.has_words(request["words"])
        else:
            timed = {
                "time_unwrap": subject.time_unwrap,
                "time_process": subject.time_process,
                "time_wrap": subject.time_wrap,
            }
            answer = timed[request["do"]](request["calls"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
