"""Writes tests/vectors/e2ee.json. Run once, when the formats are fixed:

    python -m tests.client.make_e2ee_vectors tests/vectors/e2ee.json

What is honest comes from the product, what is hostile is made by hand here; test_session_vectors
then holds the product and the independent reader against the file.
"""

import json
import sys
from pathlib import Path
from typing import Any

from client import (
    File,
    Invitation,
    Message,
    PreKeys,
    Text,
    accept_session,
    deposit_id,
    seal_fragment,
    split,
    start_session,
)
from hushmill.identifiers import NetworkId, NodeNumber
from tests.client.e2ee_people import ALICE, BOB, MALLORY, NOW, SECRET, Stream, flipped
from tests.client.independent_e2ee import read_invitation

PREKEYS = PreKeys.generate(BOB, NOW)
BUNDLE = PREKEYS.bundle()


def bundles() -> list[dict[str, Any]]:
    raw = BUNDLE.encode()
    other = PreKeys.generate(BOB, NOW).bundle().encode()
    cases = {
        "Bob's": raw,
        "version 2": b"\2" + raw[1:],
        "suite 2": raw[:1] + b"\2" + raw[2:],
        "hour changed": flipped(raw, 37 * 8),
        "prekey changed": flipped(raw, 40 * 8),
        "first signature changed": flipped(raw, 80 * 8),
        "ML-KEM prekey changed": flipped(raw, 200 * 8),
        "last signature changed": flipped(raw, 1350 * 8),
        "ML-KEM prekey of another bundle of Bob's": raw[:134] + other[134:1318] + raw[1318:],
        "another identity": raw[:2] + ALICE.public + raw[34:],
        "short": raw[:-1],
        "trailing byte": raw + b"\0",
        "empty": b"",
    }
    return [
        {"name": name, "bundle": data.hex(), "refused": name != "Bob's"}
        for name, data in cases.items()
    ]


def handshakes() -> list[dict[str, Any]]:
    alice, header, first = start_session(ALICE, BUNDLE, SECRET, b"the first of all messages")
    second = alice.encrypt(b"the second, which came first")
    bob, _ = accept_session(BOB, PREKEYS, header, SECRET, first)
    keys = {
        "session": bob.session_id.hex(),
        "to_responder": bob.receive_secret.hex(),
        "to_initiator": bob.send_secret.hex(),
    }
    cases: list[tuple[str, bytes, bytes, bytes, str | None]] = [
        ("first message", header, first, SECRET, "the first of all messages"),
        ("second message, alone", header, second, SECRET, "the second, which came first"),
        ("another secret", header, first, bytes(32), None),
        ("no secret", header, first, b"", None),
        ("version 2", b"\2" + header[1:], first, SECRET, None),
        ("suite 0", header[:1] + b"\0" + header[2:], first, SECRET, None),
        ("another identity", header[:2] + MALLORY.public + header[34:], first, SECRET, None),
        ("the responder's identity", header[:2] + BOB.public + header[34:], first, SECRET, None),
        ("ephemeral zero", header[:34] + bytes(32) + header[66:], first, SECRET, None),
        ("ephemeral one", header[:34] + b"\1" + bytes(31) + header[66:], first, SECRET, None),
        ("ephemeral's high bit", flipped(header, 65 * 8 + 7), first, SECRET, None),
        ("unknown prekey", flipped(header, 66 * 8), first, SECRET, None),
        ("ML-KEM ciphertext changed", flipped(header, 500 * 8), first, SECRET, None),
        ("header short", header[:-1], first, SECRET, None),
        ("header long", header + b"\0", first, SECRET, None),
        ("message's ratchet key changed", header, flipped(first, 0), SECRET, None),
        ("message's number changed", header, flipped(first, 39 * 8), SECRET, None),
        ("message's tag changed", header, flipped(first, len(first) * 8 - 1), SECRET, None),
        ("message's salt changed", header, flipped(first, 40 * 8), SECRET, None),
        ("message short", header, first[:71], SECRET, None),
    ]
    return [
        {
            "name": name,
            "header": head.hex(),
            "message": message.hex(),
            "secret": secret.hex(),
            "plaintext": plaintext,
            "keys": keys if plaintext else None,
        }
        for name, head, message, secret, plaintext in cases
    ]


def conversation() -> dict[str, Any]:
    """Bob's stored state, then messages in the order in which he opens or refuses them."""
    alice, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    bob, _ = accept_session(BOB, PREKEYS, header, SECRET, first)
    one, two, three = (alice.encrypt(text) for text in (b"one", b"two", b"three"))
    alice.decrypt(bob.encrypt(b"turn"))
    state = bob.export()
    four = alice.encrypt(b"four")
    steps: list[tuple[str, bytes, str | None]] = [
        ("out of order", three, "three"),
        ("twice", three, None),
        ("skipped, tag changed", flipped(one, len(one) * 8 - 1), None),
        ("skipped", one, "one"),
        ("skipped, twice", one, None),
        ("a turn, number beyond the limit", four[:36] + b"\0\0\x03\xe9" + four[40:], None),
        ("a turn", four, "four"),
        ("late, of the earlier chain", two, "two"),
        ("own message back", bob.encrypt(b"mine"), None),
        ("ratchet key zero", bytes(32) + four[32:], None),
        ("empty", b"", None),
        ("the first again", first, None),
    ]
    return {
        "state": state.root.hex(),
        "skipped": [[k.hex(), number, key.hex()] for (k, number), key in state.skipped.items()],
        "steps": [
            {"name": name, "message": message.hex(), "plaintext": plaintext}
            for name, message, plaintext in steps
        ],
    }


def deposits() -> list[dict[str, Any]]:
    cases = []
    for sequence, length in ((0, 0), (7, 59), (2**64 - 1, 60), (8, 150)):
        ciphertext = Stream(f"ciphertext {sequence}").take(length)
        ids = [deposit_id(SECRET, sequence, i) for i in range(len(split(ciphertext, 64)))]
        fragments = split(ciphertext, 64)
        cases.append(
            {
                "secret": SECRET.hex(),
                "sequence": str(sequence),
                "ciphertext": ciphertext.hex(),
                "capacity": 64,
                "deposits": [deposit.hex() for deposit in ids],
                "sealed": [
                    seal_fragment(SECRET, deposit, fragment).hex()
                    for deposit, fragment in zip(ids, fragments, strict=True)
                ],
            }
        )
    return cases


def refused_fragments() -> list[dict[str, Any]]:
    cut = split(Stream("cut").take(150), 64)
    cases = {
        "one missing": cut[:-1],
        "one too many": [*cut, cut[0]],
        "another head": [cut[0], b"\1" + cut[1][1:], *cut[2:]],
        "unequal": [*cut[:3], cut[3] + b"\0"],
        "padding": [*cut[:3], cut[3][:-1] + b"\1"],
        "length past the end": [cut[0][:1] + b"\0\0\1\0" + cut[0][5:], *cut[1:]],
        "fewer would do": [b"\1" + bytes(63), b"\1" + bytes(63)],
        "count of 2,048": [b"\x0b" + bytes(63)],
        "no room": [b"\0\0\0\0"],
    }
    return [{"name": n, "fragments": [f.hex() for f in cases[n]]} for n in cases]


def invitations() -> dict[str, Any]:
    network = NetworkId(bytes(range(32)))
    made = Invitation.create(network, NodeNumber(41), ALICE.public, NOW, Stream("invitation"))
    text = made.text()
    return {
        "identity": ALICE.public.hex(),
        "text": text,
        "fields": read_invitation(text),
        "refused": [text[:-1], text + "A", "B" + text[1:], "1" + text[1:], text[::-1], ""],
    }


def contents() -> dict[str, Any]:
    text = Message(Text("grüße"), 1_800_000_000).encode()
    file = Message(File("a.txt", b"\0\xff"), 1_800_000_000, 1_800_086_400).encode()
    hostile = text.replace(b"text", b"file").replace(b"\xa0\xc4", b"\xa5../.x\xc4")
    refused = {
        "version 2": b"\2" + text[1:],
        "kind": text.replace(b"text", b"tixt"),
        "text with a name": text.replace(b"\xa0\xc4", b"\xa1x\xc4"),
        "not UTF-8": text[:-2] + b"\xff" + text[-1:],
        "trailing byte": text + b"\0",
        "short": text[:-1],
        "long form of the array": b"\1\xdc\x00\x09" + text[2:],
        "empty": b"",
    }
    return {
        "text": text.hex(),
        "file": file.hex(),
        "file_called_dot_dot_slash_dot_x": hostile.hex(),
        "refused": [{"name": name, "content": data.hex()} for name, data in refused.items()],
    }


if __name__ == "__main__":
    document = {
        "format": "docs/spec/e2ee.md, version 1, suite 1; bytes in hexadecimal",
        "responder": {"seed": BOB.seed.hex(), "prekeys": PREKEYS.raw.hex()},
        "initiator": ALICE.public.hex(),
        "bundles": bundles(),
        "handshakes": handshakes(),
        "conversation": conversation(),
        "deposits": deposits(),
        "refused_fragments": refused_fragments(),
        "invitations": invitations(),
        "contents": contents(),
    }
    Path(sys.argv[1]).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
