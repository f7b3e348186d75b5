"""Who may have an account here. Spec: docs/spec/mailbox.md (Accounts)."""

from dataclasses import dataclass, field

from hushmill.crypto import Ed25519VerifyKey, Label, equal
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import NetworkId, NodeNumber
from hushmill.link import Hello, exporter_challenge, is_proof_of_work


@dataclass(frozen=True, slots=True)
class Admission:
    """A new account shows the operator's `code` (32 bytes) where there is one, else a proof of
    work for this network and this provider."""

    network_id: NetworkId
    provider: NodeNumber
    code: bytes | None = field(repr=False)

    def proves_key(self, hello: Hello, exporter: bytes) -> bool:
        """Whether the account's key signed *this* TLS session: a signature that was made for
        another one, by anyone, is refused."""
        try:
            Ed25519VerifyKey(hello.account, Drop.ACCOUNT).verify(
                Label.LINK_ACCOUNT, hello.signature, exporter_challenge(exporter), Drop.ACCOUNT
            )
        except PeerError:
            return False
        return True

    def may_open(self, hello: Hello) -> bool:
        """Whether this key, not known yet, may have an account."""
        if self.code is not None:
            return equal(self.code, hello.code)
        return is_proof_of_work(hello.account, self.network_id, self.provider, hello.proof_of_work)
