"""What a local network consists of: names, numbers, layers and ports. Nothing is created here."""

import socket
from dataclasses import dataclass
from typing import Literal

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NodeNumber

# Below the range from which the kernel takes ports for outgoing connections, so that a port found
# free here is not taken by a connection before its owner listens.
FIRST_PORT, LAST_PORT = 20_000, 32_000
HOST = "127.0.0.1"
AUTHORITIES = 4
LAYERS = 3
MIXES_A_LAYER = {"stratified": 2, "cascade": 1}
PROVIDERS = 2
Topology = Literal["stratified", "cascade"]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """`layer` counts from 1 for mixes and is 0 for providers; `client_port` is 0 for mixes."""

    name: str
    number: NodeNumber
    operator: str
    layer: int
    port: int
    client_port: int


@dataclass(frozen=True, slots=True)
class AuthorityPlan:
    name: str
    number: int
    port: int


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    authorities: tuple[AuthorityPlan, ...]
    nodes: tuple[NodePlan, ...]

    @property
    def mixes(self) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.nodes if node.layer)

    @property
    def providers(self) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.nodes if not node.layer)


class FreePorts:
    """Hands out ports of `HOST` that nobody listens on, each once."""

    def __init__(self) -> None:
        self._next = FIRST_PORT

    def take(self) -> int:
        while self._next < LAST_PORT:
            port, self._next = self._next, self._next + 1
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError:
                    continue
                return port
        raise UserError(
            f"No free port between {FIRST_PORT} and {LAST_PORT}. End what uses them.",
            ExitCode.CONFIGURATION,
        )


def plan_network(topology: Topology, ports: FreePorts) -> NetworkPlan:
    """Four authorities, three layers of mixes (two a layer; one in a cascade), two providers.

    Each layer's mixes are one operator's, since no operator may stand in two layers; each provider
    is an operator of its own.
    """
    authorities = tuple(
        AuthorityPlan(f"authority{number}", number, ports.take())
        for number in range(1, AUTHORITIES + 1)
    )
    nodes: list[NodePlan] = []
    for layer in range(1, LAYERS + 1):
        for place in range(1, MIXES_A_LAYER[topology] + 1):
            number = NodeNumber(len(nodes) + 1)
            name = f"mix{layer}{'abcdefgh'[place - 1]}"
            nodes.append(NodePlan(name, number, f"operator{layer}", layer, ports.take(), 0))
    for place in range(1, PROVIDERS + 1):
        number = NodeNumber(len(nodes) + 1)
        nodes.append(
            NodePlan(f"provider{place}", number, f"post{place}", 0, ports.take(), ports.take())
        )
    return NetworkPlan(authorities, tuple(nodes))
