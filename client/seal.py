"""Fragments sealed for their deposit: a provider sees an id and noise, and no ratchet header.

Key and nonce come from the pair's secret of this direction and the deposit id, which comes from
(secret, sequence, fragment): a retry deposits the same bytes under the same id. A sequence number
is therefore never used for two messages. Spec: docs/spec/e2ee.md (Seal).
"""

from hushmill.crypto import (
    AEAD_KEY_BYTES,
    AEAD_NONCE_BYTES,
    AEAD_TAG_BYTES,
    Label,
    derive,
    open_sealed,
    seal,
)
from hushmill.drops import Drop
from hushmill.identifiers import DEPOSIT_ID_BYTES, DepositId

SEAL_OVERHEAD_BYTES = AEAD_TAG_BYTES


def deposit_id(secret: bytes, sequence: int, index: int) -> DepositId:
    """The id of fragment `index` (u16) of message `sequence` (u64), the same at every retry."""
    parts = sequence.to_bytes(8, "big"), index.to_bytes(2, "big")
    return DepositId(derive(Label.DEPOSIT_ID, DEPOSIT_ID_BYTES, secret, *parts))


def seal_fragment(secret: bytes, deposit: DepositId, plaintext: bytes) -> bytes:
    """16 bytes longer than `plaintext`."""
    key, nonce = _key_and_nonce(secret, deposit)
    return seal(key, nonce, plaintext, deposit)


def open_fragment(secret: bytes, deposit: DepositId, sealed: bytes) -> bytes:
    """The fragment. Raises PeerError(UNKNOWN_SENDER) when this secret did not seal it here."""
    key, nonce = _key_and_nonce(secret, deposit)
    return open_sealed(key, nonce, sealed, deposit, Drop.UNKNOWN_SENDER)


def _key_and_nonce(secret: bytes, deposit: DepositId) -> tuple[bytes, bytes]:
    material = derive(Label.FRAGMENT_SEAL, AEAD_KEY_BYTES + AEAD_NONCE_BYTES, secret, deposit)
    return material[:AEAD_KEY_BYTES], material[AEAD_KEY_BYTES:]
