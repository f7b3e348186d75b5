"""A link's certificate: self-signed Ed25519, known by the hash of its key and by nothing else."""

import hashlib
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import KeyHash

# The pin decides, not a date or a name: both are constants, so that they say nothing about a node,
# and one key has one certificate (Ed25519 signs deterministically).
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hushmill")])
_FROM = datetime(2000, 1, 1)
_UNTIL = datetime(9999, 12, 31, 23, 59, 59)  # RFC 5280, 4.1.2.5: no well-defined expiration
_SERIAL = 1


def make_certificate(seed: bytes) -> tuple[bytes, bytes]:
    """(certificate, private key), both PEM, for the Ed25519 `seed` of 32 bytes."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(_SERIAL)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .sign(key, None)
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), key_pem


def key_hash_of_public(raw: bytes) -> KeyHash:
    """The pin of an Ed25519 public key of 32 bytes: SHA-256 of its SubjectPublicKeyInfo."""
    return _key_hash(Ed25519PublicKey.from_public_bytes(raw))


def key_hash_of_certificate(der: bytes) -> KeyHash:
    """The pin that a peer's certificate answers to.

    Raises PeerError(HANDSHAKE) for anything but a certificate with an Ed25519 key.
    """
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except Exception as error:  # InvalidVersion, UnsupportedAlgorithm, …: the library has no base
        raise PeerError(Drop.HANDSHAKE) from error
    if not isinstance(key, Ed25519PublicKey):
        raise PeerError(Drop.HANDSHAKE)
    return _key_hash(key)


def _key_hash(key: Ed25519PublicKey) -> KeyHash:
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyHash(hashlib.sha256(info).digest())
