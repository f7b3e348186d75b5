"""LIONESS, a permutation as wide as its input: one changed bit makes the whole thing noise.

Anderson and Biham, "Two practical and provably secure block ciphers: BEAR and LION" (1996),
section 6: four rounds, left half of 32 bytes, with ChaCha20 as the stream and keyed BLAKE2b-256 as
the hash. Spec: docs/spec/packet.md (Payload).
"""

from hashlib import blake2b

from hushmill.crypto.aead import stream_xor

LIONESS_KEY_BYTES = 128
_LEFT = 32


def _xor(left: bytes, right: bytes) -> bytes:
    """Both are 32 bytes."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(_LEFT, "big")


def _hash(key: bytes, right: bytes) -> bytes:
    return blake2b(right, digest_size=_LEFT, key=key).digest()


def lioness_encrypt(keys: bytes, data: bytes) -> bytes:
    """`data` permuted; `keys` are K1 | K2 | K3 | K4 of 32 bytes, `data` at least 33."""
    left, right = data[:_LEFT], data[_LEFT:]
    right = stream_xor(_xor(left, keys[:32]), right)
    left = _xor(left, _hash(keys[32:64], right))
    right = stream_xor(_xor(left, keys[64:96]), right)
    return _xor(left, _hash(keys[96:], right)) + right


def lioness_decrypt(keys: bytes, data: bytes) -> bytes:
    """The inverse of `lioness_encrypt`: the same rounds backwards."""
    left, right = data[:_LEFT], data[_LEFT:]
    left = _xor(left, _hash(keys[96:], right))
    right = stream_xor(_xor(left, keys[64:96]), right)
    left = _xor(left, _hash(keys[32:64], right))
    return left + stream_xor(_xor(left, keys[:32]), right)
