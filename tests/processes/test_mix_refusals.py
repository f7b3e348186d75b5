"""What a mix does with packets that it refuses: it counts them; only a bug of its own ends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mixnode import read_status
from tests.plant_bugs import Bug, plant
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, MixNetwork
from tests.processes.probes import Probes
from tests.processes.refused import Refused

# An exception that is no PeerError, on the way of a packet whose command is unknown.
CRASH = Bug(
    name="unknown-command-crashes",
    file="hushmill/packet/format.py",
    old="        return Deliver(payload)\n    raise PeerError(Drop.PACKET)\n",
    new='        return Deliver(payload)\n    raise ValueError("no such command")\n',
    tests=(),
)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    network = MixNetwork(tmp_path, loop)
    network.play_second()
    return network


def _probe(probes: Probes, owner: Owner, loop: Loop) -> None:
    mark = probes.send(owner, 0.0)
    loop.until(lambda: mark in probes.late)


def test_every_kind_of_refusal_is_counted_and_none_is_answered(
    network: MixNetwork, loop: Loop
) -> None:
    probes, entry = Probes(network), Owner()
    refused = Refused(probes)
    kinds = {
        "drop_delay": refused.long_delay,
        "drop_no_route": refused.no_route,
        "drop_key_epoch": refused.wrong_epoch,
    }
    with network.running():
        network.connect(ENTRY, entry)
        loop.until(lambda: entry.links and network.second.ups, 20.0)
        for make in (*kinds.values(), refused.bad_mac, refused.unknown_command):
            entry.link.send([make() for _ in range(50)])
        replayed, mark = probes.frame(0.0)
        probes.send_made(entry, replayed, mark, 0.0)
        loop.until(lambda: mark in probes.late)
        entry.link.send([replayed] * 50)
        _probe(probes, entry, loop)
        loop.until(lambda: read_status(network.folder).counters["drop_replay"])
        counters = read_status(network.folder).counters
    assert {kind: counters[kind] for kind in kinds} == dict.fromkeys(kinds, 50)
    assert (counters["drop_packet"], counters["drop_replay"]) == (100, 50)
    assert (entry.ups, entry.frames, probes.others) == (1, [], 0)


def test_a_bug_of_its_own_ends_the_process_and_a_bad_packet_does_not(
    network: MixNetwork, loop: Loop, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    plant(CRASH, tree)
    probes, entry = Probes(network), Owner()
    refused = Refused(probes)
    with network.running(tree) as process:
        network.connect(ENTRY, entry)
        loop.until(lambda: entry.links and network.second.ups, 20.0)
        entry.link.send([refused.bad_mac(), refused.long_delay(), refused.wrong_epoch()])
        _probe(probes, entry, loop)
        assert process.poll() is None
        entry.link.send([refused.unknown_command()])
        loop.until(lambda: process.poll() is not None)
        assert process.returncode == 1
