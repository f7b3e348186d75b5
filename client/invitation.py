"""A single-use invitation: short enough for a line of text and a QR code on a terminal.

    version 1 | network 8 | provider 2 | expires 4 | secret 32 | identity hash 32 | checksum 6

85 bytes, 136 characters of base32 with no padding and no spare bits. Whoever holds it may answer
in the invited person's place, so it travels over a channel that its two people trust. The one-time
inbox and the two sealing secrets come from the secret. Spec: docs/spec/e2ee.md (Invitation).
"""

import base64
import binascii
from dataclasses import dataclass, field

from client.identity import IDENTITY_BYTES, IdentityKey
from hushmill.codec import Reader
from hushmill.crypto import Label, derive, digest, equal
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import INBOX_ID_BYTES, InboxId, NetworkId, NodeNumber
from hushmill.randomness import Randomness

INVITATION_VERSION = 1
INVITATION_CHARACTERS = 136
INVITATION_SECONDS = 7 * 24 * 3600
LINK_SCHEME = "hushmill:"
_HOUR = 3600
_SECRET_BYTES = 32
_NETWORK_BYTES = 8
_CHECKSUM_BYTES = 6
_RAW_BYTES = 1 + _NETWORK_BYTES + 2 + 4 + _SECRET_BYTES + 32 + _CHECKSUM_BYTES


@dataclass(frozen=True, slots=True)
class Invitation:
    """`network`: the first 8 bytes of its id; `expires`: hours since 1970."""

    network: bytes
    provider: NodeNumber
    secret: bytes = field(repr=False)
    identity_hash: bytes
    expires: int

    @classmethod
    def create(
        cls,
        network: NetworkId,
        provider: NodeNumber,
        identity: IdentityKey,
        now: float,
        rng: Randomness,
    ) -> "Invitation":
        """A fresh one that lasts seven days from `now` (Unix seconds), up to the next hour."""
        expires = int((now + INVITATION_SECONDS) // _HOUR) + 1
        secret = rng.take(_SECRET_BYTES)
        return cls(network[:_NETWORK_BYTES], provider, secret, identity_hash(identity), expires)

    def text(self) -> str:
        """136 capital letters and digits, which is what a QR code holds best."""
        body = self._body()
        return base64.b32encode(body + _checksum(body)).decode("ascii")

    def link(self) -> str:
        return LINK_SCHEME + self.text()

    @property
    def inbox(self) -> InboxId:
        """The one-time inbox that the inviter registers and the invited person answers to."""
        return InboxId(derive(Label.INVITATION_INBOX, INBOX_ID_BYTES, self._body()))

    @property
    def to_inviter_secret(self) -> bytes:
        """32 bytes that seal the fragments of the invited person's answer."""
        return derive(Label.INVITATION_TO_INVITER, _SECRET_BYTES, self._body())

    @property
    def to_invited_secret(self) -> bytes:
        """32 bytes that seal the fragments of the inviter's handshake."""
        return derive(Label.INVITATION_TO_INVITED, _SECRET_BYTES, self._body())

    def names(self, identity: IdentityKey) -> bool:
        """Whether `identity` is the inviter's: else somebody else answered in its place."""
        return equal(identity_hash(identity), self.identity_hash)

    def is_expired(self, now: float) -> bool:
        return now >= self.expires * _HOUR

    def require_usable(self, network: NetworkId, now: float) -> None:
        """Refuses, with a UserError, an expired invitation (6) and another network's (3)."""
        if self.network != network[:_NETWORK_BYTES]:
            raise UserError(
                "This invitation is for another network. Ask for one made in this network, or"
                " join the network that it names.",
                ExitCode.CONFIGURATION,
            )
        if self.is_expired(now):
            raise UserError(
                "This invitation has expired: they last seven days. Ask for a new one.",
                ExitCode.SECURITY_STOP,
            )

    def _body(self) -> bytes:
        return b"".join(
            (
                bytes((INVITATION_VERSION,)),
                self.network,
                self.provider.to_bytes(2, "big"),
                self.expires.to_bytes(4, "big"),
                self.secret,
                self.identity_hash,
            )
        )


def parse_invitation(text: str) -> Invitation:
    """The invitation in what a person typed, pasted or scanned: text or link, in any case, with
    any spaces, line breaks and hyphens. Raises UserError(2) for anything else."""
    compact = "".join(character for character in text if not character.isspace())
    if compact[: len(LINK_SCHEME)].lower() == LINK_SCHEME:
        compact = compact[len(LINK_SCHEME) :]
    compact = compact.replace("-", "").upper()
    if len(compact) != INVITATION_CHARACTERS:
        raise _mistyped(f"it has {len(compact)} characters, not {INVITATION_CHARACTERS}")
    try:
        raw = base64.b32decode(compact)
    except (binascii.Error, ValueError) as error:
        raise _mistyped("it holds a character that none has") from error
    body, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if not equal(_checksum(body), checksum):
        raise _mistyped("its checksum does not fit")
    reader = Reader(body)
    if reader.integer(1) != INVITATION_VERSION:
        raise UserError(
            "This invitation was made by a newer version of hushmill. Update, then try again.",
            ExitCode.USAGE,
        )
    network, provider = reader.take(_NETWORK_BYTES), NodeNumber(reader.integer(2))
    expires, secret = reader.integer(4), reader.take(_SECRET_BYTES)
    invitation = Invitation(network, provider, secret, reader.take(IDENTITY_BYTES), expires)
    reader.end()
    return invitation


def identity_hash(identity: IdentityKey) -> bytes:
    """32 bytes that name an identity without being it."""
    return digest(Label.INVITATION_IDENTITY, identity)


def _checksum(body: bytes) -> bytes:
    return derive(Label.INVITATION_CHECKSUM, _CHECKSUM_BYTES, body)


def _mistyped(reason: str) -> UserError:
    return UserError(
        f"This is not a whole invitation: {reason}. Copy it again, all of it.", ExitCode.USAGE
    )
