"""One real provider process; the test itself plays its first mix, its last mix and its clients.

The document is signed by the test's own authorities and lies in the provider's directory, as if it
had been fetched before.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hushmill import codec
from hushmill.crypto import Ed25519SigningKey, KemSecret, Label, SigningKey
from hushmill.identifiers import (
    NO_NODE,
    AccountKey,
    DepositId,
    Epoch,
    InboxId,
    KeyHash,
    NodeNumber,
)
from hushmill.link import (
    LINK_VERSION,
    NO_HANDLE,
    ClientFrames,
    Control,
    Hello,
    InboxOperation,
    LinkClass,
    Mail,
    MailHandle,
    NodeFrames,
    Relay,
    RelayAndFetch,
    Welcome,
    WelcomeStatus,
    exporter_challenge,
)
from hushmill.packet import Hop, Route, deposit_payload, packet_format
from hushmill.parameters import KEY_EPOCHS_AHEAD, Parameters
from hushmill.runtime import (
    Connector,
    FrameLink,
    LinkIdentity,
    Listener,
    SystemRandomness,
    listen,
    now,
)
from mixnode import NodeKeys, install_network
from pki import (
    AuthorityPublic,
    ConsensusBody,
    DocumentKeeper,
    EpochKey,
    Genesis,
    GenesisNode,
    NodeEntry,
    SignatureShare,
    SignedConsensus,
    assemble_genesis,
    epoch_at,
    sign_genesis,
    with_signatures,
    write_genesis,
)
from provider import create_provider_directory
from tests.processes.link_loop import Loop, Owner
from tests.processes.mix_network import _free_port

PARAMETERS = Parameters(
    suite="x25519", payload_bytes=512, delay_mean_seconds=0.1, mix_loop_rate=0.0
)
FIRST, SECOND, LAST, PROVIDER, OTHER = (NodeNumber(number) for number in (1, 2, 3, 8, 9))
CODE = bytes(range(1, 33))


class ProviderNetwork:
    """`first` records what the provider relays."""

    def __init__(self, folder: Path, loop: Loop) -> None:
        self.folder = folder / "provider"
        self.loop = loop
        self.format = packet_format(PARAMETERS)
        self.rng = SystemRandomness()
        self.epoch = epoch_at(now(), PARAMETERS)
        self.identities = {
            number: LinkIdentity.generate() for number in (FIRST, SECOND, LAST, OTHER)
        }
        self.port, self.client_port, self._first_port = (_free_port() for _ in range(3))
        self.first = Owner()
        self._last: Connector | None = None
        geometry = self.format.geometry
        self.node_frames = NodeFrames(geometry.packet_bytes)
        self.client_frames = ClientFrames(geometry.packet_bytes, geometry.body_bytes)
        self._secrets: dict[tuple[NodeNumber, Epoch], KemSecret] = {}
        self.genesis = self._genesis()
        install_network(self.folder, write_genesis(self.genesis))
        self.document = self._publish()

    # -- the process

    @contextmanager
    def running(
        self, *before: str, options: tuple[str, ...] = (), log: Path | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """The provider, ready, started by the command `before`; ended by SIGTERM if need be."""
        command = [sys.executable, "-m", "hushmill", "provider", "run", str(self.folder)]
        with (log or Path("/dev/null")).open("a") as errors:
            process = subprocess.Popen(
                [*before, *command, *options],
                stdout=subprocess.PIPE,
                stderr=errors if log else None,
                text=True,
            )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(10)
            process.stdout.close()

    # -- what the test plays

    def play_first(self) -> None:
        """Listens as the first layer's mix."""
        listener: Listener = listen(
            self.loop.reactor,
            "127.0.0.1",
            self._first_port,
            self.identities[FIRST],
            LinkClass.NODE,
            self.node_frames.frame_bytes,
            self.first.handlers,
            is_welcome=lambda peer: peer == self.pin,
        )
        self.loop.at_end(listener.stop)

    def last_mix(self) -> Owner:
        """The last layer's link to the provider, up; the one before is stopped, since a newer link
        of one peer replaces the older."""
        if self._last is not None:
            self._last.stop()
        owner = Owner()
        self._last = connector = Connector(
            self.loop.reactor,
            "127.0.0.1",
            self.port,
            self.identities[LAST],
            self.pin,
            LinkClass.NODE,
            self.node_frames.frame_bytes,
            owner.handlers,
        )
        connector.start()
        self.loop.at_end(connector.stop)
        self.loop.until(lambda: owner.links, 20.0)
        return owner

    def deposit_frame(self, inbox: InboxId, deposit: DepositId, text: bytes) -> bytes:
        """A frame of the last mix whose packet ends at the provider with this deposit."""
        geometry = self.format.geometry
        body = text.ljust(geometry.body_bytes, b".")
        payload = deposit_payload(inbox, deposit, body, geometry)
        hop = Hop(PROVIDER, self._secrets[PROVIDER, self.epoch].public, 0.0)
        packet = self.format.wrap(Route((hop,), self.epoch), payload, self.rng)
        return self.node_frames.encode(Relay(packet.raw))

    # -- the directory

    def _publish(self) -> bytes:
        """The signed document, put where the provider finds it."""
        epochs = [Epoch(self.epoch + ahead) for ahead in range(KEY_EPOCHS_AHEAD + 1)]
        kem = self.format.geometry.kem
        keys = NodeKeys(self.folder / "keys", kem, PROVIDER)
        keys.make(epochs)
        for key in keys.by_low_byte(epochs).values():
            self._secrets[PROVIDER, key.epoch] = key.secret
        keys.close()
        for number in (FIRST, SECOND, LAST, OTHER):
            for epoch in epochs:
                self._secrets[number, epoch] = kem.generate()
        body = codec.encode(
            ConsensusBody(
                network_id=self.genesis.network_id,
                epoch=self.epoch,
                previous_epoch=Epoch(0),
                previous=bytes(32),
                nodes=tuple(self._entry(node, epochs) for node in self.genesis.nodes),
            )
        )
        shares = tuple(
            SignatureShare(number, key.sign(Label.CONSENSUS, body))
            for number, key in enumerate(self._authority_keys)
        )
        document = codec.encode(SignedConsensus(body, shares))
        keeper = DocumentKeeper(self.genesis, None)
        assert keeper.accept(document, now())
        (self.folder / "directory.state").write_bytes(keeper.state())
        return document

    def _genesis(self) -> Genesis:
        provider = create_provider_directory(
            self.folder,
            number=PROVIDER,
            name="post",
            operator="post",
            host="127.0.0.1",
            port=self.port,
            client_port=self.client_port,
            code=CODE,
            workers=0,
        )
        self.pin = KeyHash(provider.key_hash)
        others = [
            self._played(FIRST, 1, self._first_port),
            self._played(SECOND, 2, 1),
            self._played(LAST, 3, 1),
            self._played(OTHER, 0, 1),
        ]
        self._authority_keys = [SigningKey.generate() for _ in range(4)]
        authorities = [
            AuthorityPublic(
                name=f"authority{number}",
                host="127.0.0.1",
                port=1,  # nobody is there: the provider lives on what it holds
                verify_key=key.public.raw,
                key_hash=LinkIdentity.generate().key_hash,
            )
            for number, key in enumerate(self._authority_keys)
        ]
        genesis = assemble_genesis("test", PARAMETERS, authorities, [provider, *others])
        return with_signatures(
            genesis,
            [sign_genesis(genesis, number, key) for number, key in enumerate(self._authority_keys)],
        )

    def _played(self, number: NodeNumber, layer: int, port: int) -> GenesisNode:
        return GenesisNode(
            number=number,
            name=f"node{number}",
            operator=f"operator{number}",
            role="mix" if layer else "provider",
            layer=layer,
            host="127.0.0.1",
            port=port,
            client_port=0 if layer else 1,
            verify_key=SigningKey.generate().public.raw,
            key_hash=self.identities[number].key_hash,
        )

    def _entry(self, node: GenesisNode, epochs: list[Epoch]) -> NodeEntry:
        return NodeEntry(
            number=node.number,
            role=node.role,
            operator=node.operator,
            layer=node.layer,
            host=node.host,
            port=node.port,
            client_port=node.client_port,
            key_hash=KeyHash(node.key_hash),
            keys=tuple(
                EpochKey(epoch, self._secrets[node.number, epoch].public.raw) for epoch in epochs
            ),
            load=0,
        )


class Person:
    """A client's account; each `connect` is a new link and session."""

    def __init__(self, network: ProviderNetwork) -> None:
        self.network = network
        self.key = Ed25519SigningKey.generate()
        self.account = AccountKey(self.key.public.raw)
        self.owner = Owner()
        self.mails: list[Mail] = []
        self.status: WelcomeStatus | None = None
        self._sequence = 0
        self._connector: Connector | None = None

    def open_link(self) -> FrameLink:
        """A link to the clients' port, up, on which nothing has been said."""
        self.leave()
        network = self.network
        self.owner = Owner()
        self._connector = Connector(
            network.loop.reactor,
            "127.0.0.1",
            network.client_port,
            None,
            network.pin,
            LinkClass.CLIENT,
            network.client_frames.frame_bytes,
            self.owner.handlers,
        )
        self._connector.start()
        network.loop.until(lambda: self.owner.links, 20.0)
        return self.owner.link

    def leave(self) -> None:
        if self._connector is not None:
            self._connector.stop()
            self._connector = None
            self.network.loop.run_for(0.05)

    def hello(self, exporter: bytes) -> bytes:
        signature = self.key.sign(Label.LINK_ACCOUNT, exporter_challenge(exporter))
        hello = Hello(LINK_VERSION, self.account, signature, bytes(8), CODE)
        return self.network.client_frames.encode_upstream(hello, self.network.rng)

    def connect(self) -> None:
        """A new session, welcomed."""
        link = self.open_link()
        link.send([self.hello(link.exporter())])
        self.network.loop.until(lambda: self.owner.frames, 10.0)
        welcome = self.network.client_frames.decode_downstream(self.owner.frames[0])
        assert isinstance(welcome, Welcome)
        assert welcome.status is WelcomeStatus.ACCEPTED

    def frame(
        self,
        *handles: MailHandle,
        operation: InboxOperation = InboxOperation.NONE,
        inbox: InboxId | None = None,
        first_mix: NodeNumber = NO_NODE,
        packet: bytes | None = None,
        piece: int = 0,
    ) -> bytes:
        rng = self.network.rng
        self._sequence += 1
        control = Control(
            sequence=self._sequence,
            first_mix=first_mix,
            piece_epoch=Epoch(0),
            piece_index=piece,
            one_time_inbox=InboxId(rng.take(32)),
            operation=operation,
            inbox=inbox or InboxId(rng.take(32)),
            lifetime_hours=0,
            handles=handles + (NO_HANDLE,) * (8 - len(handles)),
        )
        packet = packet or rng.take(self.network.format.geometry.packet_bytes)
        frames = self.network.client_frames
        return frames.encode_upstream(RelayAndFetch(control, packet), rng)

    @property
    def sequence(self) -> int:
        """Of the last frame made."""
        return self._sequence

    def ask(self, *frames: bytes) -> list[Mail]:
        """Sends the frames; as many mails, which answer them."""
        before = len(self.owner.frames)
        self.owner.link.send(list(frames))
        self.network.loop.until(lambda: len(self.owner.frames) == before + len(frames), 20.0)
        return self.received()[before - 1 :]

    def received(self) -> list[Mail]:
        """Every mail of this session so far."""
        decode = self.network.client_frames.decode_downstream
        return [mail for mail in map(decode, self.owner.frames) if isinstance(mail, Mail)]
