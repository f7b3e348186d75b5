"""Who is in the network: genesis, descriptors, documents, voting, the choice of routes.

The door of `pki`. What needs Twisted or a database is loaded when it is first asked for.
"""

from typing import TYPE_CHECKING

from pki.consensus import (
    Consensus,
    ConsensusBody,
    NodeEntry,
    SignatureShare,
    SignedConsensus,
    consensus_digest,
    open_signed,
    verify_consensus,
)
from pki.descriptor import Descriptor, descriptor_of, open_descriptor, sign_descriptor
from pki.epochs import epoch_at, epoch_middle, epoch_start, last_served, next_epoch
from pki.fields import EpochKey
from pki.genesis import (
    NETWORK_FILE,
    AuthorityPublic,
    Genesis,
    GenesisAuthority,
    GenesisNode,
    GenesisSignature,
    assemble_genesis,
    read_genesis,
    read_node_public,
    read_public,
    sign_genesis,
    with_signatures,
    write_genesis,
    write_node_public,
    write_public,
)
from pki.routes import choose_mixes, choose_provider, draw_delay, loop_route, route_to
from pki.trust import DocumentKeeper

if TYPE_CHECKING:
    from pki.service import DirectoryClient

__all__ = [
    "NETWORK_FILE",
    "AuthorityPublic",
    "Consensus",
    "ConsensusBody",
    "Descriptor",
    "DirectoryClient",
    "DocumentKeeper",
    "EpochKey",
    "Genesis",
    "GenesisAuthority",
    "GenesisNode",
    "GenesisSignature",
    "NodeEntry",
    "SignatureShare",
    "SignedConsensus",
    "assemble_genesis",
    "choose_mixes",
    "choose_provider",
    "consensus_digest",
    "descriptor_of",
    "draw_delay",
    "epoch_at",
    "epoch_middle",
    "epoch_start",
    "last_served",
    "loop_route",
    "next_epoch",
    "open_descriptor",
    "open_signed",
    "read_genesis",
    "read_node_public",
    "read_public",
    "route_to",
    "sign_descriptor",
    "sign_genesis",
    "verify_consensus",
    "with_signatures",
    "write_genesis",
    "write_node_public",
    "write_public",
]
_LAZY = {"DirectoryClient": "pki.service"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(name)
