"""A second reader of docs/spec/e2ee.md, written from that page alone: no import of the product.

It accepts a handshake and opens the messages of one chain, opens sealed fragments, puts fragments
together, and reads invitations. Straight lines, no refusals but by assertion.
"""

import base64
import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings


def shake(label: str, length: int, *parts: bytes) -> bytes:
    data = len(label).to_bytes(1, "big") + label.encode() + length.to_bytes(4, "big")
    for part in parts:
        data += len(part).to_bytes(4, "big") + part
    return hashlib.shake_256(data).digest(length)


def x25519(secret: bytes, public: bytes) -> bytes:
    key = X25519PrivateKey.from_private_bytes(secret)
    return key.exchange(X25519PublicKey.from_public_bytes(public))


def handshake_keys(
    seed: bytes, prekey: bytes, kem_seed: bytes, bundle: bytes, header: bytes, secret: bytes
) -> tuple[bytes, bytes, bytes, bytes]:
    """(root, session, to responder, to initiator) as the responder computes them."""
    initiator, ephemeral, ciphertext = header[2:34], header[34:66], header[98:]
    responder, signing = bindings.crypto_sign_seed_keypair(seed)
    own = bindings.crypto_sign_ed25519_sk_to_curve25519(signing)
    theirs = bindings.crypto_sign_ed25519_pk_to_curve25519(initiator)
    results = x25519(prekey, theirs) + x25519(own, ephemeral) + x25519(prekey, ephemeral)
    agreed = HKDF(hashes.SHA512(), 32, bytes(64), b"hushmill/e2ee/x3dh").derive(
        b"\xff" * 32 + results
    )
    kem_shared = MLKEM768PrivateKey.from_seed_bytes(kem_seed).decapsulate(ciphertext)
    transcript = shake("hushmill/e2ee/transcript", 32, header, bundle)
    keys = shake(
        "hushmill/e2ee/handshake",
        128,
        agreed,
        kem_shared,
        secret,
        initiator,
        responder,
        transcript,
    )
    return keys[:32], keys[32:64], keys[64:96], keys[96:]


def open_first_chain(
    root: bytes, session: bytes, prekey: bytes, initiator: bytes, responder: bytes, message: bytes
) -> bytes:
    """The plaintext of any message of the initiator's first chain."""
    head, salt, sealed = message[:40], message[40:56], message[56:]
    assert head[32:36] == bytes(4)
    stepped = shake("hushmill/e2ee/root-chain", 64, root, x25519(prekey, head[:32]))
    chain = stepped[32:]
    key = b""
    for _ in range(int.from_bytes(head[36:40], "big") + 1):
        stepped = shake("hushmill/e2ee/message-chain", 64, chain, b"")
        chain, key = stepped[:32], stepped[32:]
    material = shake("hushmill/e2ee/message", 44, key, salt)
    associated = (99).to_bytes(4, "big") + b"\1\1\0" + session + initiator + responder + head
    return ChaCha20Poly1305(material[:32]).decrypt(material[32:], sealed, associated)


def deposit_id(secret: bytes, sequence: int, index: int) -> bytes:
    numbers = sequence.to_bytes(8, "big"), index.to_bytes(2, "big")
    return shake("hushmill/e2ee/deposit-id", 16, secret, *numbers)


def open_fragment(secret: bytes, deposit: bytes, sealed: bytes) -> bytes:
    material = shake("hushmill/e2ee/fragment-seal", 44, secret, deposit)
    return ChaCha20Poly1305(material[:32]).decrypt(material[32:], sealed, deposit)


def put_together(fragments: list[bytes]) -> bytes:
    assert {fragment[0] for fragment in fragments} == {len(fragments).bit_length() - 1}
    body = b"".join(fragment[1:] for fragment in fragments)
    return body[4 : 4 + int.from_bytes(body[:4], "big")]


def read_invitation(text: str) -> dict[str, str | int]:
    raw = base64.b32decode(text)
    body = raw[:79]
    assert (len(raw), body[0]) == (85, 1)
    assert raw[79:] == shake("hushmill/e2ee/invitation-checksum", 6, body)
    derived: dict[str, str | int] = {
        name.replace("-", "_"): shake(f"hushmill/e2ee/invitation-{name}", 32, body).hex()
        for name in ("inbox", "to-inviter", "to-invited")
    }
    return derived | {
        "network": body[1:9].hex(),
        "provider": int.from_bytes(body[9:11], "big"),
        "expires": int.from_bytes(body[11:15], "big"),
        "secret": body[15:47].hex(),
        "identity_hash": body[47:].hex(),
    }


def hash_of_identity(identity: bytes) -> str:
    return shake("hushmill/e2ee/invitation-identity", 32, identity).hex()
