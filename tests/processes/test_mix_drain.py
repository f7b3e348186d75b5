"""How a mix ends: SIGTERM, `drain`, a second signal. Spec: docs/spec/mixing.md (Ending)."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hushmill.errors import UserError
from mixnode.node_lock import RunningNode
from mixnode.status_file import last_status, read_status
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, OTHER, PARAMETERS, MixNetwork, kill_9, monotonic

SLOW = replace(PARAMETERS, delay_mean_seconds=10.0)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    network = MixNetwork(tmp_path, loop, SLOW)
    network.play_second()
    return network


def _connect(network: MixNetwork, loop: Loop) -> Owner:
    entry = Owner()
    network.connect(ENTRY, entry)
    loop.until(lambda: entry.links and network.second.ups, 20.0)
    return entry


def _state(network: MixNetwork) -> str:
    status = last_status(network.folder)
    return status.state if status is not None else ""


def _drain(network: MixNetwork) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "hushmill", "mix", "drain", str(network.folder), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_drain_lets_go_what_is_due_soon_and_counts_the_rest(
    network: MixNetwork, loop: Loop
) -> None:
    """Of 200 packets 80 are due within 3 s and 120 after more than 30: those 80 arrive, nobody
    new is let in meanwhile, and the node has ended as soon as the last one has left."""
    soon = [network.frame(3.0 * (n + 1) / 80) for n in range(80)]
    late = [network.frame(60.0) for _ in range(120)]
    with network.running() as process:
        entry = _connect(network, loop)
        entry.link.send([*late, *soon])
        loop.until(lambda: network.second.frames)
        begun = monotonic()
        with _drain(network) as drain:
            loop.until(lambda: _state(network) == "draining")
            newcomer = Owner()
            network.connect(OTHER, newcomer)
            loop.until(lambda: process.poll() is not None, 20.0)
            assert monotonic() - begun < 20
            assert process.returncode == 0
            out, err = drain.communicate(timeout=10)
    assert drain.returncode == 0, err
    assert "Draining" in err
    record = json.loads(out)
    assert (record["state"], record["counters"]["drop_shutdown"]) == ("ended", 100)
    assert not newcomer.links
    loop.until(lambda: len(network.second.frames) == 80)
    assert set(network.second.frames) == {network.forwarded_form(frame) for frame in soon}
    with pytest.raises(UserError, match="ended as it was told") as told:
        read_status(network.folder)
    assert told.value.exit_code == 4


def test_a_second_signal_ends_it_at_once(network: MixNetwork, loop: Loop) -> None:
    with network.running() as process:
        entry = _connect(network, loop)
        entry.link.send([network.frame(20.0) for _ in range(100)] + [network.frame(0.0)])
        loop.until(lambda: network.second.frames)
        process.send_signal(signal.SIGTERM)
        loop.until(lambda: _state(network) == "draining")
        loop.run_for(0.3)
        assert process.poll() is None
        begun = monotonic()
        process.send_signal(signal.SIGTERM)
        loop.until(lambda: process.poll() is not None)
        assert monotonic() - begun < 8
    assert process.returncode == 0
    status = last_status(network.folder)
    assert status is not None
    assert status.counters["drop_shutdown"] == 100
    assert len(network.second.frames) == 1


def test_with_nothing_to_forward_it_ends_at_once(network: MixNetwork, loop: Loop) -> None:
    with network.running() as process:
        _connect(network, loop)
        begun = monotonic()
        process.send_signal(signal.SIGTERM)
        loop.until(lambda: process.poll() is not None)
        assert monotonic() - begun < 8
    assert process.returncode == 0


def test_there_is_nothing_to_drain_where_nothing_runs(network: MixNetwork) -> None:
    with pytest.raises(UserError) as refused:
        RunningNode(network.folder)
    assert refused.value.exit_code == 4
    with network.running() as process:
        kill_9(process)  # its lock file stays, and names nobody
    with _drain(network) as drain:
        out, _ = drain.communicate(timeout=20)
    assert (drain.returncode, json.loads(out)["exit"]) == (4, 4)
