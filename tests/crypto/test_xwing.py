"""X-Wing against its draft, and against the library's own X-Wing in HPKE."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from hushmill.crypto import X25519_KEM, XWING_KEM, kem_named
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "xwing.json").read_text()
)["vectors"]
HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
# RFC 9180's suite id: KEM 0x647A (X-Wing), HKDF-SHA256, ChaCha20-Poly1305.
HPKE_ID = b"HPKE" + bytes.fromhex("647a00010003")
INFO = b"a test's info"


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_holds_the_vectors_of_the_draft(vector: dict[str, Any]) -> None:
    secret = XWING_KEM.load_secret(bytes.fromhex(vector["sk"]))
    assert secret.raw.hex() == vector["seed"]
    assert secret.public.raw.hex() == vector["pk"]
    assert secret.decapsulate(bytes.fromhex(vector["ct"])).hex() == vector["ss"]


def test_there_are_the_drafts_three_vectors() -> None:
    assert len(VECTORS) == 3


def extract(salt: bytes, label: bytes, key: bytes) -> bytes:
    """RFC 9180, 4: LabeledExtract."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + HPKE_ID + label + key, "sha256")


def expand(key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """RFC 9180, 4: LabeledExpand, for at most one block."""
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + HPKE_ID + label + info
    return hmac.digest(key, labeled + b"\x01", "sha256")[:length]


def hpke_aead(shared: bytes) -> tuple[ChaCha20Poly1305, bytes]:
    """RFC 9180, 5.1: the base mode's key schedule, (AEAD, first nonce)."""
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", INFO)
    secret = extract(shared, b"secret", b"")
    return (
        ChaCha20Poly1305(expand(secret, b"key", context, 32)),
        expand(secret, b"base_nonce", context, 12),
    )


def test_opens_what_the_librarys_hpke_sealed() -> None:
    secret = XWING_KEM.generate()
    public = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(secret.public.raw[:1184]),
        X25519PublicKey.from_public_bytes(secret.public.raw[1184:]),
    )
    sealed = HPKE.encrypt(b"over the hills", public, INFO)
    aead, nonce = hpke_aead(secret.decapsulate(sealed[:1120]))
    assert aead.decrypt(nonce, sealed[1120:], b"") == b"over the hills"


def test_the_librarys_hpke_opens_what_this_sealed() -> None:
    secret = XWING_KEM.generate()
    expanded = hashlib.shake_256(secret.raw).digest(96)
    private = MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        X25519PrivateKey.from_private_bytes(expanded[64:]),
    )
    ciphertext, shared = XWING_KEM.public(secret.public.raw).encapsulate()
    aead, nonce = hpke_aead(shared)
    sealed = ciphertext + aead.encrypt(nonce, b"and far away", b"")
    assert HPKE.decrypt(sealed, private, INFO) == b"and far away"


def test_a_changed_ciphertext_gives_another_secret() -> None:
    secret = XWING_KEM.generate()
    ciphertext, shared = secret.public.encapsulate()
    for position in (0, 500, 1087, 1088, 1110):
        changed = bytearray(ciphertext)
        changed[position] ^= 1
        assert secret.decapsulate(bytes(changed)) != shared


@pytest.mark.parametrize("size", [0, 31, 32, 1088, 1119, 1121])
def test_refuses_ciphertexts_of_other_lengths(size: int) -> None:
    secret = XWING_KEM.generate()
    with pytest.raises(PeerError) as refused:
        secret.decapsulate(bytes([9]) * size)
    assert refused.value.reason is Drop.PACKET


@pytest.mark.parametrize("size", [0, 1184, 1215, 1217])
def test_refuses_public_keys_of_other_lengths(size: int) -> None:
    raw = (XWING_KEM.generate().public.raw + b"\1")[:size]
    with pytest.raises(PeerError) as refused:
        XWING_KEM.public(raw)
    assert refused.value.reason is Drop.PACKET


def test_refuses_a_coefficient_outside_the_field() -> None:
    """FIPS 203, 7.2: the modulus check; 0xFFF is above q − 1 = 3328."""
    good = XWING_KEM.generate().public.raw
    with pytest.raises(PeerError) as refused:
        XWING_KEM.public(b"\xff\xff" + good[2:])
    assert refused.value.reason is Drop.PACKET


def test_refuses_a_secret_of_another_length() -> None:
    with pytest.raises(UsageError):
        XWING_KEM.load_secret(bytes(31))


def test_the_two_suites_have_their_names_and_codes() -> None:
    assert kem_named("xwing") is XWING_KEM
    assert kem_named("x25519") is X25519_KEM
    assert (XWING_KEM.name, XWING_KEM.code) == ("xwing", 2)
    assert (X25519_KEM.name, X25519_KEM.code) == ("x25519", 1)


def test_parsed_keys_are_kept() -> None:
    raw = XWING_KEM.generate().public.raw
    assert XWING_KEM.public(raw) is XWING_KEM.public(raw)
