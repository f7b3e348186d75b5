"""Four `hushmill authority run` processes and nodes that publish by DirectoryClient."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hushmill.crypto import SigningKey
from hushmill.errors import ExitCode
from hushmill.identifiers import KeyHash, NodeNumber
from hushmill.parameters import Parameters
from pki import (
    Genesis,
    GenesisNode,
    assemble_genesis,
    epoch_at,
    read_genesis,
    with_signatures,
    write_genesis,
)
from pki.authority_folder import create_authority, install_network, sign_with_folder

EPOCH_SECONDS = 6
PARAMETERS = Parameters(
    suite="x25519", layers=1, epoch_seconds=EPOCH_SECONDS, skew_seconds=1, delay_mean_seconds=0.01
)
COMMAND = [sys.executable, "-m", "hushmill"]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30)


class Running:
    """The authorities' folders and processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = [root / f"authority{number}" for number in range(4)]
        publics = [
            create_authority(folder, folder.name, "127.0.0.1", port)
            for folder, port in zip(self.folders, free_ports(4), strict=True)
        ]
        self.node_keys = {NodeNumber(number): SigningKey.generate() for number in (1, 2, 3)}
        nodes = [
            GenesisNode(
                number=number,
                name=f"node{number}",
                operator=f"operator{number}",
                role="provider" if number == 3 else "mix",
                layer=0 if number == 3 else 1,
                host="127.0.0.1",
                port=40000 + number,
                client_port=41000 if number == 3 else 0,
                verify_key=key.public.raw,
                key_hash=KeyHash(bytes([number] * 32)),
            )
            for number, key in self.node_keys.items()
        ]
        unsigned = assemble_genesis("local", PARAMETERS, publics, nodes)
        signatures = [sign_with_folder(folder, unsigned) for folder in self.folders]
        data = write_genesis(with_signatures(unsigned, signatures))
        self.network = root / "network.toml"
        self.network.write_bytes(data)
        self.genesis: Genesis = read_genesis(data)
        for folder in self.folders:
            install_network(folder, data)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, number: int) -> subprocess.Popen[str]:
        with (self.root / f"log{number}").open("a") as log:
            process = subprocess.Popen(
                [*COMMAND, "authority", "run", str(self.folders[number]), "--log-level", "warning"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", (self.root / f"log{number}").read_text()
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.stop()


NODES = """
import sys
from pathlib import Path
from hushmill.crypto import SigningKey, kem_named
from hushmill.identifiers import Epoch, KeyHash, NodeNumber
from hushmill.runtime import run_service
from pki import DirectoryClient, descriptor_of, epoch_at, read_genesis, sign_descriptor

root = Path(sys.argv[1])
genesis = read_genesis((root / "network.toml").read_bytes())
kem = kem_named("x25519")

def client(reactor, number, key):
    keys = {}
    def make_descriptor(now):
        first = epoch_at(now, genesis.parameters)
        for epoch in range(first, first + 5):
            keys.setdefault(Epoch(epoch), kem.generate().public.raw)
        wanted = {epoch: raw for epoch, raw in keys.items() if epoch >= first}
        return sign_descriptor(descriptor_of(genesis, number, wanted, now, 0), key)
    def on_consensus(consensus, epoch):
        print(number, epoch, consensus.epoch, consensus.digest.hex(), flush=True)
    return DirectoryClient(reactor, genesis, None, on_consensus, make_descriptor,
                           state_path=root / f"node{number}.state")

def start(reactor):
    for word in sys.argv[2:]:
        number, raw = word.split(":")
        key = SigningKey.from_raw(bytes.fromhex(raw))
        client(reactor, NodeNumber(int(number)), key).start()

run_service(start)
"""


class Nodes:
    """Three nodes' DirectoryClients in one process; what they say of consensuses is collected."""

    def __init__(self, running: Running) -> None:
        words = [f"{number}:{key.raw.hex()}" for number, key in running.node_keys.items()]
        self.process = subprocess.Popen(
            [sys.executable, "-c", NODES, str(running.root), *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.processes.append(self.process)
        self.root = running.root
        self.seen: list[tuple[int, int, int, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            number, epoch, document, digest = line.split()
            self.seen.append((int(number), int(epoch), int(document), digest))

    def wait_for_document(self, document: int, seconds: float) -> set[str]:
        """Digests that the three nodes name for the document of that epoch, once all have it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            named = {n: digest for n, _, made, digest in list(self.seen) if made == document}
            if len(named) == 3:
                return set(named.values())
            time.sleep(0.05)
        said = [path.read_text() for path in sorted(self.root.glob("*/status.json"))]
        logs = [path.read_text()[-2000:] for path in sorted(self.root.glob("log*"))]
        raise AssertionError(f"no document {document}: {self.seen[-6:]} {said} {logs}")

    def first_document(self, seconds: float) -> int:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.seen:
                return self.seen[0][2]
            time.sleep(0.05)
        raise AssertionError("no document at all")


def test_documents_appear_and_survive_a_kill(running: Running) -> None:
    for number in range(4):
        running.start(number)
    nodes = Nodes(running)
    first = nodes.first_document(EPOCH_SECONDS * 2)
    assert len(nodes.wait_for_document(first, 3)) == 1

    running.processes[0].kill()  # authority 0, with SIGKILL
    running.processes[0].wait(5)
    after = epoch_at(time.time(), PARAMETERS) + 2
    assert len(nodes.wait_for_document(after, EPOCH_SECONDS * 3)) == 1

    running.start(0)  # back from its database
    path = running.root / "document"
    port = running.genesis.authorities[0].port
    deadline = time.monotonic() + 8
    while True:
        fetched = run(
            *("directory", "fetch", "--network", str(running.network)),
            *("--from", f"127.0.0.1:{port}", "--output", str(path), "--json"),
        )
        if fetched.returncode == 0 and json.loads(fetched.stdout)["epoch"] >= after:
            break
        assert time.monotonic() < deadline, fetched
        time.sleep(0.2)
    check_commands(running, path)


def check_commands(running: Running, path: Path) -> None:
    """Of a fetched document: verify, show, mirror, forged, status."""
    network = ("--network", str(running.network))
    verified = run("directory", "verify", str(path), *network, "--json")
    assert verified.returncode == 0, verified
    assert len(json.loads(verified.stdout)["signed_by"]) >= 3

    shown = run("directory", "show", str(path), "--json")
    assert json.loads(shown.stdout)["verified"] is False

    mirror = running.root / "mirror"
    assert run("directory", "publish", str(mirror), str(path), *network).returncode == 0
    copy = running.root / "copy"
    mirrored = run(
        *("directory", "fetch", *network, "--from", mirror.as_uri(), "--output", str(copy))
    )
    assert mirrored.returncode == 0, mirrored
    assert copy.read_bytes() == path.read_bytes()

    forged = bytearray(path.read_bytes())
    forged[len(forged) // 2] ^= 1
    copy.write_bytes(forged)
    assert run("directory", "verify", str(copy), *network).returncode == ExitCode.SECURITY_STOP

    status = run("authority", "status", str(running.folders[1]), "--json")
    assert json.loads(status.stdout)["descriptors"] == 3
    assert "127.0.0.1" not in status.stdout
