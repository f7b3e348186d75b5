"""A mix as a process, over real sockets and a real disk. Spec: docs/spec/mixing.md."""

import math
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hushmill.drops import Drop
from hushmill.errors import UserError
from mixnode import read_status
from mixnode.service import check_clock
from pki import draw_delay
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import (
    ENTRY,
    PARAMETERS,
    SECOND,
    THIRD,
    MixNetwork,
    kill_9,
    monotonic,
)

LONGEST = PARAMETERS.delay_cap_seconds


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    network = MixNetwork(tmp_path, loop)
    network.play_second()
    return network


def _connect(network: MixNetwork, loop: Loop, known_links: int = 0) -> Owner:
    """An entry's link to the mix, up, and the mix's own link to the second layer."""
    entry = Owner()
    network.connect(ENTRY, entry)
    loop.until(lambda: entry.links and network.second.ups > known_links, 20.0)
    return entry


def test_delays_are_the_senders_draws(network: MixNetwork, loop: Loop) -> None:
    """300 packets: none early, and Kolmogorov–Smirnov (false alarm 10⁻³) against the drawn law,
    with room for the 20 ms that a busy machine adds."""
    arrivals: dict[bytes, float] = {}

    def note(_link: object, frames: list[bytes]) -> None:
        for frame in frames:
            arrivals[frame] = monotonic()

    network.second.on_frames = note
    with network.running():
        entry = _connect(network, loop)
        sent: dict[bytes, tuple[float, float]] = {}
        for _ in range(300):
            delay = draw_delay(PARAMETERS, network.rng)
            frame = network.frame(delay)
            sent[network.forwarded_form(frame)] = (monotonic(), delay)
            entry.link.send([frame])
            loop.run_for(0.005)
        loop.until(lambda: len(arrivals) == len(sent), LONGEST + 10)
    assert arrivals.keys() == sent.keys()
    held = sorted(arrivals[frame] - at for frame, (at, _) in sent.items())
    late = sorted(arrivals[frame] - at - delay for frame, (at, delay) in sent.items())
    assert late[0] >= -1e-5
    overhead = late[len(late) // 2]
    assert overhead < 0.05
    mean = PARAMETERS.delay_mean_seconds
    distance = max(
        abs((n + 0.5) / len(held) - (1 - math.exp(-max(0.0, seconds - overhead) / mean)))
        for n, seconds in enumerate(held)
    )
    assert distance < 1.95 / math.sqrt(len(held)) + 0.02 / mean


def test_kill_9_and_the_same_frames_again_forwards_none_twice(
    network: MixNetwork, loop: Loop
) -> None:
    """Killed while it takes packets in and lets others go, five times, and fed the same packets
    each time: in the end some were lost, and none had left twice."""
    frames = [network.frame(0.002 * (n % 50)) for n in range(400)]
    for _ in range(5):
        ups = network.second.ups
        with network.running() as process:
            entry = _connect(network, loop, ups)
            entry.link.send(frames)
            loop.run_for(0.06)
            kill_9(process)
            loop.run_for(0.05)
    ups = network.second.ups
    with network.running():
        entry = _connect(network, loop, ups)
        fresh = [network.frame(0.0) for _ in range(20)]
        entry.link.send([*frames, *fresh])
        expected = {network.forwarded_form(frame) for frame in fresh}
        loop.until(lambda: expected <= set(network.second.frames), 10.0)
        loop.run_for(LONGEST)
    received = network.second.frames
    assert len(received) == len(set(received))
    assert set(received) <= {network.forwarded_form(frame) for frame in (*frames, *fresh)}
    assert len(received) > len(fresh)


def test_all_of_a_recording_is_refused_after_a_kill(network: MixNetwork, loop: Loop) -> None:
    frames = [network.frame(0.0) for _ in range(300)]
    with network.running() as process:
        entry = _connect(network, loop)
        entry.link.send(frames)
        loop.until(lambda: len(network.second.frames) == 300)
        kill_9(process)
    ups = network.second.ups
    with network.running():
        entry = _connect(network, loop, ups)
        entry.link.send(frames)
        fresh = network.frame(0.0)
        entry.link.send([fresh])
        loop.until(lambda: network.forwarded_form(fresh) in network.second.frames)
        loop.run_for(4.0)  # the next status
        assert read_status(network.folder).counters["drop_replay"] == 300
    assert len(network.second.frames) == 301


def test_a_clean_restart_keeps_its_keys(network: MixNetwork, loop: Loop) -> None:
    """Packets made before the restart and sent after it are carried, all of them."""
    frames = [network.frame(0.05) for _ in range(100)]
    with network.running() as process:
        pass
    assert process.returncode == 0
    with network.running():
        entry = _connect(network, loop)
        entry.link.send(frames)
        loop.until(lambda: len(network.second.frames) == 100)
    assert set(network.second.frames) == {network.forwarded_form(frame) for frame in frames}


@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_without_its_log_a_node_is_silent_until_a_fresh_key_is_published(
    network: MixNetwork, loop: Loop, damage: str
) -> None:
    old = [network.frame(0.0) for _ in range(50)]
    with network.running():
        entry = _connect(network, loop)
        for frame in old:
            entry.link.send([frame])
            loop.run_for(0.005)
        loop.until(lambda: len(network.second.frames) == 50)
    log = network.folder / "keys" / f"{network.epoch:010d}.tags"
    if damage == "missing":
        log.unlink()
    else:
        data = bytearray(log.read_bytes())
        data[100] ^= 1
        log.write_bytes(data)
    unsent = [network.frame(0.0) for _ in range(50)]
    ups = network.second.ups
    with network.running():
        entry = _connect(network, loop, ups)
        entry.link.send([*old, *unsent])
        loop.run_for(1.0)
        assert len(network.second.frames) == 50
    network.publish()
    fresh = network.frame(0.0)
    ups = network.second.ups
    with network.running():
        entry = _connect(network, loop, ups)
        entry.link.send([*old, *unsent, fresh])
        loop.until(lambda: len(network.second.frames) == 51)
        loop.run_for(0.5)
    assert network.second.frames[50:] == [network.forwarded_form(fresh)]


def test_accepts_links_from_the_ring_before_it_only(network: MixNetwork, loop: Loop) -> None:
    with network.running():
        welcome = _connect(network, loop)
        unwelcome = [Owner(), Owner()]
        for number, owner in zip((SECOND, THIRD), unwelcome, strict=True):
            network.connect(number, owner)
        loop.run_for(2.0)
        for owner in unwelcome:
            assert not owner.links
            for link in owner.links:
                link.send([network.frame(0.0)])
        assert welcome.links
    assert network.second.frames == []


def test_a_directory_runs_once(network: MixNetwork) -> None:
    with network.running():
        command = [sys.executable, "-m", "hushmill", "mix", "run", str(network.folder)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert second.returncode == 8
        assert "running already" in second.stderr


def test_garbage_is_counted_and_the_link_stays(network: MixNetwork, loop: Loop) -> None:
    with network.running():
        entry = _connect(network, loop)
        frame = network.frame(0.0)
        broken = frame[:60] + bytes([frame[60] ^ 1]) + frame[61:]
        entry.link.send([broken] * 120)
        entry.link.send([frame])
        loop.until(lambda: len(network.second.frames) == 1)
        loop.run_for(4.0)
        assert read_status(network.folder).counters[f"drop_{Drop.PACKET.value}"] == 100
        assert entry.links


def test_a_disk_that_refuses_ends_the_process_and_nothing_leaves_unlogged(
    network: MixNetwork, loop: Loop
) -> None:
    """The kernel refuses to let files grow in the middle of a batch. What that batch held has not
    left; after the restart each packet leaves exactly once."""
    frames = [network.frame(0.0) for _ in range(600)]
    with network.running() as process:
        entry = _connect(network, loop)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (5000, 5000))
        for start in range(0, 600, 20):
            entry.link.send(frames[start : start + 20])
            loop.run_for(0.005)
            if not entry.links or process.poll() is not None:
                break
        loop.until(lambda: process.poll() is not None)
        assert process.returncode == 6
    logged_at_most = 5000 // 16
    assert 0 < len(network.second.frames) < logged_at_most
    ups = network.second.ups
    with network.running():
        entry = _connect(network, loop, ups)
        entry.link.send(frames)
        loop.until(lambda: len(network.second.frames) == 600)
        loop.run_for(0.5)
    assert len(set(network.second.frames)) == len(network.second.frames) == 600


def test_a_clock_that_is_set_by_more_than_the_allowance_ends_the_process() -> None:
    check_clock(2.0 * PARAMETERS.skew_seconds, PARAMETERS)
    for error in (2.0 * PARAMETERS.skew_seconds + 0.1, -2.0 * PARAMETERS.skew_seconds - 0.1):
        with pytest.raises(UserError):
            check_clock(error, PARAMETERS)
