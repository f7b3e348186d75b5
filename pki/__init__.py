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
    from pki.authority import AuthorityCore
    from pki.authority_events import (
        AuthorityEffect,
        AuthorityEvent,
        DescriptorOffered,
        DocumentArrived,
        DocumentAsked,
        Dropped,
        KeepDescriptor,
        KeepDocument,
        PeerUp,
        Reply,
        ShareArrived,
        SigningRecord,
        ToAll,
        ToAuthority,
        VoteArrived,
    )
    from pki.authority_folder import (
        create_authority,
        install_network,
        sign_with_folder,
    )
    from pki.directory_client import (
        ConsensusLost,
        ConsensusServes,
        DirectoryClientCore,
        DirectoryClientEffect,
        DirectoryClientEvent,
        DocumentAccepted,
        DocumentRefused,
        Fetch,
        FetchAnswered,
        KeepState,
        Publish,
        PublishAnswered,
        PublishOutcome,
    )
    from pki.service import DirectoryClient

__all__ = [
    "NETWORK_FILE",
    "AuthorityCore",
    "AuthorityEffect",
    "AuthorityEvent",
    "AuthorityPublic",
    "Consensus",
    "ConsensusBody",
    "ConsensusLost",
    "ConsensusServes",
    "Descriptor",
    "DescriptorOffered",
    "DirectoryClient",
    "DirectoryClientCore",
    "DirectoryClientEffect",
    "DirectoryClientEvent",
    "DocumentAccepted",
    "DocumentArrived",
    "DocumentAsked",
    "DocumentKeeper",
    "DocumentRefused",
    "Dropped",
    "EpochKey",
    "Fetch",
    "FetchAnswered",
    "Genesis",
    "GenesisAuthority",
    "GenesisNode",
    "GenesisSignature",
    "KeepDescriptor",
    "KeepDocument",
    "KeepState",
    "NodeEntry",
    "PeerUp",
    "Publish",
    "PublishAnswered",
    "PublishOutcome",
    "Reply",
    "ShareArrived",
    "SignatureShare",
    "SignedConsensus",
    "SigningRecord",
    "ToAll",
    "ToAuthority",
    "VoteArrived",
    "assemble_genesis",
    "choose_mixes",
    "choose_provider",
    "consensus_digest",
    "create_authority",
    "descriptor_of",
    "draw_delay",
    "epoch_at",
    "epoch_middle",
    "epoch_start",
    "install_network",
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
    "sign_with_folder",
    "verify_consensus",
    "with_signatures",
    "write_genesis",
    "write_node_public",
    "write_public",
]
_LAZY = {
    "AuthorityCore": "pki.authority",
    "AuthorityEffect": "pki.authority_events",
    "AuthorityEvent": "pki.authority_events",
    "DescriptorOffered": "pki.authority_events",
    "DocumentArrived": "pki.authority_events",
    "DocumentAsked": "pki.authority_events",
    "Dropped": "pki.authority_events",
    "KeepDescriptor": "pki.authority_events",
    "KeepDocument": "pki.authority_events",
    "PeerUp": "pki.authority_events",
    "Reply": "pki.authority_events",
    "ShareArrived": "pki.authority_events",
    "SigningRecord": "pki.authority_events",
    "ToAll": "pki.authority_events",
    "ToAuthority": "pki.authority_events",
    "VoteArrived": "pki.authority_events",
    "create_authority": "pki.authority_folder",
    "install_network": "pki.authority_folder",
    "sign_with_folder": "pki.authority_folder",
    "ConsensusLost": "pki.directory_client",
    "ConsensusServes": "pki.directory_client",
    "DirectoryClientCore": "pki.directory_client",
    "DirectoryClientEffect": "pki.directory_client",
    "DirectoryClientEvent": "pki.directory_client",
    "DocumentAccepted": "pki.directory_client",
    "DocumentRefused": "pki.directory_client",
    "Fetch": "pki.directory_client",
    "FetchAnswered": "pki.directory_client",
    "KeepState": "pki.directory_client",
    "Publish": "pki.directory_client",
    "PublishAnswered": "pki.directory_client",
    "PublishOutcome": "pki.directory_client",
    "DirectoryClient": "pki.service",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(name)
