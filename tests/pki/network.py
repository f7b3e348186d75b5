"""Networks for the directory's tests: real keys, no sockets."""

import hashlib
from dataclasses import dataclass

from hushmill.crypto import Kem, SigningKey, kem_named
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from hushmill.parameters import Parameters
from pki import (
    AuthorityPublic,
    Genesis,
    GenesisNode,
    assemble_genesis,
    descriptor_of,
    sign_descriptor,
    sign_genesis,
    with_signatures,
)

START = 1_700_000_000 - 1_700_000_000 % 3600  # an epoch's first second
FIRST = Epoch(START // 3600)


class SeededRandomness:
    """A stream of bytes from one seed."""

    def __init__(self, seed: int) -> None:
        self._state = hashlib.shake_256(seed.to_bytes(8, "big"))
        self._counter = 0

    def take(self, count: int) -> bytes:
        self._counter += 1
        fork = self._state.copy()
        fork.update(self._counter.to_bytes(8, "big"))
        return fork.digest(count)


def key_hash(name: str) -> KeyHash:
    return KeyHash(hashlib.sha256(name.encode()).digest())


def signing_key(name: str) -> SigningKey:
    """The same key for the same name, so that a test's network is quick to make again."""
    return SigningKey.from_raw(hashlib.shake_256(name.encode()).digest(64))


@dataclass(frozen=True)
class Network:
    """A signed genesis and everybody's secrets."""

    genesis: Genesis
    authority_keys: list[SigningKey]
    node_keys: dict[NodeNumber, SigningKey]
    kem: Kem

    def descriptor(
        self,
        number: int,
        first: int = FIRST,
        count: int = 5,
        made_at: float = START,
        load: int = 0,
    ) -> bytes:
        """A signed descriptor whose keys a name fixes (`x25519`: any 32 bytes are a key)."""
        node = NodeNumber(number)
        keys = {
            Epoch(epoch): self.kem.load_secret(
                hashlib.sha256(f"kem {number} {epoch}".encode()).digest()
            ).public.raw
            for epoch in range(first, first + count)
        }
        made = descriptor_of(self.genesis, node, keys, made_at, load)
        return sign_descriptor(made, self.node_keys[node])


def parties(layers: int, width: int) -> tuple[list[AuthorityPublic], list[GenesisNode]]:
    """Four authorities, `width` mixes a layer, two providers; one operator a place."""
    authorities = [
        AuthorityPublic(
            name=f"authority{number}",
            host="127.0.0.1",
            port=9000 + number,
            verify_key=signing_key(f"authority{number}").public.raw,
            key_hash=key_hash(f"authority{number}"),
        )
        for number in range(4)
    ]
    nodes = []
    for index in range(layers * width + 2):
        is_mix = index < layers * width
        name = f"mix{index}" if is_mix else f"provider{index}"
        nodes.append(
            GenesisNode(
                number=NodeNumber(index + 1),
                name=name,
                operator=f"operator{index}",
                role="mix" if is_mix else "provider",
                layer=index // width + 1 if is_mix else 0,
                host="127.0.0.1",
                port=9100 + index,
                client_port=0 if is_mix else 9200 + index,
                verify_key=signing_key(name).public.raw,
                key_hash=key_hash(name),
            )
        )
    return authorities, nodes


def small_network(layers: int = 2, width: int = 2, network: str = "test") -> Network:
    """x25519, so that thousands of keys cost nothing."""
    authorities, nodes = parties(layers, width)
    parameters = Parameters(suite="x25519", layers=layers)
    genesis = assemble_genesis(network, parameters, authorities, nodes)
    keys = [signing_key(authority.name) for authority in authorities]
    signatures = [sign_genesis(genesis, number, key) for number, key in enumerate(keys)]
    return Network(
        with_signatures(genesis, signatures),
        keys,
        {node.number: signing_key(node.name) for node in nodes},
        kem_named("x25519"),
    )
