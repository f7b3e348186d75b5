"""A session of two people: the handshake that begins it, and the ratchet that carries it on.

X3DH gives a secret from X25519, the bundle's ML-KEM prekey a second one, an invitation (or an
older session) a third; one derivation over the three and the whole transcript gives the session's
keys, so that each alone protects them. Spec: docs/spec/e2ee.md (Handshake, Session).
"""

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from client.bundle import E2EE_SUITE, E2EE_VERSION, Bundle, PreKeys
from client.handshake import agree_as_initiator, agree_as_responder
from client.handshake_header import HandshakeHeader
from client.identity import Identity, IdentityKey
from client.ratchet import Ratchet, RatchetState
from hushmill.codec import decode, encode
from hushmill.crypto import Label, derive, digest
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

Role = Literal["initiator", "responder"]
SECRET_BYTES = 32
_STATE_LIMIT = 4096  # bytes; an exported session has about 500


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session for the encrypted store. `skipped` maps (ratchet key, number) to message key,
    oldest first; each is to be a row, pruned by age; a missing one is only a lost message."""

    root: bytes = field(repr=False)
    skipped: dict[tuple[bytes, int], bytes] = field(repr=False)


class _Agreement(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the handshake fixed for the session's whole life; both sides hold the same values but
    for `role`."""

    version: int
    suite: int
    role: Role
    initiator: bytes
    responder: bytes
    session: bytes  # 32 bytes, names the session in the associated data
    to_responder_secret: bytes
    to_initiator_secret: bytes

    def associated_data(self, sender: Role) -> bytes:
        """Both identities, who speaks, suite and version: 99 bytes, fixed layout."""
        return b"".join(
            (
                bytes((self.version, self.suite, int(sender == "responder"))),
                self.session,
                self.initiator,
                self.responder,
            )
        )

    def __repr__(self) -> str:
        return "_Agreement(<secret>)"


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    agreement: _Agreement
    ratchet: RatchetState

    def __repr__(self) -> str:
        return "_Stored(<secret>)"


class Session:
    """One person's side of a session. Each call changes it: commit `export()` before anything
    that it produced leaves."""

    __slots__ = ("_agreement", "_ratchet")

    def __init__(self, agreement: _Agreement, ratchet: Ratchet) -> None:
        self._agreement = agreement
        self._ratchet = ratchet

    @property
    def role(self) -> Role:
        return self._agreement.role

    @property
    def _peer_role(self) -> Role:
        return "responder" if self.role == "initiator" else "initiator"

    @property
    def peer(self) -> IdentityKey:
        """Whom the handshake proved to be at the other end, once one message was opened."""
        key = self._agreement.responder if self.role == "initiator" else self._agreement.initiator
        return IdentityKey(key)

    @property
    def session_id(self) -> bytes:
        """32 bytes, the same on both sides, known to nobody else."""
        return self._agreement.session

    @property
    def send_secret(self) -> bytes:
        """32 bytes for what we deposit: ids and seals of fragments."""
        if self.role == "initiator":
            return self._agreement.to_responder_secret
        return self._agreement.to_initiator_secret

    @property
    def receive_secret(self) -> bytes:
        """32 bytes for what the peer deposits."""
        if self.role == "initiator":
            return self._agreement.to_initiator_secret
        return self._agreement.to_responder_secret

    def encrypt(self, plaintext: bytes) -> bytes:
        """A ratchet message, `RATCHET_OVERHEAD_BYTES` (72) longer than `plaintext`."""
        return self._ratchet.encrypt(plaintext, self._agreement.associated_data(self.role))

    def decrypt(self, message: bytes) -> bytes:
        """The plaintext of `message` (hostile). On PeerError(SESSION) nothing has changed."""
        return self._ratchet.decrypt(message, self._agreement.associated_data(self._peer_role))

    def export(self) -> SessionState:
        ratchet, skipped = self._ratchet.export()
        return SessionState(encode(_Stored(self._agreement, ratchet)), skipped)

    @classmethod
    def load(cls, state: SessionState) -> "Session":
        """The session that `export` gave. Raises PeerError(SESSION) for bytes that are none."""
        try:
            stored = decode(state.root, _Stored, _STATE_LIMIT)
        except PeerError as error:
            raise PeerError(Drop.SESSION) from error
        if (stored.agreement.version, stored.agreement.suite) != (E2EE_VERSION, E2EE_SUITE):
            raise PeerError(Drop.SESSION)
        return cls(stored.agreement, Ratchet.load(stored.ratchet, state.skipped))

    def __repr__(self) -> str:
        return f"Session(<secret>, {self.role})"


def start_session(
    identity: Identity, bundle: Bundle, secret: bytes, first: bytes
) -> tuple[Session, bytes, bytes]:
    """A session towards `bundle`, the handshake header (1,186 bytes) and the first ciphertext.

    `secret` is mixed in: an invitation's 32 bytes, or empty. The header goes with every message
    until the peer's first answer. The caller has asked `bundle.is_usable(now)`.
    """
    if bundle.identity == identity.public:
        raise PeerError(Drop.SESSION)
    agreed, ephemeral = agree_as_initiator(
        identity, bundle.identity, bundle.prekey.raw, bundle.prekey_signature
    )
    ciphertext, kem_shared = bundle.kem_prekey.encapsulate()
    header = HandshakeHeader(identity.public, ephemeral, bundle.prekey.raw, ciphertext)
    root, agreement = _agreement("initiator", header, bundle, agreed, kem_shared, secret)
    associated = agreement.associated_data("initiator")
    ratchet, message = Ratchet.start(root, bundle.prekey.raw, first, associated)
    return Session(agreement, ratchet), header.encode(), message


def accept_session(
    identity: Identity, prekeys: PreKeys, header: bytes, secret: bytes, ciphertext: bytes
) -> tuple[Session, bytes]:
    """The session that a hostile `header` and any of its first messages begin, and the plaintext.

    Whoever holds `session.peer`'s key wrote it: the caller checks that this is the expected
    person, and that `handshake_fingerprint(header)` was never accepted before.
    Raises PeerError(SESSION).
    """
    bundle = prekeys.bundle()
    if bundle.identity != identity.public:
        raise UsageError("these prekeys belong to another identity")
    parsed = HandshakeHeader.decode(header)
    if parsed.identity == identity.public or parsed.prekey != bundle.prekey.raw:
        raise PeerError(Drop.SESSION)
    agreed = agree_as_responder(identity, prekeys.prekey_secret, parsed.identity, parsed.ephemeral)
    kem_shared = prekeys.kem_secret.decapsulate(parsed.kem_ciphertext)
    root, agreement = _agreement("responder", parsed, bundle, agreed, kem_shared, secret)
    associated = agreement.associated_data("initiator")
    ratchet, plaintext = Ratchet.accept(root, prekeys.prekey_secret.raw, ciphertext, associated)
    return Session(agreement, ratchet), plaintext


def _agreement(
    role: Role,
    header: HandshakeHeader,
    bundle: Bundle,
    agreed: bytes,
    kem_shared: bytes,
    secret: bytes,
) -> tuple[bytes, _Agreement]:
    """The ratchet's root (32 bytes) and what the session keeps: one derivation over all secrets
    and everything that was public. The header's bytes hold version, suite, the initiator, both
    X25519 keys and the ML-KEM ciphertext; the bundle's hold the responder and both prekeys."""
    transcript = digest(Label.E2EE_TRANSCRIPT, header.encode(), bundle.encode())
    keys = derive(
        Label.E2EE_HANDSHAKE,
        4 * SECRET_BYTES,
        agreed,
        kem_shared,
        secret,
        header.identity,
        bundle.identity,
        transcript,
    )
    root, session, to_responder, to_initiator = (
        keys[start : start + SECRET_BYTES] for start in range(0, len(keys), SECRET_BYTES)
    )
    agreement = _Agreement(
        E2EE_VERSION,
        E2EE_SUITE,
        role,
        header.identity,
        bundle.identity,
        session,
        to_responder,
        to_initiator,
    )
    return root, agreement
