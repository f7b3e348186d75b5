"""A whole network in virtual time: authorities, mixes, providers and clients, from one seed.

Every machine runs the core that ships; only clock, links and disks are simulated here. What differs
between two runs of one seed is packet bytes (encapsulation takes no seed), which nothing in the
history depends on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from experiments.lab.trace import Genre
from experiments.simnet.authority_machine import AuthorityMachine
from experiments.simnet.client_machine import ClientMachine
from experiments.simnet.clockwork import Clockwork, CoreRunner, Crash
from experiments.simnet.fast_kem import FastKem
from experiments.simnet.network import Faults, Network
from experiments.simnet.node_machine import NodeMachine
from experiments.simnet.seeded import SeededRandomness
from experiments.trace import Row
from hushmill.core import Core
from hushmill.crypto import SigningKey
from hushmill.identifiers import KeyHash, NodeNumber
from hushmill.packet import PacketFormat, packet_format
from hushmill.parameters import Parameters, local_parameters
from hushmill.randomness import Randomness, exponential, unit
from pki import (
    AuthorityPublic,
    Genesis,
    GenesisNode,
    assemble_genesis,
    sign_genesis,
    with_signatures,
)

Event = TypeVar("Event")
Effect = TypeVar("Effect")

START = 1_800_000_000.0  # an epoch boundary for every epoch length that divides a day
RESTART_MEAN_SECONDS = 3.0
AUTHORITIES = 4


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """What to simulate. While `World.faulty` is set, a machine dies with `crash_chance` at each
    effect, and with `commit_crash_chance` at each commit of its database, which then did not
    happen. `real_cryptography` uses the suite of `parameters` instead of the fast test-only one."""

    seed: int
    clients: int = 2
    parameters: Parameters = field(default_factory=lambda: local_parameters("x25519"))
    mixes_a_layer: int = 2
    providers: int = 2
    faults: Faults = field(default_factory=Faults)
    crash_chance: float = 0.0
    commit_crash_chance: float = 0.0
    cover: bool = True
    real_cryptography: bool = False


class World:
    """Everything, and the one clock. Clients are not connected to each other: tests have them
    invite one another as people do."""

    def __init__(self, plan: WorldPlan) -> None:
        self.plan = plan
        self.clock = Clockwork(START)
        self.faulty = False
        self.rows: list[Row] = []
        self.genres: dict[str, Genre] = {}  # by the wire on which a client's packet enters
        self._rng = SeededRandomness(plan.seed, "world")
        self.network = Network(self.clock, SeededRandomness(plan.seed, "network"), Faults())
        self.packet_format = _format(plan)
        authority_keys = [SigningKey.generate() for _ in range(AUTHORITIES)]
        nodes, node_keys = _nodes(plan)
        self.genesis = _genesis(plan, authority_keys, nodes)
        self.authorities = [
            AuthorityMachine(self, number, key) for number, key in enumerate(authority_keys)
        ]
        self.nodes = {
            NodeNumber(entry.number): NodeMachine(self, entry, key)
            for entry, key in zip(self.genesis.nodes, node_keys, strict=True)
        }
        providers = [node for node in self.nodes.values() if node.is_provider]
        self.clients = [
            ClientMachine(self, number, providers[(number - 1) % len(providers)])
            for number in range(1, plan.clients + 1)
        ]
        machines: list[AuthorityMachine | NodeMachine | ClientMachine] = [
            *self.authorities,
            *self.nodes.values(),
            *self.clients,
        ]
        for machine in machines:
            machine.start()

    # -- what machines use

    def run(
        self,
        core: Core[Event, Effect],
        perform: Callable[[Effect], None],
        on_crash: Callable[[], None],
    ) -> CoreRunner[Event, Effect]:
        return CoreRunner(self.clock, core, perform, on_crash)

    def restart_later(self, start: Callable[[], None]) -> None:
        """A supervisor restarts what has died, after a random while."""
        self.clock.after(exponential(self._rng, RESTART_MEAN_SECONDS), start)

    def maybe_crash(self, rng: Randomness, at_commit: bool) -> None:
        """Raises Crash now and then, while things break."""
        plan = self.plan
        chance = plan.commit_crash_chance if at_commit else plan.crash_chance
        if self.faulty and unit(rng) < chance:
            raise Crash

    def observe(self, row: Row) -> None:
        self.rows.append(row)

    # -- what experiments and tests use

    def run_for(self, seconds: float) -> None:
        self.clock.run_until(self.clock.now + seconds)

    def run_until(self, claim: Callable[[], bool], seconds: float, step: float = 1.0) -> bool:
        """Runs until `claim` holds, looking every `step`; False if it does not within `seconds`."""
        end = self.clock.now + seconds
        while not claim():
            if self.clock.now >= end:
                return False
            self.run_for(step)
        return True

    def break_things(self) -> None:
        """The plan's faults begin."""
        self.faulty = True
        self.network.faults = self.plan.faults

    def heal(self) -> None:
        """The faults end: from here on everything must converge."""
        self.faulty = False
        self.network.faults = Faults()


def _format(plan: WorldPlan) -> PacketFormat:
    if plan.real_cryptography:
        return packet_format(plan.parameters)
    return PacketFormat(
        FastKem(SeededRandomness(plan.seed, "packets")),
        plan.parameters.hops,
        plan.parameters.payload_bytes,
    )


def _nodes(plan: WorldPlan) -> tuple[list[GenesisNode], list[SigningKey]]:
    """Mixes layer by layer, then providers, numbered from 1."""
    entries: list[GenesisNode] = []
    keys: list[SigningKey] = []
    places = list(range(1, plan.parameters.layers + 1)) * plan.mixes_a_layer
    for layer in [*sorted(places), *[0] * plan.providers]:
        number = len(entries) + 1
        key = SigningKey.generate()
        keys.append(key)
        entries.append(
            GenesisNode(
                number=NodeNumber(number),
                name=f"node{number}",
                operator=f"operator{layer}" if layer else f"post{number}",
                role="mix" if layer else "provider",
                layer=layer,
                host="127.0.0.1",
                port=10_000 + number,
                client_port=0 if layer else 20_000 + number,
                verify_key=key.public.raw,
                key_hash=KeyHash(hashlib.sha256(b"node%d" % number).digest()),
            )
        )
    return entries, keys


def _genesis(plan: WorldPlan, keys: list[SigningKey], nodes: list[GenesisNode]) -> Genesis:
    publics = [
        AuthorityPublic(
            name=f"authority{number}",
            host="127.0.0.1",
            port=9_000 + number,
            verify_key=key.public.raw,
            key_hash=KeyHash(hashlib.sha256(b"authority%d" % number).digest()),
        )
        for number, key in enumerate(keys)
    ]
    genesis = assemble_genesis("simulation", plan.parameters, publics, nodes)
    signatures = [sign_genesis(genesis, number, key) for number, key in enumerate(keys)]
    return with_signatures(genesis, signatures)
