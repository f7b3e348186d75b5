"""Prekeys, and the bundle that carries their public halves to whoever starts a session.

A bundle is an identity, a signed X25519 prekey and a signed ML-KEM-768 prekey. The second
signature covers the whole bundle before it, its age included, so that halves of two bundles do
not mix. There are no one-time prekeys. Spec: docs/spec/e2ee.md (Bundle).
"""

from dataclasses import dataclass

from client.identity import IDENTITY_BYTES, Identity, IdentityKey
from hushmill.codec import Reader
from hushmill.crypto import (
    ED25519_SIGNATURE_BYTES,
    MLKEM_PUBLIC_BYTES,
    MLKEM_SEED_BYTES,
    X25519_BYTES,
    Ed25519VerifyKey,
    Label,
    MlKemPublic,
    MlKemSecret,
    X25519Public,
    X25519Secret,
)
from hushmill.drops import Drop
from hushmill.errors import PeerError

E2EE_VERSION = 1
E2EE_SUITE = 1  # X3DH with X25519, ML-KEM-768, SHAKE-256, ChaCha20-Poly1305
BUNDLE_BYTES = (
    2
    + IDENTITY_BYTES
    + 4
    + X25519_BYTES
    + ED25519_SIGNATURE_BYTES
    + MLKEM_PUBLIC_BYTES
    + ED25519_SIGNATURE_BYTES
)

_HOUR = 3600
ROTATION_SECONDS = 7 * 24 * _HOUR
LIFETIME_SECONDS = 30 * 24 * _HOUR
_CLOCK_ALLOWANCE_SECONDS = 24 * _HOUR  # how far in the future a bundle may claim to be made


@dataclass(frozen=True, slots=True)
class Bundle:
    """Public prekeys of one identity; 1,382 bytes, both signatures checked at birth."""

    raw: bytes
    identity: IdentityKey
    made_hour: int  # hours since 1970: no finer, a bundle shows no more than that
    prekey: X25519Public
    prekey_signature: bytes
    kem_prekey: MlKemPublic

    def encode(self) -> bytes:
        return self.raw

    @classmethod
    def decode(cls, data: bytes) -> "Bundle":
        """The bundle in `data` (hostile). Raises PeerError(SESSION) for anything but exact bytes
        of this version with two valid signatures."""
        try:
            return cls._decode(data)
        except PeerError as error:
            raise PeerError(Drop.SESSION) from error

    @classmethod
    def _decode(cls, data: bytes) -> "Bundle":
        reader = Reader(data)
        if (reader.integer(1), reader.integer(1)) != (E2EE_VERSION, E2EE_SUITE):
            raise PeerError(Drop.SESSION)
        identity = IdentityKey(reader.take(IDENTITY_BYTES))
        made_hour = reader.integer(4)
        prekey = X25519Public(reader.take(X25519_BYTES))
        prekey_signature = reader.take(ED25519_SIGNATURE_BYTES)
        kem_prekey = MlKemPublic(reader.take(MLKEM_PUBLIC_BYTES))
        signature = reader.take(ED25519_SIGNATURE_BYTES)
        reader.end()
        verifier = Ed25519VerifyKey(identity)
        verifier.verify(Label.E2EE_X25519_PREKEY, prekey_signature, prekey.raw)
        verifier.verify(Label.E2EE_BUNDLE, signature, data[:-ED25519_SIGNATURE_BYTES])
        return cls(data, identity, made_hour, prekey, prekey_signature, kem_prekey)

    def is_usable(self, now: float) -> bool:
        """Whether a session may start towards it: at most 30 days old by its own signed age."""
        age = now - self.made_hour * _HOUR
        return -_CLOCK_ALLOWANCE_SECONDS <= age <= LIFETIME_SECONDS


class PreKeys:
    """The secret halves behind one bundle."""

    __slots__ = ("_bundle", "_kem", "_prekey")

    def __init__(self, bundle: Bundle, prekey: X25519Secret, kem: MlKemSecret) -> None:
        self._bundle = bundle
        self._prekey = prekey
        self._kem = kem

    @classmethod
    def generate(cls, identity: Identity, now: float) -> "PreKeys":
        """Fresh prekeys, dated to the hour of `now` (Unix seconds)."""
        prekey, kem = X25519Secret.generate(), MlKemSecret.generate()
        signed = b"".join(
            (
                bytes((E2EE_VERSION, E2EE_SUITE)),
                identity.public,
                int(now // _HOUR).to_bytes(4, "big"),
                prekey.public.raw,
                identity.sign(Label.E2EE_X25519_PREKEY, prekey.public.raw),
                kem.public.raw,
            )
        )
        bundle = Bundle.decode(signed + identity.sign(Label.E2EE_BUNDLE, signed))
        return cls(bundle, prekey, kem)

    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def prekey_secret(self) -> X25519Secret:
        return self._prekey

    @property
    def kem_secret(self) -> MlKemSecret:
        return self._kem

    def should_rotate(self, now: float) -> bool:
        """Whether fresh ones are to be made: after a week, and when these are dated in the future,
        since the clock was ahead once and nobody would start a session towards them."""
        age = now - self._bundle.made_hour * _HOUR
        return age >= ROTATION_SECONDS or age < 0

    def is_dead(self, now: float) -> bool:
        """Whether the secrets must be erased, and with them the remembered handshakes."""
        return now - self._bundle.made_hour * _HOUR > LIFETIME_SECONDS + ROTATION_SECONDS

    @property
    def raw(self) -> bytes:
        """For the encrypted store: the bundle, the X25519 secret, the ML-KEM secret."""
        return self._bundle.raw + self._prekey.raw + self._kem.raw

    @classmethod
    def load(cls, raw: bytes) -> "PreKeys":
        """What `raw` kept. Raises PeerError(SESSION) when the store's bytes are not those."""
        if len(raw) != BUNDLE_BYTES + X25519_BYTES + MLKEM_SEED_BYTES:
            raise PeerError(Drop.SESSION)
        bundle = Bundle.decode(raw[:BUNDLE_BYTES])
        prekey = X25519Secret(raw[BUNDLE_BYTES : BUNDLE_BYTES + X25519_BYTES])
        kem = MlKemSecret(raw[BUNDLE_BYTES + X25519_BYTES :])
        if prekey.public != bundle.prekey or kem.public != bundle.kem_prekey:
            raise PeerError(Drop.SESSION)
        return cls(bundle, prekey, kem)

    def __repr__(self) -> str:
        return "PreKeys(<secret>)"
