"""How long each part of a packet is: computed from the KEM, the hops and the payload, and the same
for every packet of a network. Spec: docs/spec/packet.md (Layout).
"""

from dataclasses import dataclass, field

from hushmill.crypto import Kem
from hushmill.errors import UsageError
from hushmill.identifiers import DEPOSIT_ID_BYTES, INBOX_ID_BYTES, REPLY_ID_BYTES

VERSION = 1
MAC_BYTES = 16
COMMAND_BYTES = 1
NODE_BYTES = 2
DELAY_BYTES = 4
PREFIX_BYTES = 2  # version, key epoch
INSTRUCTION_BYTES = COMMAND_BYTES + NODE_BYTES + DELAY_BYTES
LAST_BLOCK_BYTES = COMMAND_BYTES + REPLY_ID_BYTES
PAYLOAD_TAG_BYTES = 32
DEPOSIT_HEADER_BYTES = PAYLOAD_TAG_BYTES + INBOX_ID_BYTES + DEPOSIT_ID_BYTES


@dataclass(frozen=True, slots=True)
class Geometry:
    """The sizes, in bytes, of `hops` hops under `kem` with a payload of `payload_bytes`."""

    kem: Kem
    hops: int
    payload_bytes: int
    block_bytes: int = field(init=False)
    routing_bytes: int = field(init=False)
    header_bytes: int = field(init=False)
    packet_bytes: int = field(init=False)
    body_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        if self.hops < 1 or self.payload_bytes <= DEPOSIT_HEADER_BYTES:
            raise UsageError("a packet has at least one hop and one byte of body")
        ciphertext = self.kem.ciphertext_bytes
        block = INSTRUCTION_BYTES + ciphertext + MAC_BYTES
        routing = (self.hops - 1) * block + LAST_BLOCK_BYTES
        header = PREFIX_BYTES + ciphertext + MAC_BYTES + routing
        object.__setattr__(self, "block_bytes", block)
        object.__setattr__(self, "routing_bytes", routing)
        object.__setattr__(self, "header_bytes", header)
        object.__setattr__(self, "packet_bytes", header + self.payload_bytes)
        object.__setattr__(self, "body_bytes", self.payload_bytes - DEPOSIT_HEADER_BYTES)
