"""A key from a passphrase: Argon2id (RFC 9106), by OpenSSL."""

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hushmill.errors import UsageError

PASSWORD_MEMORY_KIB = 64 * 1024
PASSWORD_PASSES = 3
PASSWORD_LANES = 1
PASSWORD_SALT_BYTES = 16
PASSWORD_KEY_BYTES = 32


def password_key(
    passphrase: bytes,
    salt: bytes,
    memory_kib: int = PASSWORD_MEMORY_KIB,
    passes: int = PASSWORD_PASSES,
) -> bytes:
    """32 bytes from `passphrase` and a random `salt` of 16; the caller stores the cost beside it.

    A higher cost than the constants may be asked for, a lower one is UsageError.
    """
    if len(salt) != PASSWORD_SALT_BYTES:
        raise UsageError(f"a salt is {PASSWORD_SALT_BYTES} bytes")
    if memory_kib < PASSWORD_MEMORY_KIB or passes < PASSWORD_PASSES:
        raise UsageError("the cost of a passphrase is below 64 MiB and 3 passes")
    return Argon2id(
        salt=salt,
        length=PASSWORD_KEY_BYTES,
        iterations=passes,
        lanes=PASSWORD_LANES,
        memory_cost=memory_kib,
    ).derive(passphrase)
