"""Makes a local network in a folder, and starts it.

network.toml      what people get
plan.json         what was planned, so that another command can open the folder
authorityN/  mixLx/  providerN/      one folder a party, each with keys of its own
traces/           what an observer of all links saw
logs/  fleet.json                    of the processes (`fleet.py`)
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.testnet.fleet import Fleet
from experiments.testnet.plan import (
    HOST,
    LAYERS,
    AuthorityPlan,
    FreePorts,
    NetworkPlan,
    NodePlan,
    Topology,
    plan_network,
)
from hushmill.errors import ExitCode, UserError
from hushmill.link import LinkClass, frame_bytes
from hushmill.packet import packet_format
from hushmill.parameters import MixingName, SuiteName, local_parameters
from mixnode import create_node_directory
from mixnode import install_network as install_at_node
from pki import (
    NETWORK_FILE,
    Genesis,
    assemble_genesis,
    create_authority,
    install_network,
    read_genesis,
    sign_with_folder,
    with_signatures,
    write_genesis,
)

PLAN_FILE = "plan.json"
FOLDER_MODE = 0o700
REPLAY_TAGS = 200_000  # an epoch is a minute, and many nodes share this machine's memory


@dataclass(frozen=True, slots=True)
class LocalNetwork:
    """A network in `folder`; `fleet` are its processes, if any run."""

    folder: Path
    plan: NetworkPlan
    fleet: Fleet

    @classmethod
    def build(
        cls,
        folder: Path,
        topology: Topology,
        suite: SuiteName,
        mixing: MixingName = "poisson",
    ) -> "LocalNetwork":
        """Makes folders, keys and a genesis that all authorities have signed.

        Raises UserError(CONFIGURATION) for a folder that holds something else.
        """
        if folder.exists() and any(folder.iterdir()):
            raise UserError(
                f"{folder} is not empty, and holds no network. Choose another folder.",
                ExitCode.CONFIGURATION,
            )
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        plan = plan_network(topology, FreePorts())
        (folder / "traces").mkdir(mode=FOLDER_MODE)
        publics = [
            create_authority(folder / authority.name, authority.name, HOST, authority.port)
            for authority in plan.authorities
        ]
        nodes = [
            create_node_directory(
                folder / node.name,
                number=node.number,
                name=node.name,
                operator=node.operator,
                role="mix" if node.layer else "provider",
                layer=node.layer,
                host=HOST,
                port=node.port,
                client_port=node.client_port,
                workers=0,  # many nodes share this machine
                replay_tags=REPLAY_TAGS,
            )
            for node in plan.nodes
        ]
        parameters = local_parameters(suite, LAYERS, mixing)
        genesis = assemble_genesis("testnet", parameters, publics, nodes)
        signatures = [
            sign_with_folder(folder / authority.name, genesis) for authority in plan.authorities
        ]
        network = write_genesis(with_signatures(genesis, signatures))
        for authority in plan.authorities:
            install_network(folder / authority.name, network)
        for node in plan.nodes:
            install_at_node(folder / node.name, network)
        (folder / PLAN_FILE).write_text(json.dumps(asdict(plan)), encoding="utf-8")
        (folder / NETWORK_FILE).write_bytes(network)
        return cls(folder, plan, Fleet(folder))

    @classmethod
    def open(cls, folder: Path) -> "LocalNetwork":
        """The network that `build` made. Raises UserError(NOT_FOUND) if there is none."""
        try:
            plan = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(
                f"There is no local network in {folder}. Start one: hushmill testnet up {folder}",
                ExitCode.NOT_FOUND,
            ) from error
        authorities = tuple(AuthorityPlan(**authority) for authority in plan["authorities"])
        nodes = tuple(NodePlan(**node) for node in plan["nodes"])
        return cls(folder, NetworkPlan(authorities, nodes), Fleet(folder))

    @property
    def frame_bytes(self) -> tuple[int, int]:
        """The size of a frame between nodes, and between a client and its provider."""
        packet = packet_format(self._genesis().parameters).geometry.packet_bytes
        return frame_bytes(LinkClass.NODE, packet), frame_bytes(LinkClass.CLIENT, packet)

    @property
    def topology(self) -> Topology:
        return "cascade" if len(self.plan.mixes) == LAYERS else "stratified"

    @property
    def suite(self) -> SuiteName:
        return self._genesis().parameters.suite

    @property
    def mixing(self) -> MixingName:
        return self._genesis().parameters.mixing

    def require_stopped(self) -> None:
        """Raises UserError(LOCKED) while any of its processes runs."""
        if any(self.fleet.is_alive(name) for name in self.fleet.names()):
            raise UserError(
                f"The network in {self.folder} runs already. End it first: "
                f"hushmill testnet down {self.folder}",
                ExitCode.LOCKED,
            )

    def start(self, progress: Callable[[int, int], None], *, trace: bool) -> None:
        """Starts every authority and node and waits until all are ready: the first document is
        out and every link can be made. With `trace`, every node records what an observer of its
        links sees. Raises UserError if one is not ready in time; the caller ends the others."""
        for authority in self.plan.authorities:
            self.fleet.start(authority.name, ["authority", "run", authority.name])
        for node in self.plan.nodes:
            role = "mix" if node.layer else "provider"
            options = ["--trace", f"traces/{node.name}.jsonl"] if trace else []
            self.fleet.start(node.name, [role, "run", node.name, *options])
        names = self.fleet.names()
        self.fleet.wait_ready(names, progress=lambda done: progress(done, len(names)))

    def _genesis(self) -> Genesis:
        return read_genesis((self.folder / NETWORK_FILE).read_bytes())
