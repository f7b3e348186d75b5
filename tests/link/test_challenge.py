"""What an account signs, and what a new one pays."""

from hashlib import shake_256

import pytest

from hushmill.errors import UsageError
from hushmill.identifiers import AccountKey, NetworkId, NodeNumber
from hushmill.link import (
    PROOF_OF_WORK_BITS,
    exporter_challenge,
    is_proof_of_work,
    solve_proof_of_work,
)

ACCOUNT = AccountKey(bytes(range(32)))
NETWORK = NetworkId(bytes(range(32, 64)))
PROVIDER = NodeNumber(0x0102)


def work_by_hand(nonce: bytes) -> bytes:
    """The digest as docs/spec/link.md and packet.md write it, without our own derivation."""
    label = b"hushmill/link/work"
    parts = (ACCOUNT, NETWORK, b"\x01\x02", nonce)
    head = bytes([len(label)]) + label + (32).to_bytes(4, "big")
    body = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return shake_256(head + body).digest(32)


def test_signs_the_exporter_under_a_constant() -> None:
    challenge = exporter_challenge(bytes(range(32)))
    assert challenge == b"hushmill account on this link 1\x00" + bytes(range(32))
    assert challenge != exporter_challenge(bytes(32))
    with pytest.raises(UsageError):
        exporter_challenge(bytes(31))


def test_solves_what_it_then_accepts() -> None:
    nonce = solve_proof_of_work(ACCOUNT, NETWORK, PROVIDER)
    assert len(nonce) == 8
    assert is_proof_of_work(ACCOUNT, NETWORK, PROVIDER, nonce)
    assert work_by_hand(nonce)[:2] == b"\x00\x00"
    assert PROOF_OF_WORK_BITS == 16


def test_refuses_a_proof_for_another_account_network_provider_or_nonce() -> None:
    nonce = solve_proof_of_work(ACCOUNT, NETWORK, PROVIDER)
    assert not is_proof_of_work(AccountKey(bytes(32)), NETWORK, PROVIDER, nonce)
    assert not is_proof_of_work(ACCOUNT, NetworkId(bytes(32)), PROVIDER, nonce)
    assert not is_proof_of_work(ACCOUNT, NETWORK, NodeNumber(0x0103), nonce)
    assert not is_proof_of_work(ACCOUNT, NETWORK, PROVIDER, bytes(8))
    assert not is_proof_of_work(ACCOUNT, NETWORK, PROVIDER, nonce + b"\x00")
    assert not is_proof_of_work(ACCOUNT, NETWORK, PROVIDER, nonce[:-1])


def test_counts_bits_exactly() -> None:
    nonce = solve_proof_of_work(ACCOUNT, NETWORK, PROVIDER, bits=4)
    zeros = 256 - int.from_bytes(work_by_hand(nonce), "big").bit_length()
    assert is_proof_of_work(ACCOUNT, NETWORK, PROVIDER, nonce, bits=zeros)
    assert not is_proof_of_work(ACCOUNT, NETWORK, PROVIDER, nonce, bits=zeros + 1)
