"""Cryptography's one door: nothing else in the product imports PyNaCl or cryptography's primitives.

Secrets do not print; what a peer sends wrong is PeerError.
"""

from hushmill.crypto.aead import (
    AEAD_KEY_BYTES,
    AEAD_NONCE_BYTES,
    AEAD_TAG_BYTES,
    keystream,
    open_sealed,
    seal,
    stream_xor,
)
from hushmill.crypto.certificate import (
    key_hash_of_certificate,
    key_hash_of_public,
    make_certificate,
)
from hushmill.crypto.derivation import derive, digest, equal
from hushmill.crypto.floor import PublicKeyFloor, public_key_floor
from hushmill.crypto.kem import SHARED_BYTES, X25519_KEM, Kem, KemPublic, KemSecret
from hushmill.crypto.labels import Label
from hushmill.crypto.lioness import LIONESS_KEY_BYTES, lioness_decrypt, lioness_encrypt
from hushmill.crypto.mlkem import (
    MLKEM_CIPHERTEXT_BYTES,
    MLKEM_PUBLIC_BYTES,
    MLKEM_SEED_BYTES,
    MlKemPublic,
    MlKemSecret,
)
from hushmill.crypto.passwords import (
    PASSWORD_KEY_BYTES,
    PASSWORD_LANES,
    PASSWORD_MEMORY_KIB,
    PASSWORD_PASSES,
    PASSWORD_SALT_BYTES,
    password_key,
)
from hushmill.crypto.signatures import (
    ED25519_PUBLIC_BYTES,
    ED25519_SEED_BYTES,
    ED25519_SIGNATURE_BYTES,
    SIGNATURE_BYTES,
    VERIFY_KEY_BYTES,
    Ed25519SigningKey,
    Ed25519VerifyKey,
    SigningKey,
    VerifyKey,
)
from hushmill.crypto.suites import kem_named
from hushmill.crypto.x25519 import X25519_BYTES, X25519Public, X25519Secret, x25519
from hushmill.crypto.xwing import XWING_KEM

__all__ = [
    "AEAD_KEY_BYTES",
    "AEAD_NONCE_BYTES",
    "AEAD_TAG_BYTES",
    "ED25519_PUBLIC_BYTES",
    "ED25519_SEED_BYTES",
    "ED25519_SIGNATURE_BYTES",
    "LIONESS_KEY_BYTES",
    "MLKEM_CIPHERTEXT_BYTES",
    "MLKEM_PUBLIC_BYTES",
    "MLKEM_SEED_BYTES",
    "PASSWORD_KEY_BYTES",
    "PASSWORD_LANES",
    "PASSWORD_MEMORY_KIB",
    "PASSWORD_PASSES",
    "PASSWORD_SALT_BYTES",
    "SHARED_BYTES",
    "SIGNATURE_BYTES",
    "VERIFY_KEY_BYTES",
    "X25519_BYTES",
    "X25519_KEM",
    "XWING_KEM",
    "Ed25519SigningKey",
    "Ed25519VerifyKey",
    "Kem",
    "KemPublic",
    "KemSecret",
    "Label",
    "MlKemPublic",
    "MlKemSecret",
    "PublicKeyFloor",
    "SigningKey",
    "VerifyKey",
    "X25519Public",
    "X25519Secret",
    "derive",
    "digest",
    "equal",
    "kem_named",
    "key_hash_of_certificate",
    "key_hash_of_public",
    "keystream",
    "lioness_decrypt",
    "lioness_encrypt",
    "make_certificate",
    "open_sealed",
    "password_key",
    "public_key_floor",
    "seal",
    "stream_xor",
    "x25519",
]
