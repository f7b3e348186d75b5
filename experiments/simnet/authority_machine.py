"""A directory authority of the simulated network: the shipped core and its disk."""

from typing import TYPE_CHECKING

from experiments.simnet.clockwork import CoreRunner
from hushmill.crypto import SigningKey
from hushmill.identifiers import Epoch, NodeNumber
from hushmill.link import (
    DirectoryMessage,
    DocumentFound,
    FetchDocument,
    PublishDescriptor,
    Share,
    Vote,
)
from pki import (
    AuthorityCore,
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
    ToAll,
    ToAuthority,
    VoteArrived,
)

if TYPE_CHECKING:
    from experiments.simnet.node_machine import NodeMachine
    from experiments.simnet.world import World

MESSAGE_BYTES = 4096  # what the trace shows of a directory message: its frames are of one size


class DiskRecord:
    """The sign-once record: it outlives every crash."""

    def __init__(self) -> None:
        self.signed: dict[Epoch, bytes] = {}

    def record(self, epoch: Epoch, digest: bytes) -> bool:
        if any(later > epoch for later in self.signed):
            return False
        return self.signed.setdefault(epoch, digest) == digest

    def newest_before(self, epoch: Epoch) -> tuple[Epoch, bytes] | None:
        earlier = [known for known in self.signed if known < epoch]
        return (max(earlier), self.signed[max(earlier)]) if earlier else None


class AuthorityMachine:
    """One authority. `start` and `crash` may alternate."""

    def __init__(self, world: "World", number: int, signing_key: SigningKey) -> None:
        self._world = world
        self.number = number
        self.name = f"authority{number}"
        self._signing_key = signing_key
        self.record = DiskRecord()
        self._descriptors: dict[NodeNumber, bytes] = {}
        self._documents: dict[Epoch, bytes] = {}
        self._runner: CoreRunner[AuthorityEvent, AuthorityEffect] | None = None

    def start(self) -> None:
        core = AuthorityCore(
            self._world.genesis,
            self.number,
            self._signing_key,
            self._world.packet_format.geometry.kem,
            self.record,
            self._descriptors.values(),
            self._documents.values(),
        )
        self._runner = self._world.run(core, self._perform, self.crash)
        for peer in self._world.authorities:
            if peer is not self:
                self._tell(peer, PeerUp(self.number))
                self.receive(PeerUp(peer.number))

    def crash(self) -> None:
        if self._runner is not None:
            self._runner.stop()
            self._runner = None
            self._world.restart_later(self.start)

    def receive(self, event: AuthorityEvent) -> None:
        if self._runner is not None:
            self._runner.receive(event)

    def asked_by(self, node: "NodeMachine", message: DirectoryMessage) -> None:
        """What a node sends over its directory link; sessions are node numbers here."""
        match message:
            case PublishDescriptor(data):
                self.receive(DescriptorOffered(node.number, data))
            case FetchDocument(epoch):
                self.receive(DocumentAsked(node.number, epoch))
            case _:
                raise AssertionError("nodes publish and fetch")

    def _perform(self, effect: AuthorityEffect) -> None:
        match effect:
            case Reply(session, message):
                node = self._world.nodes[NodeNumber(session)]
                self._world.network.carry_surely(
                    self.name,
                    node.name,
                    MESSAGE_BYTES,
                    lambda: node.directory_answers(self.number, message),
                )
            case ToAll(message):
                for peer in self._world.authorities:
                    if peer is not self:
                        self._tell(peer, self._event_of(message))
            case ToAuthority(authority, message):
                self._tell(self._world.authorities[authority], self._event_of(message))
            case KeepDescriptor(number, data):
                self._descriptors[number] = data
            case KeepDocument(epoch, data):
                self._documents[epoch] = data
            case Dropped():
                pass

    def _tell(self, peer: "AuthorityMachine", event: AuthorityEvent) -> None:
        self._world.network.carry_surely(
            self.name, peer.name, MESSAGE_BYTES, lambda: peer.receive(event)
        )

    def _event_of(self, message: DirectoryMessage) -> AuthorityEvent:
        """What another authority is told when `message` comes over the link from this one."""
        match message:
            case Vote(data):
                return VoteArrived(data)
            case Share(data):
                return ShareArrived(self.number, data)
            case DocumentFound(data):
                return DocumentArrived(data)
            case _:
                raise AssertionError("authorities tell each other votes, shares and documents")
