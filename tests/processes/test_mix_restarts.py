"""A mix that is killed and started over and over, against a recording of everything it was sent.

Spec: docs/spec/mixing.md (Replay). Long: `make soak`. Prints its figures.
"""

import os
import select
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hushmill.parameters import Parameters
from hushmill.randomness import below, shuffled, unit
from mixnode import read_status
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, MixNetwork, monotonic

PARAMETERS = Parameters(
    suite="x25519",
    payload_bytes=512,
    delay_mean_seconds=0.1,
    mix_loop_rate=0.0,
    epoch_seconds=86_400,  # the test is in one epoch, but for some minutes of a day
)
LIVES = 100
PACKETS_A_LIFE = 1000
FRAMES_A_BURST = 50
FRAMES_UNDER_WAY = 2000
BURST_SECONDS = 0.02
KILLS_IN_TEN = 7  # the other lives end by SIGTERM
FRESH = 1000
DEAF_LIVES = 10
STEADY_SECONDS = 11.0  # a link that has been up so long is tried again soon when it is lost

pytestmark = pytest.mark.soak


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    network = MixNetwork(tmp_path, loop, PARAMETERS)
    network.allow(10**6)
    network.play_second()
    return network


def _say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


@dataclass(slots=True)
class _Restarts:
    """The lives of one mix, and how much was sent to it."""

    network: MixNetwork
    loop: Loop
    marks: set[bytes] = field(default_factory=set)  # as they are forwarded
    frames_sent: int = 0
    kills: int = 0

    def live(self, frames: list[bytes]) -> None:
        """Sends `frames` until the end of the life, at a random point of that."""
        rng = self.network.rng
        entry = Owner()
        ups = self.network.second.ups
        with self.network.running() as process:
            self.network.connect(ENTRY, entry)
            self.loop.until(lambda: entry.links and self.network.second.ups > ups, 20.0)
            end = below(rng, len(frames))
            self.send(entry, frames[:end])
            self.loop.run_for(0.05 * unit(rng))
            if below(rng, 10) < KILLS_IN_TEN:
                self.kills += 1
                process.kill()
            else:
                process.terminate()
            self.loop.until(lambda: process.poll() is not None)
            self.loop.run_for(0.05)
        assert process.returncode in {0, -signal.SIGKILL}

    def send_all(self, entry: Owner, frames: list[bytes]) -> None:
        """No faster than the mix opens them."""
        for start in range(0, len(frames), FRAMES_UNDER_WAY):
            self._send_and_mark(entry, frames[start : start + FRAMES_UNDER_WAY])

    def _send_and_mark(self, entry: Owner, frames: list[bytes]) -> None:
        """What comes over one link is opened in order: when a fresh packet behind `frames` has
        left, all of them have been looked at."""
        second = self.network.second
        mark, seen = self.network.frame(0.0), len(second.batches)
        expected = self.network.forwarded_form(mark)
        self.marks.add(expected)
        self.send(entry, [*frames, mark])
        self.loop.until(lambda: any(expected in batch for batch in second.batches[seen:]), 60.0)

    def send(self, entry: Owner, frames: list[bytes]) -> None:
        for start in range(0, len(frames), FRAMES_A_BURST):
            burst = frames[start : start + FRAMES_A_BURST]
            entry.link.send(burst)
            self.frames_sent += len(burst)
            self.loop.run_for(BURST_SECONDS)
        assert not entry.drops


def test_100_restarts_and_a_recording_of_100_000_packets_forward_none_twice(
    network: MixNetwork, loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    """In each life the next thousand packets and, among them, the thousand of the life before:
    what was in flight at its end. In a last life everything is sent again."""
    rng = network.rng
    lives = _Restarts(network, loop)
    recording: list[bytes] = []
    before: list[bytes] = []
    for _ in range(LIVES):
        fresh = [network.frame(0.05 * unit(rng)) for _ in range(PACKETS_A_LIFE)]
        lives.live(shuffled(rng, fresh + before))
        recording += fresh
        before = fresh
    forwarded = len(network.second.frames)
    ups, entry = network.second.ups, Owner()
    with network.running():
        network.connect(ENTRY, entry)
        loop.until(lambda: entry.links and network.second.ups > ups, 20.0)
        lives.send_all(entry, recording)
        loop.run_for(5.0)  # the longest delay, and the next status
        counters = read_status(network.folder).counters
    received = [frame for frame in network.second.frames if frame not in lives.marks]
    relayed = len(network.second.frames) - forwarded
    _say(
        capsys,
        f"restarts {LIVES} ({lives.kills} by SIGKILL), packets recorded {len(recording):,}, "
        f"frames sent {lives.frames_sent:,}, forwarded in the lives {forwarded:,}, "
        f"in all {len(received):,}; in the last life {relayed:,} forwarded, marks among them, and "
        f"{counters['drop_replay']:,} refused as replays",
    )
    assert len(received) == len(set(received))
    known = {network.forwarded_form(frame) for frame in recording}
    assert len(known) == len(recording) == LIVES * PACKETS_A_LIFE
    assert set(received) <= known
    assert len(received) > 0.9 * len(recording)
    assert 0.2 * LIVES < lives.kills < LIVES
    refused = len(recording) + len(lives.marks) - relayed
    assert refused - 50 <= counters["drop_replay"] <= refused


def test_after_a_clean_restart_in_an_epoch_fresh_packets_are_carried(
    network: MixNetwork, loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    """The node's neighbours come back by themselves; then it carries at least 99 % of what is sent,
    made before the restart or after it. Printed is how long it was deaf."""
    figures: dict[str, list[float]] = {}
    entry = Owner()
    process = _started(network, loop)
    network.connect(ENTRY, entry)
    try:
        for life in range(DEAF_LIVES):
            _until_carried(network, loop, entry)
            loop.run_for(STEADY_SECONDS)
            kind = ("SIGTERM", "SIGKILL")[life % 2]
            old = [network.frame(0.0) for _ in range(FRESH // 2)] if life == 0 else []
            end = monotonic()
            os.kill(process.pid, getattr(signal, kind))
            _wait_for_end(process, loop)
            process = _started(network, loop)
            ready = monotonic()
            _until_carried(network, loop, entry)
            carrying = monotonic()
            figures.setdefault(f"{kind} to ready", []).append(ready - end)
            figures.setdefault(f"{kind} to carrying", []).append(carrying - end)
            if old:
                _carries(network, loop, entry, old)
    finally:
        process.terminate()
        _wait_for_end(process, loop)
    for what, seconds in sorted(figures.items()):
        median, longest = statistics.median(seconds), max(seconds)
        _say(capsys, f"{what}: median {median:.2f} s, longest {longest:.2f} s of {len(seconds)}")


def _wait_for_end(process: subprocess.Popen[str], loop: Loop) -> None:
    loop.until(lambda: process.poll() is not None)
    assert process.stdout is not None
    process.stdout.close()


def _carries(network: MixNetwork, loop: Loop, entry: Owner, old: list[bytes]) -> None:
    frames = [*old, *(network.frame(0.0) for _ in range(FRESH - len(old)))]
    before = len(network.second.frames)
    for start in range(0, len(frames), FRAMES_A_BURST):
        entry.link.send(frames[start : start + FRAMES_A_BURST])
        loop.run_for(BURST_SECONDS)
    loop.run_for(1.0)
    expected = {network.forwarded_form(frame) for frame in frames}
    carried = len(expected & set(network.second.frames[before:]))
    assert carried >= 0.99 * len(frames)


def _started(network: MixNetwork, loop: Loop) -> subprocess.Popen[str]:
    """The process, once it has said `ready`; links are served meanwhile."""
    command = [sys.executable, "-m", "hushmill", "mix", "run", str(network.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout
    assert output is not None
    loop.until(lambda: select.select([output], [], [], 0)[0], 20.0)
    assert output.readline() == "ready\n"
    return process


def _until_carried(network: MixNetwork, loop: Loop, entry: Owner) -> None:
    """Sends fresh packets, whenever there is a link, until one of them has come through."""
    expected: set[bytes] = set()
    seen = len(network.second.batches)

    def is_carried() -> bool:
        if entry.links:
            frame = network.frame(0.0)
            expected.add(network.forwarded_form(frame))
            entry.link.send([frame])
        new = network.second.batches[seen:]
        return any(frame in expected for batch in new for frame in batch)

    loop.until(is_carried, 60.0)
