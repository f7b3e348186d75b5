"""ML-KEM, link certificates, and that no secret prints."""

import hashlib
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hushmill.crypto import (
    X25519_KEM,
    XWING_KEM,
    Ed25519SigningKey,
    MlKemPublic,
    MlKemSecret,
    SigningKey,
    X25519Secret,
    key_hash_of_certificate,
    key_hash_of_public,
    make_certificate,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError


class HasRaw(Protocol):
    @property
    def raw(self) -> bytes: ...


def test_ml_kem_agrees_and_survives_storage() -> None:
    secret = MlKemSecret.generate()
    ciphertext, shared = MlKemPublic(secret.public.raw).encapsulate()
    assert (len(secret.raw), len(secret.public.raw), len(ciphertext)) == (64, 1184, 1088)
    assert MlKemSecret(secret.raw).decapsulate(ciphertext) == shared
    changed = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert secret.decapsulate(changed) != shared


def test_ml_kem_refuses_other_lengths_and_bad_coefficients() -> None:
    secret = MlKemSecret.generate()
    for raw in (b"", secret.public.raw[:-1], secret.public.raw + b"\0", b"\xff" * 1184):
        with pytest.raises(PeerError) as refused:
            MlKemPublic(raw)
        assert refused.value.reason is Drop.SESSION
    for size in (0, 1087, 1089):
        with pytest.raises(PeerError):
            secret.decapsulate(bytes(size))
    with pytest.raises(UsageError):
        MlKemSecret(bytes(63))


def test_a_certificate_is_known_by_its_key_alone() -> None:
    key = Ed25519SigningKey.generate()
    certificate_pem, key_pem = make_certificate(key.raw)
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    der = certificate.public_bytes(Encoding.DER)
    # RFC 8410, 4: the SubjectPublicKeyInfo of an Ed25519 key is this prefix and the key.
    info = bytes.fromhex("302a300506032b6570032100") + key.public.raw
    assert key_hash_of_certificate(der) == hashlib.sha256(info).digest()
    assert key_hash_of_public(key.public.raw) == hashlib.sha256(info).digest()
    assert b"PRIVATE KEY" in key_pem
    certificate.verify_directly_issued_by(certificate)


def test_one_key_has_one_certificate_and_says_nothing_else() -> None:
    first, second = Ed25519SigningKey.generate(), Ed25519SigningKey.generate()
    assert make_certificate(first.raw) == make_certificate(first.raw)
    one, other = (
        x509.load_pem_x509_certificate(make_certificate(key.raw)[0]) for key in (first, second)
    )
    assert (one.subject, one.serial_number) == (other.subject, other.serial_number)
    assert one.not_valid_after_utc.year == 9999


@pytest.mark.parametrize("der", [b"", b"\x30\x00", bytes(100)])
def test_refuses_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        key_hash_of_certificate(der)
    assert refused.value.reason is Drop.HANDSHAKE


def _flipped(der: bytes, changes: list[tuple[int, int]]) -> bytes:
    """`der` with some bytes overwritten: (place, value)."""
    data = bytearray(der)
    for place, value in changes:
        data[place % len(data)] = value
    return bytes(data)


_BYTE = st.integers(0, 255)
_CERTIFICATE = x509.load_pem_x509_certificate(make_certificate(bytes(32))[0])
_DER = _CERTIFICATE.public_bytes(Encoding.DER)
_MUTATED = st.builds(
    _flipped, st.just(_DER), st.lists(st.tuples(st.integers(0, len(_DER) - 1), _BYTE), min_size=1)
)


@settings(max_examples=1500)
@given(st.one_of(st.binary(max_size=600), _MUTATED, st.builds(_DER.__add__, st.binary())))
@example(_DER.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020101")))  # version 2
@example(_DER.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109")))
@example(_DER.replace(bytes.fromhex("06032b6570"), bytes.fromhex("06032b6572")))  # unknown kind
def test_any_bytes_are_a_key_hash_or_a_refusal(der: bytes) -> None:
    reason, key_hash = None, b""
    try:
        key_hash = key_hash_of_certificate(der)
    except PeerError as error:
        reason = error.reason
    assert (reason, len(key_hash)) in {(None, 32), (Drop.HANDSHAKE, 0)}


def test_refuses_a_certificate_of_another_kind_of_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    template = x509.load_pem_x509_certificate(make_certificate(bytes(32))[0])
    der = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(template.issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )
    with pytest.raises(PeerError) as refused:
        key_hash_of_certificate(der)
    assert refused.value.reason is Drop.HANDSHAKE


@pytest.mark.parametrize(
    "secret",
    [
        X25519_KEM.generate(),
        XWING_KEM.generate(),
        X25519Secret.generate(),
        MlKemSecret.generate(),
        SigningKey.generate(),
        Ed25519SigningKey.generate(),
    ],
    ids=lambda secret: type(secret).__name__,
)
def test_secrets_do_not_print(secret: HasRaw) -> None:
    raw = secret.raw
    for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert "<" in text
        assert raw.hex()[:16] not in text
        assert repr(raw)[2:12] not in text
