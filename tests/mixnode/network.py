"""A small network for the tests of this folder: two providers, three layers of two mixes."""

from collections.abc import Collection, Iterable, Mapping

from experiments.simnet.fast_kem import FastKem
from experiments.simnet.seeded import SeededRandomness
from hushmill.crypto import KemSecret
from hushmill.identifiers import Epoch, KeyHash, NetworkId, NodeNumber, ReplayTag
from hushmill.packet import Hop, NodeKey, Packet, PacketFormat, Route, Unwrapped
from hushmill.parameters import Parameters
from mixnode import (
    Arrived,
    ConsensusChanged,
    LogTags,
    MixCore,
    MixEffect,
    MixLimits,
    TagsSynced,
)
from pki import Consensus, EpochKey, NodeEntry

PARAMETERS = Parameters(suite="x25519", payload_bytes=256, mix_loop_rate=0.0)
EPOCH = Epoch(1000)
START = EPOCH * 3600.0 + 600.0
PROVIDERS = (NodeNumber(1), NodeNumber(2))
LAYERS = tuple(
    (NodeNumber(10 * layer), NodeNumber(10 * layer + 1)) for layer in (1, 2, 3)
)  # 10, 11 | 20, 21 | 30, 31


class Network:
    """Every node's keys of five epochs, and the document that publishes them."""

    def __init__(self, seed: str = "network") -> None:
        self.rng = SeededRandomness(1, seed)
        self.format = PacketFormat(FastKem(self.rng), PARAMETERS.hops, PARAMETERS.payload_bytes)
        self.secrets: dict[tuple[NodeNumber, Epoch], KemSecret] = {
            (number, Epoch(epoch)): self.format.geometry.kem.generate()
            for number in (*PROVIDERS, *(mix for layer in LAYERS for mix in layer))
            for epoch in range(EPOCH - 1, EPOCH + 4)
        }
        self.consensus = self._consensus()

    def core(
        self,
        node: NodeNumber,
        parameters: Parameters = PARAMETERS,
        limits: MixLimits | None = None,
        known_tags: Mapping[Epoch, Iterable[ReplayTag]] | None = None,
        silent_epochs: Collection[Epoch] = (),
    ) -> MixCore:
        """A core of `node` that knows the network at START."""
        core = MixCore(
            node,
            "provider" if node in PROVIDERS else "mix",
            parameters,
            self.format,
            SeededRandomness(2, str(node)),
            limits or MixLimits(),
            known_tags,
            silent_epochs,
        )
        core.receive(ConsensusChanged(self.consensus, EPOCH), START)
        return core

    def packet(
        self, path: tuple[NodeNumber, ...], delays: tuple[float, ...], epoch: Epoch = EPOCH
    ) -> Packet:
        """A packet along `path`, which the last node delivers."""
        hops = tuple(
            Hop(node, self.secrets[node, epoch].public, delay)
            for node, delay in zip(path, (*delays, 0.0), strict=True)
        )
        payload = self.rng.take(PARAMETERS.payload_bytes)
        return self.format.wrap(Route(hops, epoch), payload, self.rng)

    def unwrap(self, node: NodeNumber, packet: Packet) -> Unwrapped:
        """What `node` reads in it, with all its keys open."""
        keys = {
            epoch & 0xFF: NodeKey(node, epoch, secret)
            for (owner, epoch), secret in self.secrets.items()
            if owner == node
        }
        return self.format.unwrap(packet, keys)

    def arrived(
        self, node: NodeNumber, delay: float, source: NodeNumber, epoch: Epoch = EPOCH
    ) -> Arrived:
        """A fresh packet that has come to `node` (of the first layer) to be held for `delay`."""
        path = (node, LAYERS[1][0], LAYERS[2][0], PROVIDERS[0])
        packet = self.packet(path, (delay, 0.1, 0.1), epoch)
        return Arrived(source, self.unwrap(node, packet))

    def _consensus(self) -> Consensus:
        nodes = [self._entry(number, 0) for number in PROVIDERS]
        for place, layer in enumerate(LAYERS, start=1):
            nodes += [self._entry(number, place) for number in layer]
        return Consensus(
            network_id=NetworkId(bytes(32)),
            epoch=EPOCH,
            previous_epoch=Epoch(0),
            previous=bytes(32),
            digest=bytes(32),
            nodes=tuple(nodes),
            providers=tuple(entry for entry in nodes if entry.role == "provider"),
            layers=tuple(
                tuple(entry for entry in nodes if entry.layer == layer) for layer in (1, 2, 3)
            ),
            _by_number={entry.number: entry for entry in nodes},
        )

    def _entry(self, number: NodeNumber, layer: int) -> NodeEntry:
        return NodeEntry(
            number=number,
            role="provider" if layer == 0 else "mix",
            operator=f"operator-{layer}",
            layer=layer,
            host="127.0.0.1",
            port=1000 + number,
            client_port=2000 if layer == 0 else 0,
            key_hash=KeyHash(bytes([number] * 32)),
            keys=tuple(
                EpochKey(epoch, secret.public.raw)
                for (owner, epoch), secret in self.secrets.items()
                if owner == number and epoch >= EPOCH
            ),
            load=0,
        )


def run(core: MixCore, until: float) -> list[tuple[float, MixEffect]]:
    """Every effect with its time, with each batch of tags synced the moment it is logged."""
    effects: list[tuple[float, MixEffect]] = []
    while (now := core.next_deadline()) is not None and now <= until:
        for effect in core.advance(now):
            effects.append((now, effect))
            if isinstance(effect, LogTags):
                core.receive(TagsSynced(effect.batch), now)
    return effects
