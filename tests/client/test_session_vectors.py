"""The frozen vectors of end-to-end encryption, held against the product and against a reader that
shares no code with it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from client import (
    Bundle,
    File,
    Identity,
    Message,
    PreKeys,
    Session,
    SessionState,
    Text,
    accept_session,
    deposit_id,
    open_fragment,
    parse_invitation,
    reassemble,
    seal_fragment,
    split,
    start_session,
)
from client.bundle import BUNDLE_BYTES
from client.identity import IdentityKey
from hushmill.errors import PeerError, UserError
from hushmill.identifiers import DepositId
from tests.client import independent_e2ee as independent
from tests.client.e2ee_people import ALICE, BOB, BOBS_PREKEYS, SECRET

PATH = Path(__file__).parent.parent / "vectors" / "e2ee.json"
# Version 1. A change of a format is a new version with a file of its own.
FROZEN = "7e02bc6a4a4a93d5a2aedc0f5bc1f5e10d86679ae5fd70f8b9848c54fe204a59"
VECTORS: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
RESPONDER = Identity(bytes.fromhex(VECTORS["responder"]["seed"]))
PREKEYS_RAW = bytes.fromhex(VECTORS["responder"]["prekeys"])
PREKEYS = PreKeys.load(PREKEYS_RAW)


def named(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def test_the_vectors_are_frozen() -> None:
    assert hashlib.sha256(PATH.read_bytes()).hexdigest() == FROZEN


@named(VECTORS["bundles"])
def test_a_frozen_bundle_is_read_or_refused(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bundle"])
    if case["refused"]:
        with pytest.raises(PeerError):
            Bundle.decode(data)
    else:
        assert Bundle.decode(data).encode() == data == PREKEYS.bundle().encode()


@named(VECTORS["handshakes"])
def test_a_frozen_handshake_is_accepted_or_refused(case: dict[str, Any]) -> None:
    header, message, secret = (
        bytes.fromhex(case[name]) for name in ("header", "message", "secret")
    )
    if case["plaintext"] is None:
        with pytest.raises(PeerError):
            accept_session(RESPONDER, PREKEYS, header, secret, message)
        return
    session, plaintext = accept_session(RESPONDER, PREKEYS, header, secret, message)
    assert plaintext == case["plaintext"].encode()
    assert session.peer.hex() == VECTORS["initiator"]
    assert case["keys"] == {
        "session": session.session_id.hex(),
        "to_responder": session.receive_secret.hex(),
        "to_initiator": session.send_secret.hex(),
    }


def independent_plaintext(
    identity: Identity, prekeys: bytes, header: bytes, secret: bytes, message: bytes
) -> bytes:
    bundle, prekey = prekeys[:BUNDLE_BYTES], prekeys[BUNDLE_BYTES : BUNDLE_BYTES + 32]
    kem_seed = prekeys[BUNDLE_BYTES + 32 :]
    root, session, _, _ = independent.handshake_keys(
        identity.seed, prekey, kem_seed, bundle, header, secret
    )
    return independent.open_first_chain(
        root, session, prekey, header[2:34], identity.public, message
    )


@pytest.mark.parametrize("index", [0, 1])
def test_the_independent_reader_opens_the_frozen_handshakes(index: int) -> None:
    case = VECTORS["handshakes"][index]
    header, message, secret = (
        bytes.fromhex(case[name]) for name in ("header", "message", "secret")
    )
    plaintext = independent_plaintext(RESPONDER, PREKEYS_RAW, header, secret, message)
    assert plaintext == case["plaintext"].encode()
    with pytest.raises(InvalidTag):
        independent_plaintext(RESPONDER, PREKEYS_RAW, header, bytes(32), message)


def test_the_independent_reader_opens_what_is_made_today() -> None:
    alice, header, first = start_session(ALICE, BOBS_PREKEYS.bundle(), SECRET, b"one")
    messages = {b"one": first, b"two": alice.encrypt(b"two"), b"three": alice.encrypt(b"three")}
    for plaintext, message in messages.items():
        read = independent_plaintext(BOB, BOBS_PREKEYS.raw, header, SECRET, message)
        assert read == plaintext


def test_a_frozen_session_opens_and_refuses_its_messages_in_turn() -> None:
    stored = VECTORS["conversation"]
    skipped = {
        (bytes.fromhex(ratchet_key), number): bytes.fromhex(key)
        for ratchet_key, number, key in stored["skipped"]
    }
    session = Session.load(SessionState(bytes.fromhex(stored["state"]), skipped))
    for step in stored["steps"]:
        message = bytes.fromhex(step["message"])
        if step["plaintext"] is None:
            before = session.export()
            with pytest.raises(PeerError):
                session.decrypt(message)
            assert session.export() == before, step["name"]
        else:
            assert session.decrypt(message) == step["plaintext"].encode(), step["name"]


@pytest.mark.parametrize("case", VECTORS["deposits"], ids=lambda case: case["sequence"])
def test_frozen_deposits_are_the_same_in_both_readings(case: dict[str, Any]) -> None:
    secret, ciphertext = bytes.fromhex(case["secret"]), bytes.fromhex(case["ciphertext"])
    deposits = [bytes.fromhex(deposit) for deposit in case["deposits"]]
    sealed = [bytes.fromhex(data) for data in case["sealed"]]
    fragments = split(ciphertext, case["capacity"])
    for index, (deposit, fragment) in enumerate(zip(deposits, fragments, strict=True)):
        sequence = int(case["sequence"])
        assert deposit_id(secret, sequence, index) == deposit
        assert independent.deposit_id(secret, sequence, index) == deposit
        assert seal_fragment(secret, DepositId(deposit), fragment) == sealed[index]
        assert open_fragment(secret, DepositId(deposit), sealed[index]) == fragment
        assert independent.open_fragment(secret, deposit, sealed[index]) == fragment
    assert reassemble(fragments) == independent.put_together(fragments) == ciphertext


@named(VECTORS["refused_fragments"])
def test_frozen_fragments_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        reassemble([bytes.fromhex(fragment) for fragment in case["fragments"]])


def test_a_frozen_invitation_is_the_same_in_both_readings() -> None:
    frozen = VECTORS["invitations"]
    invitation = parse_invitation(frozen["text"])
    assert independent.read_invitation(frozen["text"]) == frozen["fields"]
    assert frozen["fields"] == {
        "network": invitation.network.hex(),
        "provider": invitation.provider,
        "expires": invitation.expires,
        "secret": invitation.secret.hex(),
        "identity_hash": invitation.identity_hash.hex(),
        "inbox": invitation.inbox.hex(),
        "to_inviter": invitation.to_inviter_secret.hex(),
        "to_invited": invitation.to_invited_secret.hex(),
    }
    identity = bytes.fromhex(frozen["identity"])
    assert invitation.names(IdentityKey(identity))
    assert independent.hash_of_identity(identity) == invitation.identity_hash.hex()
    for text in frozen["refused"]:
        with pytest.raises(UserError):
            parse_invitation(text)


def test_frozen_contents_are_read() -> None:
    frozen = VECTORS["contents"]
    text, file, hostile = (
        Message.decode(bytes.fromhex(frozen[name]))
        for name in ("text", "file", "file_called_dot_dot_slash_dot_x")
    )
    assert text == Message(Text("grüße"), 1_800_000_000)
    assert file == Message(File("a.txt", b"\0\xff"), 1_800_000_000, 1_800_086_400)
    assert hostile.body == File("x", "grüße".encode())
    assert text.encode().hex() == frozen["text"]


@named(VECTORS["contents"]["refused"])
def test_frozen_contents_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        Message.decode(bytes.fromhex(case["content"]))
