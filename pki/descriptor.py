"""A descriptor: what one admitted node says of itself for some epochs, signed by its own key.

Spec: docs/spec/directory.md (Descriptors).
"""

from collections.abc import Mapping
from itertools import pairwise

import msgspec

from hushmill import codec
from hushmill.crypto import Kem, Label, SigningKey
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import Epoch, KeyHash, NetworkId, NodeNumber
from hushmill.parameters import KEY_EPOCHS_AHEAD
from pki.fields import (
    EpochKey,
    HostField,
    KeyHashField,
    LoadField,
    NetworkField,
    NodeField,
    OptionalPortField,
    PortField,
    SecondsField,
    SignatureField,
)
from pki.genesis import Genesis, Role

# A descriptor made in epoch E feeds the document of E and that of E + 1, which serves to E + 4.
DESCRIPTOR_KEYS_LIMIT = KEY_EPOCHS_AHEAD + 2
DESCRIPTOR_BYTES_LIMIT = 16 << 10


class Descriptor(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """`keys` are of consecutive epochs, at most DESCRIPTOR_KEYS_LIMIT; `made_at` (Unix seconds)
    orders the descriptors of one node. `load` is what a mix relayed in the epoch before, packets a
    second rounded down to a power of two; 0 for providers, and where it is not known."""

    network_id: NetworkField
    number: NodeField
    host: HostField
    port: PortField
    client_port: OptionalPortField
    key_hash: KeyHashField
    keys: tuple[EpochKey, ...]
    made_at: SecondsField
    load: LoadField


class SignedDescriptor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The wire form: the descriptor's canonical bytes and the node's hybrid signature."""

    body: bytes
    signature: SignatureField


def descriptor_of(
    genesis: Genesis, number: NodeNumber, keys: Mapping[Epoch, bytes], made_at: float, load: int
) -> Descriptor:
    """Node `number`'s descriptor at the address that the genesis names, with `keys` by epoch.

    `load` as `coarse_load` gives it.
    """
    node = genesis.node(number)
    if node is None:
        raise UsageError(f"node {number} is not in the genesis")
    return Descriptor(
        network_id=NetworkId(genesis.network_id),
        number=number,
        host=node.host,
        port=node.port,
        client_port=node.client_port,
        key_hash=KeyHash(node.key_hash),
        keys=tuple(EpochKey(epoch, keys[epoch]) for epoch in sorted(keys)),
        made_at=int(made_at),
        load=load,
    )


def sign_descriptor(descriptor: Descriptor, key: SigningKey) -> bytes:
    """The signed wire form."""
    body = codec.encode(descriptor)
    return codec.encode(SignedDescriptor(body, key.sign(Label.DESCRIPTOR, body)))


def open_descriptor(genesis: Genesis, data: bytes, kem: Kem) -> Descriptor:
    """The descriptor in `data`, signed by the node that it names, which the genesis admits.

    Raises PeerError(DOCUMENT). The signature is the last and dearest check but the keys' own.
    """
    signed = codec.decode(data, SignedDescriptor, DESCRIPTOR_BYTES_LIMIT)
    descriptor = codec.decode(signed.body, Descriptor, DESCRIPTOR_BYTES_LIMIT)
    node = genesis.node(descriptor.number)
    if node is None or descriptor.network_id != genesis.network_id:
        raise PeerError(Drop.DOCUMENT)
    if (descriptor.client_port == 0) != (node.role == "mix"):
        raise PeerError(Drop.DOCUMENT)
    check_load(descriptor.load, node.role)
    check_keys(descriptor.keys, DESCRIPTOR_KEYS_LIMIT)
    if any(key.raw == descriptor.key_hash for key in descriptor.keys):
        raise PeerError(Drop.DOCUMENT)  # a document in which one key stands twice is not valid
    genesis.node_keys[descriptor.number].verify(Label.DESCRIPTOR, signed.signature, signed.body)
    for key in descriptor.keys:
        try:
            kem.public(key.raw)
        except PeerError as error:
            raise PeerError(Drop.DOCUMENT) from error
    return descriptor


def check_load(load: int, role: Role) -> None:
    """Refuses what is finer than a power of two, and any load of a provider."""
    if load & (load - 1) or (load and role != "mix"):
        raise PeerError(Drop.DOCUMENT)


def check_keys(keys: tuple[EpochKey, ...], limit: int) -> None:
    """Refuses none, too many, gaps between epochs, and one key at two epochs."""
    if not 1 <= len(keys) <= limit or len({key.raw for key in keys}) != len(keys):
        raise PeerError(Drop.DOCUMENT)
    if any(later.epoch != earlier.epoch + 1 for earlier, later in pairwise(keys)):
        raise PeerError(Drop.DOCUMENT)
