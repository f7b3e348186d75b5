"""The Double Ratchet library behind four functions on bytes; its own errors never leave here.

DoubleRatchet is the kept PyPI implementation of Signal's specification; its coroutines never
wait, so they are driven to their end at once. What is ours: the AEAD (ChaCha20-Poly1305 in place
of the bundled CBC one), SHAKE-256 as the two KDFs, X25519 that refuses low-order points, and the
message's layout. Spec: docs/spec/e2ee.md (Ratchet).

    message = ratchet key 32 | previous chain length 4 | number 4 | salt 16 | ciphertext | tag 16
"""

import secrets
import warnings
from collections.abc import Coroutine, Mapping
from typing import Any, TypedDict, TypeVar

import msgspec
from doubleratchet import (
    AEAD,
    KDF,
    AuthenticationFailedException,
    DecryptionFailedException,
    DiffieHellmanRatchet,
    DiffieHellmanRatchetModel,
    DoSProtectionException,
    DoubleRatchet,
    DoubleRatchetModel,
    DuplicateMessageException,
    EncryptedMessage,
    Header,
    KDFChainModel,
    SymmetricKeyRatchetModel,
)
from doubleratchet.models import SkippedMessageKeyModel

from hushmill.crypto import Label, X25519Secret, derive, open_sealed, seal, x25519
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

Result = TypeVar("Result")

KEY_BYTES = 32
HEADER_BYTES = KEY_BYTES + 4 + 4
SALT_BYTES = 16
RATCHET_OVERHEAD_BYTES = HEADER_BYTES + SALT_BYTES + 16
SKIPPED_PER_JUMP = 1000  # one message makes us derive at most this many keys per chain
SKIPPED_KEPT = 2000  # the oldest go first


class _Aead(AEAD):
    """ChaCha20-Poly1305 under a key and nonce from the message key and a random salt, which is
    carried: a sender whose store went back uses a message key twice, but never this pair."""

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        salt = secrets.token_bytes(SALT_BYTES)
        sealing = derive(Label.E2EE_MESSAGE, 44, key, salt)
        return salt + seal(sealing[:32], sealing[32:], plaintext, associated_data)

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        salt, sealed = ciphertext[:SALT_BYTES], ciphertext[SALT_BYTES:]
        sealing = derive(Label.E2EE_MESSAGE, 44, key, salt)
        return open_sealed(sealing[:32], sealing[32:], sealed, associated_data)


class _RootKdf(KDF):
    @staticmethod
    async def derive(key: bytes, data: bytes, length: int) -> bytes:
        return derive(Label.E2EE_ROOT_CHAIN, length, key, data)


class _MessageKdf(KDF):
    @staticmethod
    async def derive(key: bytes, data: bytes, length: int) -> bytes:
        return derive(Label.E2EE_MESSAGE_CHAIN, length, key, data)


class _DiffieHellman(DiffieHellmanRatchet):
    @staticmethod
    def _generate_priv() -> bytes:
        return X25519Secret.generate().raw

    @staticmethod
    def _derive_pub(priv: bytes) -> bytes:
        return X25519Secret(priv).public.raw

    @staticmethod
    def _perform_diffie_hellman(own_priv: bytes, other_pub: bytes) -> bytes:
        return x25519(own_priv, other_pub)


class _Ratchet(DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return len(associated_data).to_bytes(4, "big") + associated_data + _encode_header(header)


class RatchetState(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Everything but the skipped keys. Chains are (key 32 bytes, length)."""

    own_secret: bytes
    peer_public: bytes
    root: tuple[bytes, int]
    sending: tuple[bytes, int]
    receiving: tuple[bytes, int] | None
    previous_length: int | None

    def __repr__(self) -> str:
        return "RatchetState(<secret>)"


class Ratchet:
    """One side of a Double Ratchet. `associated_data` is the session's and its direction's."""

    __slots__ = ("_inner",)

    def __init__(self, inner: _Ratchet) -> None:
        self._inner = inner

    @classmethod
    def start(
        cls, root: bytes, peer_prekey: bytes, plaintext: bytes, associated_data: bytes
    ) -> tuple["Ratchet", bytes]:
        """The initiator's side and its first message."""
        inner, message = _run(
            _Ratchet.encrypt_initial_message(
                shared_secret=root,
                recipient_ratchet_pub=peer_prekey,
                message=plaintext,
                associated_data=associated_data,
                **_PARTS,
            )
        )
        return cls(inner), _encode(message)

    @classmethod
    def accept(
        cls, root: bytes, own_prekey: bytes, message: bytes, associated_data: bytes
    ) -> tuple["Ratchet", bytes]:
        """The responder's side and the plaintext of a first message (hostile)."""
        inner, plaintext = _run(
            _Ratchet.decrypt_initial_message(
                shared_secret=root,
                own_ratchet_priv=own_prekey,
                message=_decode(message),
                associated_data=associated_data,
                **_PARTS,
            )
        )
        return cls(inner), plaintext

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """72 bytes longer than `plaintext`; the key that made it is gone afterwards."""
        return _encode(_run(self._inner.encrypt_message(plaintext, associated_data)))

    def decrypt(self, message: bytes, associated_data: bytes) -> bytes:
        """The plaintext of `message` (hostile). On PeerError(SESSION) nothing has changed."""
        parts = _decode(message)
        # The initiator before the first answer: the peer's prekey as ratchet key makes no turn, so
        # that no chain would be there to open it with.
        has_chain = self._inner.receiving_chain_length is not None
        if not has_chain and parts.header.ratchet_pub == self.export()[0].peer_public:
            raise PeerError(Drop.SESSION)
        return _run(self._inner.decrypt_message(parts, associated_data))

    def export(self) -> tuple[RatchetState, dict[tuple[bytes, int], bytes]]:
        """The state, and the skipped keys (ratchet key, number) → message key, oldest first."""
        model = self._inner.model
        inner = model.diffie_hellman_ratchet
        chains = inner.symmetric_key_ratchet
        sending, receiving = chains.sending_chain, chains.receiving_chain
        if sending is None:
            raise UsageError("a ratchet always has a sending chain")
        state = RatchetState(
            inner.own_ratchet_priv,
            inner.other_ratchet_pub,
            (inner.root_chain.key, inner.root_chain.length),
            (sending.key, sending.length),
            None if receiving is None else (receiving.key, receiving.length),
            chains.previous_sending_chain_length,
        )
        skipped = {
            (entry.ratchet_pub, entry.index): entry.message_key
            for entry in model.skipped_message_keys
        }
        return state, skipped

    @classmethod
    def load(cls, state: RatchetState, skipped: Mapping[tuple[bytes, int], bytes]) -> "Ratchet":
        """What `export` gave; skipped keys that were pruned since are simply not there."""
        receiving = state.receiving
        model = DoubleRatchetModel(
            diffie_hellman_ratchet=DiffieHellmanRatchetModel(
                own_ratchet_priv=state.own_secret,
                other_ratchet_pub=state.peer_public,
                root_chain=KDFChainModel(key=state.root[0], length=state.root[1]),
                symmetric_key_ratchet=SymmetricKeyRatchetModel(
                    receiving_chain=None
                    if receiving is None
                    else KDFChainModel(key=receiving[0], length=receiving[1]),
                    sending_chain=KDFChainModel(key=state.sending[0], length=state.sending[1]),
                    previous_sending_chain_length=state.previous_length,
                ),
            ),
            skipped_message_keys=[
                SkippedMessageKeyModel(ratchet_pub=public, index=number, message_key=key)
                for (public, number), key in skipped.items()
            ],
        )
        return cls(_Ratchet.from_model(model, **_PARTS))

    def __repr__(self) -> str:
        return "Ratchet(<secret>)"


class _Parts(TypedDict):
    """What every one of the library's constructors is given alike."""

    diffie_hellman_ratchet_class: type[DiffieHellmanRatchet]
    root_chain_kdf: type[KDF]
    message_chain_kdf: type[KDF]
    message_chain_constant: bytes
    dos_protection_threshold: int
    max_num_skipped_message_keys: int
    aead: type[AEAD]


_PARTS: _Parts = {
    "diffie_hellman_ratchet_class": _DiffieHellman,
    "root_chain_kdf": _RootKdf,
    "message_chain_kdf": _MessageKdf,
    "message_chain_constant": b"",  # the label says what the chain derives
    "dos_protection_threshold": SKIPPED_PER_JUMP,
    "max_num_skipped_message_keys": SKIPPED_KEPT,
    "aead": _Aead,
}
_LIBRARY_ERRORS = (
    AssertionError,  # its checks of its own state, which a hostile header has reached before
    AuthenticationFailedException,
    DecryptionFailedException,
    DoSProtectionException,
    DuplicateMessageException,
    PeerError,
    ValueError,
)


def _run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What the library's coroutine returns; it has nothing to wait for."""
    try:
        with warnings.catch_warnings():
            # A long gap in the previous chain is not fatal (the keys are left out), and a hostile
            # header causes it as well: no line in a log for it.
            warnings.simplefilter("ignore", UserWarning)
            coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    except _LIBRARY_ERRORS as error:
        raise PeerError(Drop.SESSION) from error
    coroutine.close()
    raise UsageError("the DoubleRatchet library waited for something")


def _encode_header(header: Header) -> bytes:
    return (
        header.ratchet_pub
        + header.previous_sending_chain_length.to_bytes(4, "big")
        + header.sending_chain_length.to_bytes(4, "big")
    )


def _encode(message: EncryptedMessage) -> bytes:
    return _encode_header(message.header) + message.ciphertext


def _decode(message: bytes) -> EncryptedMessage:
    if len(message) < RATCHET_OVERHEAD_BYTES:
        raise PeerError(Drop.SESSION)
    header = Header(
        message[:KEY_BYTES],
        int.from_bytes(message[KEY_BYTES : KEY_BYTES + 4], "big"),
        int.from_bytes(message[KEY_BYTES + 4 : HEADER_BYTES], "big"),
    )
    return EncryptedMessage(header, message[HEADER_BYTES:])
