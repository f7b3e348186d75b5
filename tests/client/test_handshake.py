from dataclasses import replace

import msgspec
import pytest
import xeddsa

from client import (
    Bundle,
    HandshakeHeader,
    Identity,
    PreKeys,
    SessionState,
    accept_session,
    handshake_fingerprint,
    start_session,
)
from client.handshake import agree_as_responder
from client.handshake_header import HANDSHAKE_HEADER_BYTES
from client.identity import IdentityKey
from client.ratchet import Ratchet
from client.session import _agreement
from hushmill.crypto import MlKemPublic, MlKemSecret, X25519Secret
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from tests.client.e2ee_people import (
    ALICE,
    BOB,
    BOBS_PREKEYS,
    MALLORY,
    MALLORYS_PREKEYS,
    NOW,
    SECRET,
    flipped,
)
from tests.client.test_bundle import LOW_ORDER, NON_CANONICAL

BUNDLE = BOBS_PREKEYS.bundle()


def refused(
    header: bytes,
    first: bytes,
    secret: bytes = SECRET,
    identity: Identity = BOB,
    prekeys: PreKeys = BOBS_PREKEYS,
) -> bool:
    try:
        accept_session(identity, prekeys, header, secret, first)
    except PeerError as error:
        return error.reason is Drop.SESSION
    return False


def secrets_of(state: SessionState) -> tuple[bytes, ...]:
    """The keys in a state that no identity and no bundle fixes."""
    ratchet = msgspec.msgpack.decode(state.root)[1]
    own_secret, _, (root, _), (sending, _), _, _ = ratchet
    return own_secret, root, sending


def test_both_sides_agree_and_know_each_other() -> None:
    alice, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    bob, plaintext = accept_session(BOB, BOBS_PREKEYS, header, SECRET, first)
    assert plaintext == b"hello"
    assert (alice.peer, bob.peer) == (BOB.public, ALICE.public)
    assert alice.session_id == bob.session_id
    assert alice.send_secret == bob.receive_secret
    assert alice.receive_secret == bob.send_secret
    assert alice.send_secret != alice.receive_secret
    assert len(header) == HANDSHAKE_HEADER_BYTES == 1186


def test_two_first_messages_to_one_bundle_share_no_key_material() -> None:
    one, header_one, first_one = start_session(ALICE, BUNDLE, SECRET, b"hello")
    two, header_two, first_two = start_session(ALICE, BUNDLE, SECRET, b"hello")
    for left, right in (
        *zip(secrets_of(one.export()), secrets_of(two.export()), strict=True),
        (one.session_id, two.session_id),
        (one.send_secret, two.send_secret),
        (one.receive_secret, two.receive_secret),
        (header_one[34:66], header_two[34:66]),
        (header_one[98:], header_two[98:]),
        (first_one[:32], first_two[:32]),
        (first_one[40:], first_two[40:]),
    ):
        windows = {left[start : start + 4] for start in range(len(left) - 3)}
        assert not any(right[start : start + 4] in windows for start in range(len(right) - 3))


def test_refuses_another_secret() -> None:
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    assert not refused(header, first)
    assert refused(header, first, secret=flipped(SECRET, 0))
    assert refused(header, first, secret=b"")
    assert refused(header, first, secret=SECRET + b"\0")


def test_refuses_a_change_of_any_byte_of_the_header() -> None:
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    for index in range(len(header)):
        assert refused(flipped(header, index * 8 + index % 8), first), index


def test_refuses_another_length_version_or_suite() -> None:
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    for changed in (header[:-1], header + b"\0", b"", b"\2" + header[1:], b"\1\2" + header[2:]):
        assert refused(changed, first)


@pytest.mark.parametrize("point", LOW_ORDER + NON_CANONICAL)
def test_refuses_an_ephemeral_of_low_order_or_with_a_second_encoding(point: bytes) -> None:
    """Chosen before the keys are derived, not flipped after: the sender really means it."""
    kem_ciphertext, _ = BUNDLE.kem_prekey.encapsulate()
    header = HandshakeHeader(MALLORY.public, point, BUNDLE.prekey.raw, kem_ciphertext)
    assert refused(header.encode(), bytes(80))
    with pytest.raises(PeerError):
        agree_as_responder(BOB, BOBS_PREKEYS.prekey_secret, MALLORY.public, point)


@pytest.mark.parametrize(
    "identity",
    [
        (1).to_bytes(32, "little"),  # the neutral element
        (2**255 - 20).to_bytes(32, "little"),  # order 2
        bytes(32),  # order 4
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        b"\xff" * 32,
    ],
)
def test_refuses_an_identity_of_low_order_or_off_the_curve(identity: bytes) -> None:
    ephemeral = X25519Secret.generate().public.raw
    with pytest.raises(PeerError):
        agree_as_responder(BOB, BOBS_PREKEYS.prekey_secret, IdentityKey(identity), ephemeral)


def test_refuses_a_message_relayed_under_another_name() -> None:
    """Mallory cannot make Bob believe that Alice's words are hers, nor that hers are Alice's."""
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"from Alice")
    assert refused(header[:2] + MALLORY.public + header[34:], first)
    _, header, first = start_session(MALLORY, BUNDLE, SECRET, b"from Mallory")
    assert refused(header[:2] + ALICE.public + header[34:], first)


def test_refuses_a_message_relayed_to_another_person() -> None:
    """Nor can she make Alice's words to her pass as words to Bob, with the prekey renamed."""
    _, header, first = start_session(ALICE, MALLORYS_PREKEYS.bundle(), SECRET, b"to Mallory")
    assert refused(header, first)
    assert refused(header[:66] + BUNDLE.prekey.raw + header[98:], first)


def test_refuses_swapped_roles() -> None:
    """Alice's own first message does not open as one that Bob sent to her."""
    alices = PreKeys.generate(ALICE, NOW)
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"to Bob")
    swapped = header[:2] + BOB.public + header[34:66] + alices.bundle().prekey.raw + header[98:]
    assert refused(swapped, first, identity=ALICE, prekeys=alices)


def test_refuses_to_talk_to_oneself() -> None:
    alices = PreKeys.generate(ALICE, NOW)
    with pytest.raises(PeerError):
        start_session(ALICE, alices.bundle(), SECRET, b"me")
    _, header, first = start_session(BOB, alices.bundle(), SECRET, b"x")
    mine = header[:2] + ALICE.public + header[34:]
    assert refused(mine, first, identity=ALICE, prekeys=alices)


def forged(
    initiator: IdentityKey, prekey: bytes, claimed: IdentityKey | None = None
) -> tuple[bytes, bytes]:
    """A header and first message to Bob that fit each other, made with his own secrets: what is
    wrong with them is only what the header says."""
    ephemeral = X25519Secret.generate().public.raw
    kem_ciphertext, kem_shared = BUNDLE.kem_prekey.encapsulate()
    header = HandshakeHeader(claimed or initiator, ephemeral, prekey, kem_ciphertext)
    agreed = agree_as_responder(BOB, BOBS_PREKEYS.prekey_secret, initiator, ephemeral)
    root, agreement = _agreement("initiator", header, BUNDLE, agreed, kem_shared, SECRET)
    associated = agreement.associated_data("initiator")
    return header.encode(), Ratchet.start(root, BUNDLE.prekey.raw, b"forged", associated)[1]


def test_refuses_a_header_with_its_own_identity_even_when_the_keys_fit() -> None:
    assert not refused(*forged(ALICE.public, BUNDLE.prekey.raw))
    assert refused(*forged(BOB.public, BUNDLE.prekey.raw))


def test_refuses_a_header_that_names_another_prekey_even_when_the_keys_fit() -> None:
    assert refused(*forged(ALICE.public, MALLORYS_PREKEYS.bundle().prekey.raw))


def test_refuses_a_name_for_which_x3dh_was_not_computed() -> None:
    assert refused(*forged(MALLORY.public, BUNDLE.prekey.raw, claimed=ALICE.public))


def test_every_public_byte_of_both_sides_changes_every_key() -> None:
    """The ML-KEM public key too, so that a ciphertext for one key is never one for another."""
    raw, start = BUNDLE.encode(), bytes(range(32))
    header = HandshakeHeader(ALICE.public, start, BUNDLE.prekey.raw, bytes(1088))

    def keys(header: HandshakeHeader, bundle: Bundle) -> list[bytes]:
        root, agreed = _agreement("initiator", header, bundle, bytes(32), bytes(32), SECRET)
        return [root, agreed.session, agreed.to_responder_secret, agreed.to_initiator_secret]

    honest = keys(header, BUNDLE)
    assert keys(header, BUNDLE) == honest
    seen = set(honest)
    changes = [(header, replace(BUNDLE, raw=flipped(raw, bit))) for bit in range(0, 11056, 331)]
    changes += [
        (replace(header, kem_ciphertext=flipped(bytes(1088), 8000)), BUNDLE),
        (replace(header, ephemeral=flipped(start, 0)), BUNDLE),
        (replace(header, prekey=flipped(BUNDLE.prekey.raw, 0)), BUNDLE),
        (replace(header, identity=MALLORY.public), BUNDLE),
        (header, replace(BUNDLE, identity=MALLORY.public)),
    ]
    for changed in changes:
        seen |= set(keys(*changed))
    assert len(seen) == 4 * (len(changes) + 1)


def test_prekeys_of_another_identity_are_our_own_mistake() -> None:
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    with pytest.raises(UsageError):
        accept_session(ALICE, BOBS_PREKEYS, header, SECRET, first)


def test_the_kem_half_alone_protects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A double whose every X25519 result is known (all zeros): a thief who has it and all public
    bytes still lacks the ML-KEM secret."""
    monkeypatch.setattr(xeddsa, "x25519", lambda _secret, _public: bytes(32))
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    assert not refused(header, first)
    monkeypatch.setattr(MlKemSecret, "decapsulate", lambda _self, _ciphertext: bytes(32))
    assert refused(header, first)


def test_the_x25519_half_alone_protects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A double whose ML-KEM secret is known (all zeros): the thief lacks X25519's."""
    real = MlKemPublic.encapsulate
    monkeypatch.setattr(MlKemPublic, "encapsulate", lambda self: (real(self)[0], bytes(32)))
    monkeypatch.setattr(MlKemSecret, "decapsulate", lambda _self, _ciphertext: bytes(32))
    _, header, first = start_session(ALICE, BUNDLE, SECRET, b"hello")
    assert not refused(header, first)
    monkeypatch.setattr(xeddsa, "x25519", lambda _secret, _public: bytes(32))
    assert refused(header, first)


def test_a_replayed_header_has_the_same_fingerprint_and_a_changed_one_does_not() -> None:
    _, header, _ = start_session(ALICE, BUNDLE, SECRET, b"hello")
    _, other, _ = start_session(ALICE, BUNDLE, SECRET, b"hello")
    assert handshake_fingerprint(header) == handshake_fingerprint(bytes(header))
    prints = {handshake_fingerprint(flipped(header, bit)) for bit in range(0, 9488, 97)}
    assert handshake_fingerprint(header) not in prints
    assert handshake_fingerprint(other) != handshake_fingerprint(header)
    assert len(handshake_fingerprint(header)) == 32


def test_any_of_the_first_messages_begins_the_session() -> None:
    """The header is with each until the first answer, and a mixnet reorders."""
    alice, header, first = start_session(ALICE, BUNDLE, SECRET, b"one")
    second, third = alice.encrypt(b"two"), alice.encrypt(b"three")
    bob, plaintext = accept_session(BOB, BOBS_PREKEYS, header, SECRET, third)
    assert plaintext == b"three"
    assert bob.decrypt(first) == b"one"
    assert bob.decrypt(second) == b"two"
    assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"


@pytest.mark.parametrize("length", [0, 1, 39, 40, 55, 56, 57, 71, 72, 73, 4000])
def test_refuses_garbage_behind_a_valid_header(length: int) -> None:
    _, header, _ = start_session(ALICE, BUNDLE, SECRET, b"hello")
    assert refused(header, b"\x07" * length)
    assert refused(header, bytes(length))


def test_many_first_contacts_use_one_bundle() -> None:
    """There are no one-time prekeys, so nobody can deplete them."""
    for number in range(120):
        _, header, first = start_session(ALICE, BUNDLE, b"", str(number).encode())
        _, plaintext = accept_session(BOB, BOBS_PREKEYS, header, b"", first)
        assert plaintext == str(number).encode()


def test_either_party_can_forge_the_transcript() -> None:
    """From his own secrets and her public key alone, Bob makes a first message that his own
    verifier takes for Alice's: what he shows to others proves nothing about her."""
    header, first = forged(ALICE.public, BUNDLE.prekey.raw)
    bob, plaintext = accept_session(BOB, BOBS_PREKEYS, header, SECRET, first)
    assert (bob.peer, plaintext) == (ALICE.public, b"forged")
