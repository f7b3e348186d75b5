"""The fields that directory documents are made of, each with its exact length or range.

Spec: docs/spec/directory.md. Everything here may come from a hostile peer or file.
"""

from typing import Annotated

import msgspec

from hushmill.identifiers import NODE_NUMBER_LIMIT, Epoch, KeyHash, NetworkId, NodeNumber

VERIFY_KEY_BYTES = 32 + 1952  # Ed25519, then ML-DSA-65 (FIPS 204, table 2)
SIGNATURE_BYTES = 64 + 3309
DIGEST_BYTES = 32
KEM_KEY_BYTES_LIMIT = 1216  # X-Wing's public key, the largest of the suites

LABEL_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}\Z"
# A name of labels that a resolver takes (a longer or empty label is an exception in it, not an
# answer), an IPv4 address, which looks like one, or an IPv6 address.
_LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
HOST_PATTERN = rf"^(?=.{{1,253}}\Z)(?:{_LABEL}(?:\.{_LABEL})*|[0-9A-Fa-f:]{{2,39}})\Z"

NodeField = Annotated[NodeNumber, msgspec.Meta(ge=0, lt=NODE_NUMBER_LIMIT)]
EpochField = Annotated[Epoch, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
AuthorityField = Annotated[int, msgspec.Meta(ge=0, lt=100)]
LayerField = Annotated[int, msgspec.Meta(ge=0, le=16)]
PortField = Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
OptionalPortField = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]  # 0: no such listener
LoadField = Annotated[int, msgspec.Meta(ge=0, le=1 << 30)]  # packets a second; 0 or a power of two
SecondsField = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFFFF)]  # Unix seconds
LabelField = Annotated[str, msgspec.Meta(pattern=LABEL_PATTERN)]
HostField = Annotated[str, msgspec.Meta(pattern=HOST_PATTERN)]
DigestField = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
NetworkField = Annotated[NetworkId, msgspec.Meta(min_length=32, max_length=32)]
KeyHashField = Annotated[KeyHash, msgspec.Meta(min_length=32, max_length=32)]
KemKeyField = Annotated[bytes, msgspec.Meta(min_length=32, max_length=KEM_KEY_BYTES_LIMIT)]
VerifyKeyField = Annotated[
    bytes, msgspec.Meta(min_length=VERIFY_KEY_BYTES, max_length=VERIFY_KEY_BYTES)
]
SignatureField = Annotated[
    bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)
]


class EpochKey(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One node's KEM public key for one epoch."""

    epoch: EpochField
    raw: KemKeyField
