"""Hostile inputs for every decoder on a packet's way, by mutation of valid ones.

`python -m tests.mixnode.fuzz` runs a million of them and prints what came of them, one JSON object
a line. Documents, descriptors and votes have their own (`tests/pki/test_hostile_bytes.py`), client
frames too (`tests/link`, `tests/provider/test_hostile_bytes.py`).
"""

import gc
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hushmill.crypto import Kem, kem_named
from hushmill.errors import PeerError, UserError
from hushmill.identifiers import Epoch, NodeNumber, ReplayTag
from hushmill.link import DIRECTORY_FRAME_BYTES, MessageAssembler, MessageCutter, NodeFrames, Relay
from hushmill.packet import Hop, NodeKey, Packet, PacketFormat, Route
from hushmill.parameters import SuiteName
from hushmill.runtime import SystemRandomness, parse_configuration
from mixnode import NodeSettings, read_status
from mixnode.replay_log import InvalidLogError, create_log, logged_tags, open_log
from tests.mixnode.fuzz_core import CoreUnderFire

WARM_UP = 0.2
BLOCKS_ALLOWED = 1_500  # of the allocator: caches that fill late, and what a fresh core holds
VALUE = "value"
Action = Callable[[bytes], str]


def _nothing() -> None:
    """Most decoders hold nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder: what is mutated, and what becomes of any bytes, as a word. Whatever it raises
    beyond that fails the run. `inputs` is its part of a million."""

    name: str
    inputs: int
    seeds: Sequence[bytes]
    action: Action
    keeps_size: bool = False  # the bytes that reach it have one size
    settle: Callable[[], None] = _nothing  # ends what it holds, before memory is counted


@dataclass(frozen=True, slots=True)
class Report:
    """`outcomes` add up to `inputs`; `grown_blocks` is what stayed allocated after the warm-up."""

    name: str
    inputs: int
    outcomes: dict[str, int]
    grown_blocks: int
    seconds: float


def fuzz(target: Target, inputs: int, seed: int) -> Report:
    """Runs `inputs` mutated inputs; a seed makes the same changes again."""
    rng, outcomes = random.Random(seed), Counter[str]()
    begin, before = time.monotonic(), 0
    for number in range(inputs):
        if number == int(inputs * WARM_UP):
            before = blocks(target)
        data = mutated(rng, target.seeds)
        if target.keeps_size and rng.random() < 0.9:
            size = len(target.seeds[0])
            data = data[:size].ljust(size, b"\x00")
        outcomes[target.action(data)] += 1
    grown = blocks(target) - before
    return Report(target.name, inputs, dict(outcomes), grown, time.monotonic() - begin)


def blocks(target: Target) -> int:
    """What the allocator has given out, without what the target still needs."""
    target.settle()
    gc.collect()
    return sys.getallocatedblocks()


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds`, changed in one to four ways, or in rare cases none."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 4))):
        _mutate(rng, data, seeds)
    return bytes(data)


def _mutate(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    # Half of all changes are near the front, where the fields are.
    place = rng.randrange(len(data) + 1)
    if rng.random() < 0.5:
        place = min(place, rng.randrange(64))
    match rng.randrange(8):
        case 0 if place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        case 1 if place < len(data):
            data[place] = rng.randrange(256)
        case 2:
            del data[place : place + rng.randrange(1, 64)]
        case 3:
            data[place:place] = rng.randbytes(rng.randrange(1, 64))
        case 4:
            del data[place:]
        case 5:  # a number at its ends
            value = rng.choice((b"\x00", b"\xff", b"\x7f", b"9", b"[", b"{")) * rng.randrange(1, 9)
            data[place : place + len(value)] = value
        case 6:
            other = rng.choice(seeds)
            start = rng.randrange(len(other) + 1)
            data[place:] = other[start:]
        case _:
            end = min(len(data), place + rng.randrange(1, 256))
            data[place:place] = data[place:end] * rng.randrange(1, 4)


# -- the decoders


def refusing(decode: Callable[[bytes], object]) -> Action:
    """What `decode` makes of bytes of a peer."""

    def action(data: bytes) -> str:
        try:
            decode(data)
        except PeerError as error:
            return error.reason.value
        return VALUE

    return action


class OneNode:
    """A node's keys, and packets that it can open."""

    def __init__(self, suite: SuiteName, packets: int = 24) -> None:
        rng = SystemRandomness()
        kem: Kem = kem_named(suite)
        self.format = PacketFormat(kem, 4, 256)
        self.frames = NodeFrames(self.format.geometry.packet_bytes)
        own, other = kem.generate(), kem.generate()
        self.keys = {number: NodeKey(NodeNumber(1), Epoch(number), own) for number in (7, 8)}
        hops = (Hop(NodeNumber(1), own.public, 0.1),)
        after = (Hop(NodeNumber(2), other.public, 0.1),) * 3
        self.seeds = [
            self.frames.encode(
                Relay(
                    self.format.wrap(
                        Route(hops + after[: number % 4], Epoch(7 + number % 2)),
                        rng.take(256),
                        rng,
                    ).raw
                )
            )
            for number in range(packets)
        ]

    def open(self, frame: bytes) -> None:
        relay = self.frames.decode(frame)
        self.format.unwrap(Packet.of(relay.packet, self.format.geometry), self.keys)

    def open_bare(self, frame: bytes) -> None:
        """Without the frame's and the packet's own looks at the size."""
        self.format.unwrap(Packet(frame[1:]), self.keys)


def _messages() -> list[bytes]:
    """Runs of directory frames, put together and not."""
    cutter = MessageCutter()
    runs = [cutter.cut(bytes(range(256)) * times) for times in (1, 16, 40)]
    return [b"".join(run) for run in runs] + [run[-1] for run in runs]


def _assemble(data: bytes) -> None:
    assembler = MessageAssembler(20_000)
    for start in range(0, len(data), DIRECTORY_FRAME_BYTES):
        message = assembler.add(data[start : start + DIRECTORY_FRAME_BYTES])
        assert message is None or len(message) <= 20_000


_SETTINGS = (
    b'listen = "127.0.0.1"\nbudget_mib = 512\nreplay_tags = 1200000\n',
    b'listen = "::1"\nlink_packets_per_second = 10\n# a comment\n',
    b'listen = "10.0.0.1"\nbudget_mib = ' + b"9" * 4_301,
)


def _settings(data: bytes) -> str:
    try:
        parse_configuration(data, NodeSettings, "node.toml").limits()
    except UserError as error:
        return error.exit_code.name.lower()
    return VALUE


def _statuses() -> list[bytes]:
    status = {
        "state": "running",
        "role": "mix",
        "written_at": 10**10,
        "epoch": 7,
        "links_up": 1,
        "links_wanted": 2,
        "alarm": False,
        "counters": {"relayed": 50},
    }
    return [json.dumps(status | change).encode() for change in ({}, {"epoch": None})]


@dataclass(frozen=True, slots=True)
class Files:
    """Decoders that read a file."""

    folder: Path

    def status(self, data: bytes) -> str:
        (self.folder / "status.json").write_bytes(data)
        try:
            read_status(self.folder)
        except UserError as error:
            return error.exit_code.name.lower()
        return VALUE

    def logs(self) -> list[bytes]:
        path = self.folder / "valid.tags"
        made = []
        for batches in ((), (1,), (3, 40), (2, 1, 7)):
            log = create_log(path, bytes(16))
            for number, count in enumerate(batches):
                log.append([ReplayTag(bytes([number, n] * 8)) for n in range(count)])
            log.close()
            made.append(path.read_bytes())
        return made

    def log(self, data: bytes) -> str:
        """What was read and cut off is read the same a second time."""
        path = self.folder / "hostile.tags"
        path.write_bytes(data)
        try:
            open_log(path, bytes(16)).close()
        except InvalidLogError:
            return "invalid"
        tags = list(logged_tags(path, bytes(16)))
        open_log(path, bytes(16)).close()
        assert list(logged_tags(path, bytes(16))) == tags
        assert path.stat().st_size <= len(data)
        return VALUE


@contextmanager
def targets() -> Iterator[list[Target]]:
    """Every decoder. Files lie in memory where the machine has a place for that."""
    with ExitStack() as stack:
        memory = Path("/dev/shm")
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        )
        files, xwing, x25519 = Files(Path(folder)), OneNode("xwing"), OneNode("x25519")
        cores = [CoreUnderFire(role) for role in ("mix", "provider")]
        yield [
            Target("frame", 250_000, x25519.seeds, refusing(x25519.frames.decode)),
            Target("packet-xwing", 90_000, xwing.seeds, refusing(xwing.open), keeps_size=True),
            Target("packet-x25519", 110_000, x25519.seeds, refusing(x25519.open), keeps_size=True),
            Target("bare-packet", 50_000, x25519.seeds, refusing(x25519.open_bare)),
            *(
                Target(
                    f"core-{core.role}",
                    100_000,
                    core.blocks,
                    core.fire,
                    keeps_size=True,
                    settle=core.settle,
                )
                for core in cores
            ),
            Target("directory-frames", 100_000, _messages(), refusing(_assemble)),
            Target("replay-log", 50_000, files.logs(), files.log),
            Target("node.toml", 50_000, _SETTINGS, _settings),
            Target("status.json", 100_000, _statuses(), files.status),
        ]


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with targets() as found:
        for target in found:
            report = fuzz(target, target.inputs, seed)
            sys.stdout.write(json.dumps(asdict(report)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
