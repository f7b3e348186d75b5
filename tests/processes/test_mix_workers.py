"""A mix whose packets are opened by worker processes. Spec: docs/spec/mixing.md (Workers)."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, OTHER, MixNetwork, kill_9

WORKERS = 2


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    network = MixNetwork(tmp_path, loop, workers=WORKERS)
    network.play_second()
    return network


def _connect(network: MixNetwork, loop: Loop) -> Owner:
    entry = Owner()
    network.connect(ENTRY, entry)
    loop.until(lambda: entry.links and network.second.ups, 20.0)
    return entry


def _workers_of(process: "subprocess.Popen[str]") -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def _has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_carries_every_packet_once_and_ends_with_its_workers(
    network: MixNetwork, loop: Loop
) -> None:
    frames = [network.frame(0.001 * (n % 40)) for n in range(600)]
    other = Owner()
    with network.running() as process:
        workers = _workers_of(process)
        assert len(workers) == WORKERS
        entry = _connect(network, loop)
        network.connect(OTHER, other)
        loop.until(lambda: other.links, 20.0)
        damaged = bytearray(frames[0])
        damaged[50] ^= 1
        entry.link.send([*frames[:300], bytes(damaged)])
        other.link.send([*frames[300:], *frames[:300]])  # the second half are replays
        expected = {network.forwarded_form(frame) for frame in frames}
        loop.until(lambda: len(network.second.frames) >= len(frames), 20.0)
        loop.run_for(0.3)
        assert sorted(network.second.frames) == sorted(expected)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    loop.until(lambda: all(_has_ended(worker) for worker in workers), 10.0)


def test_a_worker_that_dies_takes_the_node_with_it(network: MixNetwork) -> None:
    """A node that opens nothing, or half, must be red and not quiet."""
    with network.running() as process:
        os.kill(_workers_of(process)[0], signal.SIGKILL)
        assert process.wait(20) == 1


def test_no_worker_outlives_a_killed_node(network: MixNetwork, loop: Loop) -> None:
    with network.running() as process:
        workers = _workers_of(process)
        kill_9(process)
    loop.until(lambda: all(_has_ended(worker) for worker in workers), 10.0)


def test_a_terminals_interrupt_is_the_nodes_to_act_on(network: MixNetwork) -> None:
    """The workers get the same signal, and wait for the node to end them."""
    with network.running() as process:
        for worker in _workers_of(process):
            os.kill(worker, signal.SIGINT)
            os.kill(worker, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
