"""What a forward packet's payload says to the last node: whose mailbox, which item, which bytes.

The address stands in the payload and not in the header, so that whoever damages the payload on
the way also destroys the address. Spec: docs/spec/packet.md (Payload).
"""

from dataclasses import dataclass

from hushmill.crypto import equal
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import DEPOSIT_ID_BYTES, INBOX_ID_BYTES, DepositId, InboxId
from hushmill.packet.geometry import DEPOSIT_HEADER_BYTES, PAYLOAD_TAG_BYTES, Geometry

_ZERO_TAG = bytes(PAYLOAD_TAG_BYTES)
_INBOX_END = PAYLOAD_TAG_BYTES + INBOX_ID_BYTES


@dataclass(frozen=True, slots=True)
class Deposit:
    """An item for a mailbox; `body` is sealed for its reader."""

    inbox: InboxId
    deposit: DepositId
    body: bytes


def deposit_payload(inbox: InboxId, deposit: DepositId, body: bytes, geometry: Geometry) -> bytes:
    """Zero tag 32 | inbox 32 | deposit 16 | body, for a body of exactly `body_bytes`."""
    if len(inbox) != INBOX_ID_BYTES or len(deposit) != DEPOSIT_ID_BYTES:
        raise UsageError("an inbox id is 32 bytes and a deposit id 16")
    if len(body) != geometry.body_bytes:
        raise UsageError(f"a body is {geometry.body_bytes} bytes, not {len(body)}")
    return b"".join((_ZERO_TAG, inbox, deposit, body))


def open_deposit(payload: bytes) -> Deposit:
    """The deposit in a delivered payload.

    Raises PeerError(PACKET) when it is too short or its tag is not zero, which is what any change
    on the way makes of it.
    """
    if len(payload) <= DEPOSIT_HEADER_BYTES or not equal(payload[:PAYLOAD_TAG_BYTES], _ZERO_TAG):
        raise PeerError(Drop.PACKET)
    return Deposit(
        InboxId(payload[PAYLOAD_TAG_BYTES:_INBOX_END]),
        DepositId(payload[_INBOX_END:DEPOSIT_HEADER_BYTES]),
        payload[DEPOSIT_HEADER_BYTES:],
    )
