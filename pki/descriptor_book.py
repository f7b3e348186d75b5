"""The newest descriptor of each node, as one authority holds them. Pure.

A descriptor enters only if its node is admitted and signed it, it is newer than the held one, and
none of its keys is another node's. Spec: docs/spec/directory.md (Descriptors).
"""

from collections.abc import Mapping

from hushmill import codec
from hushmill.crypto import Kem
from hushmill.drops import Drop
from hushmill.errors import PeerError
from hushmill.identifiers import Epoch, NodeNumber
from pki.consensus import Consensus, NodeEntry
from pki.descriptor import DESCRIPTOR_BYTES_LIMIT, Descriptor, SignedDescriptor, open_descriptor
from pki.genesis import Genesis
from pki.voting import entry_of, keys_of


class DescriptorBook:
    """At most one descriptor a genesis node, so its size is bounded by the genesis."""

    __slots__ = ("_genesis", "_held", "_kem")

    def __init__(self, genesis: Genesis, kem: Kem) -> None:
        self._genesis = genesis
        self._kem = kem
        self._held: dict[bytes, Descriptor] = {}

    @property
    def held(self) -> Mapping[bytes, Descriptor]:
        """By signed bytes."""
        return self._held

    def restore(self, data: bytes) -> None:
        """Takes back what was kept before a restart. Raises PeerError when it does not open."""
        self._held[data] = open_descriptor(self._genesis, data, self._kem)

    def offer(self, data: bytes, published: Consensus | None, now: float) -> NodeNumber | None:
        """The number of the node whose descriptor this replaces or begins; None for one held.

        Raises PeerError: STALE when one as new is held, DOCUMENT for any other fault.
        """
        if data in self._held:
            return None
        # Number and age are read first, so that repeating old ones costs no public-key work.
        body = codec.decode(data, SignedDescriptor, DESCRIPTOR_BYTES_LIMIT).body
        claimed = codec.decode(body, Descriptor, DESCRIPTOR_BYTES_LIMIT)
        older = self._of_node(claimed.number)
        if older is not None and claimed.made_at <= self._held[older].made_at:
            raise PeerError(Drop.STALE)
        if claimed.made_at > now + 2 * self._genesis.parameters.skew_seconds + 1:
            raise PeerError(Drop.DOCUMENT)  # it would lock its node out until then
        offered = open_descriptor(self._genesis, data, self._kem)
        if self._claims_of_others(offered.number, published) & set(keys_of(offered)):
            raise PeerError(Drop.DOCUMENT)
        if older is not None:
            del self._held[older]
        self._held[data] = offered
        return offered.number

    def signed(self) -> tuple[bytes, ...]:
        """The signed bytes, by rising node number: what goes into a vote."""
        ordered = sorted(self._held.items(), key=lambda kept: kept[1].number)
        return tuple(data for data, _ in ordered)

    def entries(self, epoch: Epoch) -> list[NodeEntry]:
        """What the document of `epoch` would say of each node that has a key for it."""
        made = (entry_of(self._genesis, held, epoch) for held in self._held.values())
        return [entry for entry in made if entry is not None]

    def _of_node(self, number: NodeNumber) -> bytes | None:
        return next((data for data, held in self._held.items() if held.number == number), None)

    def _claims_of_others(self, number: NodeNumber, published: Consensus | None) -> set[bytes]:
        """Keys of other nodes, in descriptors and in the last document."""
        claims = {
            key
            for descriptor in self._held.values()
            if descriptor.number != number
            for key in keys_of(descriptor)
        }
        if published is not None:
            for entry in published.nodes:
                if entry.number != number:
                    claims.update((entry.key_hash, *(key.raw for key in entry.keys)))
        return claims
