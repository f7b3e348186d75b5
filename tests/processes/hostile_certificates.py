"""Certificates that no honest peer shows, each with the key to finish a handshake with."""

import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

_VERSION_3 = bytes.fromhex("a003020102")  # [0] EXPLICIT INTEGER 2
_SERIAL_1 = _VERSION_3 + bytes.fromhex("020101")


def _patched(old: bytes, new: str) -> Callable[[bytes], bytes]:
    def patch(der: bytes) -> bytes:
        assert der.count(old) == 1
        return der.replace(old, bytes.fromhex(new))

    return patch


def _unchanged(der: bytes) -> bytes:
    return der


# (a key, what is done to its certificate); nobody checks the signature of a self-signed one.
_KINDS: dict[str, tuple[Callable[[], Any], Callable[[bytes], bytes]]] = {
    "version 2": (ed25519.Ed25519PrivateKey.generate, _patched(_VERSION_3, "a003020101")),
    "version 10": (ed25519.Ed25519PrivateKey.generate, _patched(_VERSION_3, "a003020109")),
    "negative serial": (
        ed25519.Ed25519PrivateKey.generate,
        _patched(_SERIAL_1, "a0030201020201ff"),
    ),
    "P-256": (lambda: ec.generate_private_key(ec.SECP256R1()), _unchanged),
    "P-256, version 2": (
        lambda: ec.generate_private_key(ec.SECP256R1()),
        _patched(_VERSION_3, "a003020101"),
    ),
    "Ed448": (ed448.Ed448PrivateKey.generate, _unchanged),
}
KINDS = tuple(_KINDS)


def hostile_context(kind: str) -> SSL.Context:
    """Either end of TLS that shows a certificate of `kind`."""
    generate, change = _KINDS[kind]
    key = generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hushmill")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1))
        .not_valid_after(datetime(2050, 1, 1))
        .sign(key, SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None)
    )
    der = change(certificate.public_bytes(Encoding.DER))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = SSL.Context(SSL.TLS_METHOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # no other way to hand over these bytes
        context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, pem))
    return context
