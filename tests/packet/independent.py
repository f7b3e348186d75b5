"""A second packet, written from docs/spec/packet.md alone: it imports nothing of the product.

X25519 here is OpenSSL's (the product's is libsodium's), ChaCha20 is a plain cipher object, and both
directions are spelled out step by step with no care for speed. `seal` takes hostile choices that
the product's `wrap` does not: any command, zero padding, a ciphertext and secret of one's own.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

LABEL = b"hushmill/packet/hop"
P25519 = 2**255 - 19
CODES = {"x25519": 0x01, "xwing": 0x02, "fast-for-tests": 0xFE}
CIPHERTEXT = {"x25519": 32, "xwing": 1120, "fast-for-tests": 32}


class RefusedError(Exception):
    """With the reason that is counted."""


@dataclass(frozen=True)
class Onward:
    """Command 1."""

    tag: bytes
    node: int
    microseconds: int
    packet: bytes


@dataclass(frozen=True)
class Final:
    """Command 2, with the routing part as the last node sees it."""

    tag: bytes
    payload: bytes
    opened: bytes


@dataclass(frozen=True)
class Keys:
    mac: bytes
    stream: bytes
    payload: bytes
    tag: bytes


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def stream(key: bytes, data: bytes) -> bytes:
    counter_and_nonce = (1).to_bytes(4, "little") + bytes(12)
    return Cipher(ChaCha20(key, counter_and_nonce), mode=None).encryptor().update(data)


def keyed(key: bytes, data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def lioness(keys: bytes, data: bytes, encrypt: bool) -> bytes:
    k1, k2, k3, k4 = keys[:32], keys[32:64], keys[64:96], keys[96:128]
    left, rest = data[:32], data[32:]
    if encrypt:
        rest = stream(xor(left, k1), rest)
        left = xor(left, keyed(k2, rest, 32))
        rest = stream(xor(left, k3), rest)
        left = xor(left, keyed(k4, rest, 32))
    else:
        left = xor(left, keyed(k4, rest, 32))
        rest = stream(xor(left, k3), rest)
        left = xor(left, keyed(k2, rest, 32))
        rest = stream(xor(left, k1), rest)
    return left + rest


def derive(suite: str, node: int, ciphertext: bytes, shared: bytes) -> Keys:
    data = bytes([len(LABEL)]) + LABEL + (208).to_bytes(4, "big")
    for part in (bytes([CODES[suite]]), node.to_bytes(2, "big"), ciphertext, shared):
        data += len(part).to_bytes(4, "big") + part
    out = hashlib.shake_256(data).digest(208)
    return Keys(out[:32], out[32:64], out[64:192], out[192:208])


def classical(secret: bytes, public: bytes) -> bytes:
    """Strict X25519."""
    if int.from_bytes(public, "little") >= P25519:
        raise RefusedError("packet")
    try:
        peer = X25519PublicKey.from_public_bytes(public)
        return X25519PrivateKey.from_private_bytes(secret).exchange(peer)
    except ValueError as error:  # OpenSSL's word for an all-zero result
        raise RefusedError("packet") from error


def decapsulate(suite: str, secret: bytes, ciphertext: bytes) -> bytes:
    if suite == "x25519":
        return classical(secret, ciphertext)
    expanded = expand(secret)
    shared_x = classical(expanded[64:], ciphertext[1088:])
    shared_m = post_quantum(expanded, ciphertext)
    public_x = X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()
    return combine(shared_m, shared_x, ciphertext[1088:], public_x)


def expand(seed: bytes) -> bytes:
    """X-Wing's seed: ML-KEM's 64 bytes, then the X25519 scalar."""
    return hashlib.shake_256(seed).digest(96)


def post_quantum(expanded: bytes, ciphertext: bytes) -> bytes:
    """ML-KEM's part of an X-Wing decapsulation."""
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(ciphertext[:1088])


def combine(shared_m: bytes, shared_x: bytes, ciphertext_x: bytes, public_x: bytes) -> bytes:
    label = bytes.fromhex("5c2e2f2f5e5c")
    return hashlib.sha3_256(shared_m + shared_x + ciphertext_x + public_x + label).digest()


def open_layer(
    suite: str,
    hops: int,
    payload_bytes: int,
    node: int,
    secrets: dict[int, bytes],
    packet: bytes,
    shared: bytes | None = None,
) -> Onward | Final:
    """One hop. `secrets` by the low byte of their epoch; `shared` in place of decapsulation."""
    c = CIPHERTEXT[suite]
    block = 23 + c
    routing_bytes = (hops - 1) * block + 17
    header = 18 + c + routing_bytes
    if len(packet) != header + payload_bytes or packet[0] != 1:
        raise RefusedError("packet")
    if packet[1] not in secrets:
        raise RefusedError("key_epoch")
    ciphertext = packet[2 : 2 + c]
    mac = packet[2 + c : 18 + c]
    routing = packet[18 + c : header]
    if shared is None:
        shared = decapsulate(suite, secrets[packet[1]], ciphertext)
    keys = derive(suite, node, ciphertext, shared)
    expected = keyed(keys.mac, packet[: 2 + c] + routing, 16)
    if not hmac.compare_digest(mac, expected):
        raise RefusedError("packet")
    opened = stream(keys.stream, routing + bytes(block))
    payload = lioness(keys.payload, packet[header:], encrypt=False)
    if opened[0] == 1:
        onward = packet[:2] + opened[7:] + payload
        node = int.from_bytes(opened[1:3], "big")
        return Onward(keys.tag, node, int.from_bytes(opened[3:7], "big"), onward)
    if opened[0] == 2:
        return Final(keys.tag, payload, opened[:routing_bytes])
    raise RefusedError("packet")


@dataclass(frozen=True)
class Stop:
    """A hop as a sender sees it: encapsulated already, so that a test can choose what to send."""

    node: int
    ciphertext: bytes
    shared: bytes
    microseconds: int = 0
    command: int | None = None  # None: forward, and deliver at the last


def seal(
    suite: str,
    hops: int,
    stops: list[Stop],
    epoch_byte: int,
    payload: bytes,
    padding: bytes,
    version: int = 1,
) -> bytes:
    """A packet along `stops`; `padding` is reply id and padding of the last hop, in one string."""
    c = CIPHERTEXT[suite]
    block = 23 + c
    routing_bytes = (hops - 1) * block + 17
    keys = [derive(suite, stop.node, stop.ciphertext, stop.shared) for stop in stops]
    filler = b""
    for index in range(len(stops) - 1):
        pad = stream(keys[index].stream, bytes(routing_bytes + block))
        filler = xor(filler + bytes(block), pad[routing_bytes - index * block :])
    inner = bytes([2 if stops[-1].command is None else stops[-1].command]) + padding
    routing = stream(keys[-1].stream, inner) + filler
    start = bytes([version, epoch_byte])
    mac = keyed(keys[-1].mac, start + stops[-1].ciphertext + routing, 16)
    for index in reversed(range(len(stops) - 1)):
        here, following = stops[index], stops[index + 1]
        inner = bytes([1 if here.command is None else here.command]) + following.node.to_bytes(
            2, "big"
        )
        inner += here.microseconds.to_bytes(4, "big") + following.ciphertext + mac + routing
        routing = stream(keys[index].stream, inner[:routing_bytes])
        mac = keyed(keys[index].mac, start + here.ciphertext + routing, 16)
    for key in reversed(keys):
        payload = lioness(key.payload, payload, encrypt=True)
    return start + stops[0].ciphertext + mac + routing + payload


def padding_bytes(suite: str, hops: int, stops: int) -> int:
    """What `seal` needs: reply id and padding of a route of `stops`."""
    return 16 + (hops - stops) * (23 + CIPHERTEXT[suite])
