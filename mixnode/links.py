"""A node's links: those it accepts from the ring before it, and one to each node of the ring after.

Spec: docs/spec/mixing.md (Neighbours), docs/spec/link.md. Pins come from the consensus and from
nowhere else; before one is known nobody is welcome.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hushmill.drops import Drop
from hushmill.identifiers import KeyHash, NodeNumber
from hushmill.link import LinkClass, NodeFrames, Relay
from hushmill.packet import Packet
from hushmill.runtime import (
    Connector,
    FrameLink,
    LinkHandlers,
    LinkIdentity,
    Listener,
    Reactor,
    listen,
)
from mixnode.neighbours import neighbours_of
from pki import Consensus


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a peer is and who it must be."""

    host: str
    port: int
    pin: KeyHash


class NodeLinks:
    """`on_packets` gets the sender's number with each read's packets, `on_drop` counts."""

    def __init__(
        self,
        reactor: Reactor,
        node: NodeNumber,
        identity: LinkIdentity,
        packet_bytes: int,
        on_packets: Callable[[NodeNumber, list[Packet]], None],
        on_drop: Callable[[Drop, int], None],
    ) -> None:
        self._reactor = reactor
        self._node = node
        self._identity = identity
        self._frames = NodeFrames(packet_bytes)
        self._on_packets = on_packets
        self._on_drop = on_drop
        self._welcome: dict[KeyHash, NodeNumber] = {}
        self._connectors: dict[NodeNumber, tuple[_Address, Connector]] = {}
        self._listener: Listener | None = None

    @property
    def links_up(self) -> int:
        """How many links to the next ring stand."""
        return sum(connector.link is not None for _, connector in self._connectors.values())

    @property
    def links_wanted(self) -> int:
        return len(self._connectors)

    def listen(self, host: str, port: int) -> None:
        """Opens the port. Raises UserError as `hushmill.runtime.listen`."""
        handlers = LinkHandlers(
            on_frames=self._received, on_up=_nothing, on_down=_nothing, on_drop=self._on_drop
        )
        self._listener = listen(
            self._reactor,
            host,
            port,
            self._identity,
            LinkClass.NODE,
            self._frames.frame_bytes,
            handlers,
            is_welcome=lambda peer: peer in self._welcome,
        )

    def follow(self, consensus: Consensus) -> None:
        """Welcomes and connects to whom the document names; links that stay are not touched."""
        neighbours = neighbours_of(consensus, self._node)
        self._welcome = {
            KeyHash(entry.key_hash): entry.number
            for entry in consensus.nodes
            if entry.number in neighbours.before
        }
        if self._listener is not None:
            self._listener.close_unwelcome(lambda peer: peer in self._welcome)
        wanted = {
            entry.number: _Address(entry.host, entry.port, KeyHash(entry.key_hash))
            for entry in consensus.nodes
            if entry.number in neighbours.after
        }
        for number, (address, connector) in list(self._connectors.items()):
            if wanted.get(number) != address:
                connector.stop()
                del self._connectors[number]
        for number, address in wanted.items():
            if number not in self._connectors:
                self._connectors[number] = (address, self._connect(address))

    def send(self, to: NodeNumber, packets: Sequence[Packet]) -> None:
        """A frame each, in one write."""
        found = self._connectors.get(to)
        if found is None:
            self._on_drop(Drop.LINK_DOWN, len(packets))
        else:
            found[1].send([self._frames.encode(Relay(packet.raw)) for packet in packets])

    @property
    def has_unsent(self) -> bool:
        """Packets wait for the kernel to take them, on a link that stands."""
        links = [connector.link for _, connector in self._connectors.values()]
        return any(link is not None and link.has_unsent for link in links)

    def stop_accepting(self) -> None:
        """Closes the port, and ends the links of the ring before this one."""
        if self._listener is not None:
            self._listener.stop()

    def stop(self) -> None:
        """Ends every link; what was sent still arrives, if the peer takes it in time."""
        self.stop_accepting()
        for _, connector in self._connectors.values():
            connector.stop()

    def _connect(self, address: _Address) -> Connector:
        handlers = LinkHandlers(
            on_frames=self._unexpected, on_up=_nothing, on_down=_nothing, on_drop=self._on_drop
        )
        connector = Connector(
            self._reactor,
            address.host,
            address.port,
            self._identity,
            address.pin,
            LinkClass.NODE,
            self._frames.frame_bytes,
            handlers,
        )
        connector.start()
        return connector

    def _received(self, link: FrameLink, frames: list[bytes]) -> None:
        source = self._welcome.get(link.peer_hash) if link.peer_hash is not None else None
        if source is None:  # the consensus changed while the link is being closed
            self._on_drop(Drop.NO_ROUTE, len(frames))
            return
        packets: list[Packet] = []
        try:
            packets.extend(Packet(self._frames.decode(frame).packet) for frame in frames)
        finally:  # what came before a frame that ends the link is not at fault
            self._on_packets(source, packets)

    def _unexpected(self, link: FrameLink, frames: list[bytes]) -> None:
        """Packets go one way: a node that answers on such a link is at fault."""
        self._on_drop(Drop.FRAME, len(frames))
        link.abort()


def _nothing(_link: FrameLink) -> None:
    """A link's coming and going changes nothing here: `Connector` knows."""
