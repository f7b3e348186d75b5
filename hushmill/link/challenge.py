"""How an account proves itself on a link: a signature bound to the TLS session, and for a new
account a small proof of work. Spec: docs/spec/link.md (Accounts).
"""

from hushmill.crypto import Label, digest
from hushmill.errors import UsageError
from hushmill.identifiers import AccountKey, NetworkId, NodeNumber
from hushmill.link.commands import PROOF_OF_WORK_BYTES

EXPORTER_LABEL = b"EXPORTER-hushmill-link-1"  # RFC 8446, section 7.5: both ends derive 32 bytes
EXPORTER_BYTES = 32
PROOF_OF_WORK_BITS = 16  # about 65,000 hashes, 0.2 s: a price on accounts by the thousand

_CHALLENGE = b"hushmill account on this link 1\x00"


def exporter_challenge(exporter: bytes) -> bytes:
    """The message that an account's key signs: a constant and the TLS session's exporter (32
    bytes), so that the signature is worth nothing on any other session."""
    if len(exporter) != EXPORTER_BYTES:
        raise UsageError("a link's exporter has 32 bytes")
    return _CHALLENGE + exporter


def is_proof_of_work(
    account: AccountKey,
    network: NetworkId,
    provider: NodeNumber,
    nonce: bytes,
    bits: int = PROOF_OF_WORK_BITS,
) -> bool:
    """Whether the digest of (account, network, provider, nonce of 8 bytes) begins with `bits` zero
    bits: a proof opens one account at one provider."""
    if len(nonce) != PROOF_OF_WORK_BYTES:
        return False
    work = digest(Label.LINK_WORK, account, network, provider.to_bytes(2, "big"), nonce)
    return int.from_bytes(work, "big") >> (256 - bits) == 0


def solve_proof_of_work(
    account: AccountKey,
    network: NetworkId,
    provider: NodeNumber,
    bits: int = PROOF_OF_WORK_BITS,
) -> bytes:
    """The smallest nonce that is a proof; the work is 2**bits hashes on average."""
    counter = 0
    while True:
        nonce = counter.to_bytes(PROOF_OF_WORK_BYTES, "big")
        if is_proof_of_work(account, network, provider, nonce, bits):
            return nonce
        counter += 1
