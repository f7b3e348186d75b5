"""A machine's key on its links: 32 bytes in a file; its certificate follows from them."""

from pathlib import Path

from hushmill.crypto import ED25519_SEED_BYTES, key_hash_of_public, make_certificate
from hushmill.crypto import Ed25519SigningKey as _SigningKey
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import KeyHash
from hushmill.runtime.files import atomic_write, read_secret
from hushmill.runtime.system_randomness import SystemRandomness


class LinkIdentity:
    """An Ed25519 seed and the certificate that follows from it; the seed does not print."""

    __slots__ = ("certificate_pem", "key_hash", "key_pem")

    certificate_pem: bytes
    key_pem: bytes
    key_hash: KeyHash

    def __init__(self, seed: bytes) -> None:
        self.certificate_pem, self.key_pem = make_certificate(seed)
        self.key_hash = key_hash_of_public(_SigningKey.from_raw(seed).public.raw)

    def __repr__(self) -> str:
        return "<LinkIdentity>"

    @classmethod
    def generate(cls) -> "LinkIdentity":
        """A fresh identity that is kept nowhere."""
        return cls(SystemRandomness().take(ED25519_SEED_BYTES))

    @classmethod
    def load(cls, path: Path) -> "LinkIdentity":
        """The identity in `path`. Raises UserError as `read_secret` does, and SECURITY_STOP for a
        file of a wrong size; FileNotFoundError passes through."""
        seed = read_secret(path, ED25519_SEED_BYTES)
        if len(seed) != ED25519_SEED_BYTES:
            raise UserError(
                f"{path} is cut off, so this machine has lost its link key. "
                "Restore the file from a backup.",
                ExitCode.SECURITY_STOP,
            )
        return cls(seed)

    @classmethod
    def load_or_create(cls, path: Path) -> "LinkIdentity":
        """The identity in `path`, made (0600) where there is none. It is never replaced: peers
        have pinned it."""
        try:
            return cls.load(path)
        except FileNotFoundError:
            seed = SystemRandomness().take(ED25519_SEED_BYTES)
            atomic_write(path, seed)
            return cls(seed)
