"""`hushmill mix backup|restore|rotate` on a node that has run. Spec: docs/spec/mixing.md."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mixnode import NodeKeys
from mixnode.commands import mix
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, MIX, MixNetwork

KEPT = {
    *("signing.key", "link.key", "node.toml", "network.toml", "node-public.toml"),
    "directory.state",
}


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(mix, [str(word) for word in words])


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    network = MixNetwork(tmp_path, loop)
    network.play_second()
    return network


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text("a long one\n")
    return file


def _public_keys(network: MixNetwork) -> set[bytes]:
    keys = NodeKeys(network.folder / "keys", network.format.geometry.kem, MIX)
    raw = {raw for _, raw in keys.public_keys(keys.epochs)}
    keys.close()
    return raw


def _connect(network: MixNetwork, loop: Loop) -> Owner:
    entry = Owner()
    ups = network.second.ups
    network.connect(ENTRY, entry)
    loop.until(lambda: entry.links and network.second.ups > ups, 20.0)
    return entry


def test_a_restored_node_is_the_node_with_fresh_packet_keys(
    network: MixNetwork, loop: Loop, tmp_path: Path, passphrase: Path
) -> None:
    """What the old machine let through is refused by the new one: its keys are others. Once a
    document has them, the node carries."""
    file, secret = tmp_path / "node.backup", ("--passphrase-file", passphrase)
    recorded = [network.frame(0.0) for _ in range(20)]
    with network.running():
        entry = _connect(network, loop)
        entry.link.send(recorded)
        loop.until(lambda: len(network.second.frames) == 20)
        assert _run("backup", network.folder, file, *secret).exit_code == 0
    assert _run("backup", network.folder, file, *secret).exit_code == 3
    assert _run("restore", file, network.folder, *secret).exit_code == 3
    contents = {name: (network.folder / name).read_bytes() for name in KEPT}
    old_keys = _public_keys(network)
    network.folder.rename(tmp_path / "lost")
    wrong = tmp_path / "wrong"
    wrong.write_text("another\n")
    assert _run("restore", file, network.folder, "--passphrase-file", wrong).exit_code == 8
    assert _run("restore", file, network.folder, *secret).exit_code == 0
    assert {path.name: path.read_bytes() for path in network.folder.iterdir()} == contents
    assert {path.stat().st_mode & 0o777 for path in network.folder.iterdir()} == {0o600}
    network.publish()  # makes packet keys, as a start would
    assert _public_keys(network).isdisjoint(old_keys)
    fresh = network.frame(0.0)
    with network.running():
        entry = _connect(network, loop)
        entry.link.send([*recorded, fresh])
        loop.until(lambda: len(network.second.frames) > 20)
        loop.run_for(0.3)
    assert network.second.frames[20:] == [network.forwarded_form(fresh)]


def test_rotation_destroys_every_packet_key_and_keeps_the_node(network: MixNetwork) -> None:
    before = {name: (network.folder / name).read_bytes() for name in KEPT}
    old = _public_keys(network)
    assert len(old) == 4
    with network.running():
        assert _run("rotate", network.folder, "--yes").exit_code == 8
    result = _run("rotate", network.folder, "--yes")
    assert result.exit_code == 0
    fresh = _public_keys(network)
    assert len(fresh) == 5  # what a descriptor carries
    assert fresh.isdisjoint(old)
    assert {name: (network.folder / name).read_bytes() for name in KEPT} == before


def test_rotation_asks_first(network: MixNetwork) -> None:
    old = _public_keys(network)
    result = CliRunner().invoke(mix, ["rotate", str(network.folder)], input="n\n")
    assert result.exit_code == 130
    assert _public_keys(network) == old
