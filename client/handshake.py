"""The X3DH library behind two functions on plain bytes; every failure is PeerError(SESSION).

X3DH is the kept PyPI implementation of Signal's specification. Its coroutines never wait, so they
are driven to their end at once. There are no one-time prekeys (they can be depleted, and fetching
them leaks), and the identity keys are Ed25519. Spec: docs/spec/e2ee.md (Handshake).
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

import xeddsa
from x3dh import (
    BaseState,
    BaseStateModel,
    Bundle,
    HashFunction,
    Header,
    IdentityKeyFormat,
    IdentityKeyPairModel,
    KeyAgreementException,
    SignedPreKeyPairModel,
)
from x3dh.types import SecretType

from client.identity import Identity, IdentityKey
from hushmill.crypto import Label, X25519Public, X25519Secret
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError

Result = TypeVar("Result")
_LIBRARY_ERRORS = (KeyAgreementException, xeddsa.XEdDSAException, ValueError)


class _State(BaseState):
    """What it signs and checks is what `Ed25519SigningKey.sign(E2EE_X25519_PREKEY, …)` signs."""

    @staticmethod
    def _encode_public_key(key_format: IdentityKeyFormat, pub: bytes) -> bytes:
        curve = key_format is IdentityKeyFormat.CURVE_25519
        label = Label.E2EE_X25519_PREKEY if curve else Label.E2EE_IDENTITY
        return len(label).to_bytes(1, "big") + label + pub


def agree_as_initiator(
    identity: Identity, peer: IdentityKey, prekey_public: bytes, prekey_signature: bytes
) -> tuple[bytes, bytes]:
    """X3DH's shared secret (32 bytes) and the fresh ephemeral public key (32 bytes)."""
    X25519Public(prekey_public)  # one encoding a point, none of low order
    state = _state(identity, bytes(32))
    bundle = Bundle(peer, prekey_public, prekey_signature, frozenset())
    secret, _, header = _run(state.get_shared_secret_active(bundle, require_pre_key=False))
    return secret, header.ephemeral_key


def agree_as_responder(
    identity: Identity, prekey: X25519Secret, peer: IdentityKey, ephemeral: bytes
) -> bytes:
    """X3DH's shared secret (32 bytes), from our prekey and a hostile peer's public keys."""
    X25519Public(ephemeral)
    state = _state(identity, prekey.raw)
    header = Header(peer, ephemeral, prekey.public.raw, None)
    secret, _, _ = _run(state.get_shared_secret_passive(header, require_pre_key=False))
    return secret


def _state(identity: Identity, prekey_secret: bytes) -> _State:
    """The library's state: the initiator's own prekey plays no part, so it may be zeros."""
    model = BaseStateModel(
        identity_key=IdentityKeyPairModel(secret=identity.seed, secret_type=SecretType.SEED),
        signed_pre_key=SignedPreKeyPairModel(priv=prekey_secret, sig=bytes(64), timestamp=0),
        old_signed_pre_key=None,
        pre_keys=frozenset(),
    )
    return _State.from_model(
        model, IdentityKeyFormat.ED_25519, HashFunction.SHA_512, bytes(Label.E2EE_X3DH)
    )


def _run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What the library's coroutine returns; it has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    except _LIBRARY_ERRORS as error:
        raise PeerError(Drop.SESSION) from error
    coroutine.close()
    raise UsageError("the X3DH library waited for something")
