"""One real mix process between a provider and a second layer that the test itself plays.

The network is a cascade of three layers and two providers; its document is signed by the test's own
authorities and lies in the mix's directory, as if it had been fetched before.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hushmill import codec
from hushmill.crypto import ED25519_SEED_BYTES, KemSecret, Label, SigningKey
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from hushmill.link import LinkClass, NodeFrames, Relay
from hushmill.packet import Forward, Hop, NodeKey, Packet, Route, packet_format
from hushmill.parameters import KEY_EPOCHS_AHEAD, Parameters
from hushmill.runtime import Connector, LinkIdentity, Listener, SystemRandomness, listen, now
from mixnode import PUBLIC_FILE, NodeKeys, create_node_directory, install_network
from mixnode.limits import PACKETS_PER_SECOND
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
    read_node_public,
    sign_genesis,
    with_signatures,
    write_genesis,
)
from tests.processes.link_loop import Loop, Owner

PARAMETERS = Parameters(
    suite="x25519", payload_bytes=512, delay_mean_seconds=0.1, mix_loop_rate=0.0
)
MIX, SECOND, THIRD, ENTRY, OTHER = (NodeNumber(number) for number in (1, 2, 3, 8, 9))


class MixNetwork:
    """`identities` are the link keys of the nodes that the test plays."""

    def __init__(
        self,
        folder: Path,
        loop: Loop,
        parameters: Parameters = PARAMETERS,
        workers: int = 0,
        name: str = "mix",
    ) -> None:
        self.folder = folder / name
        self.loop = loop
        self.format = packet_format(parameters)
        self.rng = SystemRandomness()
        self.epoch = epoch_at(now(), parameters)
        self.link_seeds = {
            number: self.rng.take(ED25519_SEED_BYTES) for number in (SECOND, THIRD, ENTRY, OTHER)
        }
        self.identities = {number: LinkIdentity(seed) for number, seed in self.link_seeds.items()}
        self.port = _free_port()
        self.second = Owner()
        self._connectors: dict[NodeNumber, Connector] = {}
        self._second_port = _free_port()
        self._frames = NodeFrames(self.format.geometry.packet_bytes)
        self.secrets: dict[tuple[NodeNumber, Epoch], KemSecret] = {}
        self.genesis = self._genesis(parameters, workers)
        install_network(self.folder, write_genesis(self.genesis))
        self.publish()

    def allow(self, packets_per_second: int) -> None:
        """What each neighbour may send, in place of the default."""
        settings = self.folder / "node.toml"
        text = settings.read_text()
        line = f"link_packets_per_second = {PACKETS_PER_SECOND}\n"
        assert line in text
        settings.write_text(text.replace(line, f"link_packets_per_second = {packets_per_second}\n"))

    # -- the process

    @contextmanager
    def running(self, tree: Path | None = None) -> Iterator[subprocess.Popen[str]]:
        """The mix, ready; ended by SIGTERM if the test has not ended it. `tree` is a copy of the
        project that it is to run from."""
        command = [sys.executable, "-m", "hushmill", "mix", "run", str(self.folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tree)
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

    def play_second(self) -> None:
        """Listens as the second layer's mix; its frames are recorded in `second`."""
        listener: Listener = listen(
            self.loop.reactor,
            "127.0.0.1",
            self._second_port,
            self.identities[SECOND],
            LinkClass.NODE,
            self._frames.frame_bytes,
            self.second.handlers,
            is_welcome=lambda peer: peer == self.mix_pin,
        )
        self.loop.at_end(listener.stop)

    def connect(self, number: NodeNumber, owner: Owner) -> Connector:
        """A connector to the mix that shows the identity of `number`; the last one is stopped,
        since a newer link of one peer replaces the older."""
        if number in self._connectors:
            self._connectors[number].stop()
        connector = Connector(
            self.loop.reactor,
            "127.0.0.1",
            self.port,
            self.identities[number],
            self.mix_pin,
            LinkClass.NODE,
            self._frames.frame_bytes,
            owner.handlers,
        )
        connector.start()
        self._connectors[number] = connector
        self.loop.at_end(connector.stop)
        return connector

    def frame(self, delay: float) -> bytes:
        """A fresh packet that the mix is to hold for `delay` seconds."""
        hops = tuple(
            Hop(node, self.secrets[node, self.epoch].public, seconds)
            for node, seconds in ((MIX, delay), (SECOND, 0.0), (THIRD, 0.0), (ENTRY, 0.0))
        )
        payload = self.rng.take(self.format.geometry.payload_bytes)
        packet = self.format.wrap(Route(hops, self.epoch), payload, self.rng)
        return self._frames.encode(Relay(packet.raw))

    def forwarded_form(self, frame: bytes) -> bytes:
        """The frame that the mix makes of `frame`."""
        key = NodeKey(MIX, self.epoch, self.secrets[MIX, self.epoch])
        packet = Packet(self._frames.decode(frame).packet)
        instruction = self.format.unwrap(packet, {self.epoch & 0xFF: key}).instruction
        assert isinstance(instruction, Forward)
        return self._frames.encode(Relay(instruction.packet.raw))

    # -- the directory

    def publish(self) -> None:
        """Signs a document with the keys that are on the mix's disk (made if missing), and puts it
        where the mix finds it."""
        epochs = [Epoch(self.epoch + ahead) for ahead in range(KEY_EPOCHS_AHEAD + 1)]
        kem = self.format.geometry.kem
        keys = NodeKeys(self.folder / "keys", kem, MIX)
        keys.make(epochs)
        for low, key in keys.by_low_byte(epochs).items():
            assert low == key.epoch & 0xFF
            self.secrets[MIX, key.epoch] = key.secret
        keys.close()
        for number in (SECOND, THIRD, ENTRY, OTHER):
            for epoch in epochs:
                self.secrets.setdefault((number, epoch), kem.generate())
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
        keeper = DocumentKeeper(self.genesis, None)
        assert keeper.accept(codec.encode(SignedConsensus(body, shares)), now())
        (self.folder / "directory.state").write_bytes(keeper.state())

    def _genesis(self, parameters: Parameters, workers: int) -> Genesis:
        public = self.folder / PUBLIC_FILE
        if public.exists():  # an operator has made it
            mix = read_node_public(public.read_bytes())
        else:
            mix = create_node_directory(
                self.folder,
                number=MIX,
                name="mix",
                operator="layer1",
                role="mix",
                layer=1,
                host="127.0.0.1",
                port=self.port,
                workers=workers,
            )
        self.mix_pin = KeyHash(mix.key_hash)
        others = [
            self._played(SECOND, 2, self._second_port),
            self._played(THIRD, 3, 1),
            self._played(ENTRY, 0, 1),
            self._played(OTHER, 0, 1),
        ]
        self._authority_keys = [SigningKey.generate() for _ in range(4)]
        authorities = [
            AuthorityPublic(
                name=f"authority{number}",
                host="127.0.0.1",
                port=1,  # nobody is there: the mix lives on what it holds
                verify_key=key.public.raw,
                key_hash=LinkIdentity.generate().key_hash,
            )
            for number, key in enumerate(self._authority_keys)
        ]
        genesis = assemble_genesis("test", parameters, authorities, [mix, *others])
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
                EpochKey(epoch, self.secrets[node.number, epoch].public.raw) for epoch in epochs
            ),
            load=0,
        )


def kill_9(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)


def monotonic() -> float:
    return time.monotonic()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
