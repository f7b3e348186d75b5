"""Writes tests/vectors/node_backup.json: `python -m tests.mixnode.make_backup_vectors`.

Laid out by hand from docs/spec/mixing.md (Backup), with libraries alone and nothing of the product.
"""

import hashlib
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

PATH = Path(__file__).parent.parent / "vectors" / "node_backup.json"
PASSPHRASE = "a mill by the wéir"
SALT = bytes(range(16))
LABEL = b"hushmill/mix/backup"
FIELDS: list[Any] = [
    "mix",
    bytes(range(64)),
    bytes(range(64, 96)),
    b'listen = "127.0.0.1"\n',
    b"network",
    b"public",
    b"",
]


@cache
def key(passphrase: str) -> bytes:
    slow = Argon2id(salt=SALT, length=32, iterations=3, lanes=1, memory_cost=64 * 1024)
    secret = slow.derive(passphrase.encode())
    encoded = bytes([len(LABEL)]) + LABEL + (32).to_bytes(4, "big")
    encoded += len(secret).to_bytes(4, "big") + secret
    return hashlib.shake_256(encoded).digest(32)


def sealed(plain: bytes, magic: bytes = b"HMNODE01") -> bytes:
    head = magic + SALT
    body = head + ChaCha20Poly1305(key(PASSPHRASE)).encrypt(bytes(12), plain, head)
    return checked(body)


def checked(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "big")


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def vectors() -> dict[str, Any]:
    plain = msgspec.msgpack.encode(FIELDS)
    whole = sealed(plain)
    places = {"magic": 0, "salt": 8, "sealed": 40, "tag": len(whole) - 5, "CRC": len(whole) - 1}
    damaged = {f"a flipped bit of the {name}": flipped(whole, at) for name, at in places.items()}
    damaged |= {
        "nothing": b"",
        "a head alone": whole[:24],
        "a byte cut off": whole[:-1],
        "a byte more": whole + b"\0",
        "another version": sealed(plain, b"HMNODE02"),
        "a role that there is not": sealed(msgspec.msgpack.encode(["king", *FIELDS[1:]])),
        "a signing key of 65 bytes": sealed(
            msgspec.msgpack.encode(["mix", bytes(65), *FIELDS[2:]])
        ),
        "a field more": sealed(msgspec.msgpack.encode([*FIELDS, b""])),
        "a field less": sealed(msgspec.msgpack.encode(FIELDS[:-1])),
        "an encoding that is not canonical": sealed(b"\xdc\x00\x07" + plain[1:]),
    }
    changed = checked(flipped(whole[:-4], 40))
    return {
        "passphrase": PASSPHRASE,
        "salt": SALT.hex(),
        "fields": [field if isinstance(field, str) else field.hex() for field in FIELDS],
        "file": whole.hex(),
        "damaged": {name: data.hex() for name, data in damaged.items()},
        "locked": {
            "a flipped bit under a right CRC": {"file": changed.hex(), "passphrase": PASSPHRASE},
            "another passphrase": {"file": whole.hex(), "passphrase": PASSPHRASE.upper()},
        },
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
