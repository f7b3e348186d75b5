"""A network around one real mix, for `hushmill bench node`: signed, and ready in a folder.

    mix/         the node's directory, as it is before it has ever run
    N.link       the link key of the neighbour with number N

The mix stands in the first of three layers of two, with the network's default parameters and a
node's default settings. Its document is signed by authorities of the bench's own and lies in its
directory as if it had been fetched. Nobody else is real: two providers are the generator, the
second layer is the sink, and the rest is only named.
"""

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hushmill import codec
from hushmill.crypto import KemSecret, Label, SigningKey
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from hushmill.packet import packet_format
from hushmill.parameters import KEY_EPOCHS_AHEAD, Parameters, SuiteName
from hushmill.runtime import LinkIdentity, now
from mixnode import KeySchedule, NodeKeys, Workers, create_node_directory, install_network
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

NO_RATE = 10**6
HOST = "127.0.0.1"
MIX = NodeNumber(1)
SINKS = (NodeNumber(3), NodeNumber(4))
SOURCES = (NodeNumber(7), NodeNumber(8))
LAYERS = {2: 1, 3: 2, 4: 2, 5: 3, 6: 3, 7: 0, 8: 0}  # of the nodes that are not real
AUTHORITIES = 4
NOBODY_PORT = 1  # the mix lives on what it holds


@dataclass(frozen=True, slots=True)
class BenchNetwork:
    """`secrets` are all nodes' packet keys of `epoch`, under which packets are wrapped."""

    folder: Path
    parameters: Parameters
    epoch: Epoch
    port: int
    mix_pin: KeyHash
    sink_ports: tuple[int, ...]
    secrets: Mapping[NodeNumber, KemSecret]

    @classmethod
    def build(cls, folder: Path, suite: SuiteName, workers: Workers) -> "BenchNetwork":
        """Makes everything in `folder`, which is made too."""
        return _Builder(folder, Parameters(suite=suite), workers).build()

    def has_key_for(self, seconds: float) -> bool:
        """Whether the mix opens packets under `epoch` for so long from now."""
        return KeySchedule(self.parameters).accepts(self.epoch, now() + seconds)

    def fresh_node(self, folder: Path) -> None:
        """A copy of the mix that has never run: the same keys, and no packet seen."""
        shutil.copytree(self.folder / "mix", folder)


def link_file(folder: Path, number: NodeNumber) -> Path:
    return folder / f"{number}.link"


class _Builder:
    """What building needs and a bench does not."""

    def __init__(self, folder: Path, parameters: Parameters, workers: Workers) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self._folder = folder
        self._parameters = parameters
        self._workers = workers
        self._signers = [SigningKey.generate() for _ in range(AUTHORITIES)]
        self._port, *sink_ports = _free_ports(1 + len(SINKS))
        self._sink_ports = dict(zip(SINKS, sink_ports, strict=True))

    def build(self) -> BenchNetwork:
        genesis, mix_pin = self._genesis()
        mix = self._folder / "mix"
        install_network(mix, write_genesis(genesis))
        served = epoch_at(now(), self._parameters)
        # The key that is open for longest from now on: near a boundary the next one is open too.
        epoch = KeySchedule(self._parameters).accepted(now())[-1]
        epochs = [Epoch(served + ahead) for ahead in range(KEY_EPOCHS_AHEAD + 1)]
        secrets = self._secrets(mix, epochs)
        self._publish(mix, genesis, served, secrets)
        return BenchNetwork(
            self._folder,
            self._parameters,
            epoch,
            self._port,
            mix_pin,
            tuple(self._sink_ports.values()),
            {number: secrets[number, epoch] for number in (MIX, *map(NodeNumber, LAYERS))},
        )

    def _genesis(self) -> tuple[Genesis, KeyHash]:
        mix = create_node_directory(
            self._folder / "mix",
            number=MIX,
            name="mix",
            operator="bench",
            role="mix",
            layer=1,
            host=HOST,
            port=self._port,
            workers=self._workers,
            link_packets_per_second=NO_RATE,  # what it can carry is asked, not what it lets in
        )
        authorities = [
            AuthorityPublic(
                name=f"authority{number}",
                host=HOST,
                port=NOBODY_PORT,
                verify_key=signer.public.raw,
                key_hash=LinkIdentity.generate().key_hash,
            )
            for number, signer in enumerate(self._signers)
        ]
        others = [self._other(NodeNumber(number), layer) for number, layer in LAYERS.items()]
        genesis = assemble_genesis("bench", self._parameters, authorities, [mix, *others])
        signatures = [
            sign_genesis(genesis, number, signer) for number, signer in enumerate(self._signers)
        ]
        return with_signatures(genesis, signatures), KeyHash(mix.key_hash)

    def _other(self, number: NodeNumber, layer: int) -> GenesisNode:
        return GenesisNode(
            number=number,
            name=f"node{number}",
            operator=f"operator{number}",
            role="mix" if layer else "provider",
            layer=layer,
            host=HOST,
            port=self._sink_ports.get(number, NOBODY_PORT),
            client_port=0 if layer else NOBODY_PORT,
            verify_key=SigningKey.generate().public.raw,
            key_hash=LinkIdentity.load_or_create(link_file(self._folder, number)).key_hash,
        )

    def _secrets(self, mix: Path, epochs: list[Epoch]) -> dict[tuple[NodeNumber, Epoch], KemSecret]:
        kem = packet_format(self._parameters).geometry.kem
        keys = NodeKeys(mix / "keys", kem, MIX)
        keys.make(epochs)
        own = {key.epoch: key.secret for key in keys.by_low_byte(epochs).values()}
        keys.close()
        secrets = {(MIX, epoch): own[epoch] for epoch in epochs}
        for number in map(NodeNumber, LAYERS):
            secrets.update({(number, epoch): kem.generate() for epoch in epochs})
        return secrets

    def _publish(
        self,
        mix: Path,
        genesis: Genesis,
        served: Epoch,
        secrets: Mapping[tuple[NodeNumber, Epoch], KemSecret],
    ) -> None:
        """Signs the document of the epoch `served` and puts it where the mix finds it."""
        body = codec.encode(
            ConsensusBody(
                network_id=genesis.network_id,
                epoch=served,
                previous_epoch=Epoch(0),
                previous=bytes(32),
                nodes=tuple(_entry(node, secrets) for node in genesis.nodes),
            )
        )
        shares = tuple(
            SignatureShare(number, signer.sign(Label.CONSENSUS, body))
            for number, signer in enumerate(self._signers)
        )
        keeper = DocumentKeeper(genesis, None)
        keeper.accept(codec.encode(SignedConsensus(body, shares)), now())
        (mix / "directory.state").write_bytes(keeper.state())


def _entry(node: GenesisNode, secrets: Mapping[tuple[NodeNumber, Epoch], KemSecret]) -> NodeEntry:
    keys = tuple(
        EpochKey(epoch, secret.public.raw)
        for (number, epoch), secret in secrets.items()
        if number == node.number
    )
    return NodeEntry(
        number=node.number,
        role=node.role,
        operator=node.operator,
        layer=node.layer,
        host=node.host,
        port=node.port,
        client_port=node.client_port,
        key_hash=KeyHash(node.key_hash),
        keys=keys,
        load=0,
    )


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
