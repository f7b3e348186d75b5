"""The demo on real processes: everything once and in order, nothing shown, nothing left behind."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from experiments.demo.conversation import ALICE, BOB, FILE_NAME, FULL_NAMES, LINES
from experiments.demo.outcome import Outcome
from experiments.demo.run import Demo, DemoOptions
from experiments.lab.observer import Window, doubts_of
from experiments.lab.sources.cores import CoresParameters, run_cores
from experiments.lab.studies.recorded import measures_of
from experiments.lab.studies.rows import recorded
from experiments.lab.trace import Trace
from experiments.testnet.build import LocalNetwork
from hushmill.parameters import local_parameters
from tests.processes.capture import LoopbackCapture, Segment, disguises, is_allowed

TLS_HANDSHAKE = b"\x16\x03"
SHORTEST_CANARY = 12  # shorter lines could stand anywhere by chance
WINDOWS = 12  # of virtual time: the spread of fewer is too uncertain for 4.5 of it


@dataclass(frozen=True, slots=True)
class Run:
    network: LocalNetwork
    outcome: Outcome
    segments: list[Segment]
    file: bytes


def quiet(_title: str, _done: int, _of: int) -> None:
    """The demo's progress, unheard."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run of the demo, its network still up, and everything that crossed the loopback."""
    network = LocalNetwork.build(tmp_path_factory.mktemp("demo"), "stratified", "xwing")
    ports = {authority.port for authority in network.plan.authorities}
    for node in network.plan.nodes:
        ports |= {node.port, node.client_port}
    capture = LoopbackCapture(ports) if is_allowed() else None
    try:
        outcome = Demo(network, DemoOptions(kills=False, cover=True), quiet).run()
        file = (network.folder / FILE_NAME).read_bytes()
        segments = capture.stop() if capture else []
        capture = None
        yield Run(network, outcome, segments, file)
    finally:
        if capture:
            capture.stop()
        network.fleet.end()


def canaries(file: bytes) -> list[bytes]:
    words = [line.encode() for _, line in LINES if len(line) >= SHORTEST_CANARY]
    parts = [file[:24], file[len(file) // 2 :][:24], file[-24:]]
    names = [name.encode() for name in FULL_NAMES.values()]
    return [*words, *parts, *names, FILE_NAME.encode()]


def test_every_message_and_the_file_arrive_once_and_in_order(run: Run) -> None:
    assert run.outcome.in_order
    assert run.outcome.file_intact
    assert [sent.record() for sent in run.outcome.messages if not sent.is_delivered] == []
    assert run.outcome.ok


def test_the_network_is_ready_soon_and_small(run: Run) -> None:
    """The demo prints the figures; the limits here leave room for slow machines."""
    assert run.outcome.ready_seconds < 90
    assert 0 < run.outcome.memory_mib < 1024


def test_the_observer_has_doubts_from_this_very_run(run: Run) -> None:
    observer = run.outcome.observer
    assert observer.replicates > 50
    assert 0.3 < observer.sender_entropy_bits <= observer.max_bits == 1.0


def test_the_observers_best_guess_is_right_as_often_as_they_think(run: Run) -> None:
    """And mixes that help them take doubt away. The truth is in the recording, not in the figure;
    by chance a share of so few packets is off by so much in one run of 10^5."""
    packet, helped = run.outcome.observer.packet, run.outcome.observer.corrupt
    assert packet.packets > 30
    assert packet.best_guess_right is not None
    assert abs(packet.best_guess_right - packet.best_guess_probability) < 0.35
    assert 0 < helped.packet.entropy_bits < packet.entropy_bits
    assert helped.sender_entropy_bits < run.outcome.observer.sender_entropy_bits


def test_the_recording_agrees_with_the_cores_in_virtual_time(run: Run) -> None:
    """Both are the same programs with the same parameters: one on sockets, disks and the machine's
    clock, with people who write, and one in virtual time. Stated tolerance: what windows of one
    length differ by, 4.5 standard deviations, and beside it 50 ms of latency, a tenth of the load
    and of the bits for a busy machine."""
    recording, settling = recorded(run.network.folder)
    begun = [recording.time[recording.label == person].min() for person in range(2)]
    window = Window(max(begun) + settling, recording.time[-1] - settling)
    length = window.last - window.first
    assert length > 4
    local = local_parameters()
    parameters = CoresParameters(
        clients=2,
        layers=local.layers,
        mean_delay_seconds=local.delay_mean_seconds,
        payload_rate=local.payload_rate,
        loop_rate=local.loop_rate,
        drop_rate=local.drop_rate,
        mix_loop_rate=local.mix_loop_rate,
        seconds=WINDOWS * length,
    )
    cores = run_cores(parameters, np.random.SeedSequence(7))
    ours = figures(recording, window)
    known = [
        figures(cores.trace, Window(begin, begin + length))
        for begin in cores.first + length * np.arange(WINDOWS)
    ]
    for name, value in ours.items():
        values = np.array([one[name] for one in known])
        spread = float(values.std(ddof=1)) * np.sqrt(1 + 1 / len(values))
        allowed = 0.05 if name.endswith("_seconds") else 0.1 * float(values.mean())
        assert abs(value - values.mean()) < 4.5 * spread + allowed, (name, value, values)


def figures(trace: Trace, window: Window) -> dict[str, float]:
    """What recordings of two runs are compared by."""
    doubts = doubts_of(trace, window, deliveries=window)
    measures = measures_of(trace, window, doubts)
    names = ("entropy_bits", "packets_held_mean", "rate_per_second", "latency_mean_seconds")
    return {name: measures[name].value for name in names}


def test_no_server_keeps_or_logs_a_canary(run: Run) -> None:
    """Text, file, file name and people's names: in no file of a server, nor in any log."""
    plan = run.network.plan
    folders = [run.network.folder / authority.name for authority in plan.authorities]
    folders += [run.network.folder / node.name for node in plan.nodes]
    folders += [run.network.folder / "logs", run.network.folder / "traces"]
    searched = 0
    for path in [path for folder in folders for path in folder.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        searched += len(data)
        for canary in canaries(run.file):
            assert not [form for form in disguises(canary) if form in data], path
    assert searched > 100_000


def test_the_profiles_at_rest_show_no_canary(run: Run) -> None:
    for name in (ALICE, BOB):
        for path in (run.network.folder / "people" / name).rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                for canary in canaries(run.file):
                    assert not [form for form in disguises(canary) if form in data], path


def test_no_link_shows_a_canary_and_all_speak_tls(run: Run) -> None:
    if not is_allowed():
        pytest.skip("capturing the loopback interface needs root")
    assert sum(len(segment.payload) for segment in run.segments) > 1_000_000
    begun: set[tuple[int, int]] = set()
    for segment in run.segments:
        ends = (segment.source, segment.target)
        if ends not in begun and ends[::-1] not in begun:
            assert segment.payload.startswith(TLS_HANDSHAKE)
        begun.add(ends)
        for canary in canaries(run.file):
            assert not [form for form in disguises(canary) if form in segment.payload]


def test_two_people_are_two_processes_with_their_own_keys(run: Run) -> None:
    alice, bob = (run.network.folder / "people" / name for name in (ALICE, BOB))
    assert alice.stat().st_mode & 0o077 == 0
    files = {path.name: path.read_bytes() for path in alice.rglob("*") if path.is_file()}
    others = {path.name: path.read_bytes() for path in bob.rglob("*") if path.is_file()}
    assert files["vault.db"] != others["vault.db"]
    fleet = run.network.fleet
    assert fleet.is_alive(f"daemon-{ALICE}")
    assert fleet.is_alive(f"daemon-{BOB}")


def test_daemons_listen_on_no_port_and_their_sockets_are_private(run: Run) -> None:
    """The sockets that daemons and pacers hold are none of the machine's listening ones."""
    listening = listening_inodes()
    assert len(listening) >= len(run.network.plan.nodes)
    people = [run.network.folder / "people" / name for name in (ALICE, BOB)]
    for folder in people:
        held = {inode for pid in processes_naming(str(folder)) for inode in sockets_of(pid)}
        assert held != set()
        assert held & listening == set()
        (socket,) = [path for path in folder.rglob("*") if path.is_socket()]
        assert socket.stat().st_mode & 0o777 == 0o600


def listening_inodes() -> set[str]:
    """Inodes of every listening TCP socket of the machine."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add(fields[9])
    return found


def sockets_of(pid: int) -> set[str]:
    """Inodes of the sockets that a process has open."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def test_the_end_leaves_no_process_and_no_socket(run: Run) -> None:
    """Last in this file: it ends the network."""
    folder = str(run.network.folder)
    assert processes_naming(folder) != []
    run.network.fleet.end()
    assert processes_naming(folder) == []
    assert [path for path in run.network.folder.rglob("*") if path.is_socket()] == []


def processes_naming(folder: str) -> list[int]:
    """Processes with `folder` as working folder or in their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode()
            works_in = os.readlink(process / "cwd")
        except OSError:
            continue
        if works_in.startswith(folder) or folder in arguments:
            found.append(int(process.name))
    return found
