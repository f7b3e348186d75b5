"""`hushmill mix init|check|status`. `check` opens ports, so this stands with the processes."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import now
from mixnode import NodeSettings, PlainMix, open_node_directory, run_node
from mixnode.checks import check_disk, check_document_times
from mixnode.commands import mix
from mixnode.trace_file import require_loopback
from pki import read_node_public, write_genesis
from tests.processes.link_loop import Loop, running_loop
from tests.processes.mix_network import MixNetwork

INIT = [
    *("--number", "1", "--name", "mix1", "--operator", "layer1"),
    *("--layer", "1", "--host", "127.0.0.1", "--port", "4000"),
]


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(mix, [str(word) for word in words])


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> MixNetwork:
    return MixNetwork(tmp_path, loop)


def test_init_makes_keys_of_its_own_and_the_public_file(tmp_path: Path) -> None:
    result = _run("init", tmp_path / "a", *INIT, "--json")
    assert json.loads(result.stdout)["v"] == 1
    entry = read_node_public((tmp_path / "a" / "node-public.toml").read_bytes())
    assert (entry.number, entry.role, entry.layer, entry.client_port) == (1, "mix", 1, 0)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()}
    assert modes["signing.key"] == modes["link.key"] == 0o600
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    _run("init", tmp_path / "b", *INIT)
    other = read_node_public((tmp_path / "b" / "node-public.toml").read_bytes())
    assert entry.verify_key != other.verify_key
    assert entry.key_hash != other.key_hash


def test_init_never_replaces_keys(tmp_path: Path) -> None:
    _run("init", tmp_path / "a", *INIT)
    key = (tmp_path / "a" / "signing.key").read_bytes()
    assert _run("init", tmp_path / "a", *INIT).exit_code == 3
    assert (tmp_path / "a" / "signing.key").read_bytes() == key


@pytest.mark.parametrize(
    ("option", "value"),
    [("--name", "Mix One"), ("--operator", ""), ("--host", "a b"), ("--host", "mix.example")],
)
def test_init_refuses_what_the_genesis_would(tmp_path: Path, option: str, value: str) -> None:
    """A host name is fine for others, but `listen` must then be given as an address."""
    result = _run("init", tmp_path / "a", *INIT, option, value)
    assert result.exit_code == 3
    assert not (tmp_path / "a" / "signing.key").exists()


def test_init_needs_either_all_or_the_network(tmp_path: Path) -> None:
    assert _run("init", tmp_path / "a", "--number", "1").exit_code == 2
    network = tmp_path / "network.toml"
    network.write_bytes(b"")
    assert _run("init", tmp_path / "a", *INIT, "--network", network).exit_code == 2


def test_check_finds_nothing_wrong_with_a_whole_directory(network: MixNetwork) -> None:
    result = _run("check", network.folder, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    fullest = 2 * 16 * NodeSettings(listen="::").replay_tags
    assert fullest < record.pop("disk_needed_bytes") < 3 * fullest
    assert record == {
        "v": 1,
        "ok": True,
        "number": 1,
        "layer": 1,
        "network": "test",
        "running": False,
        "start_seconds": 0.0,
    }


def test_check_names_the_bad_key(network: MixNetwork) -> None:
    settings = network.folder / "node.toml"
    good = settings.read_text()
    bad = {
        "budget": good + "budget = 3\n",
        "budget_mib": good.replace("budget_mib = 512", 'budget_mib = "much"'),
        "replay_tags": good.replace("replay_tags = 6000000", "replay_tags = 60000000"),
        "listen": good.replace("127.0.0.1", "localhost"),
    }
    for key, text in bad.items():
        assert text != good
        settings.write_text(text)
        result = _run("check", network.folder)
        assert (result.exit_code, key in result.stderr) == (3, True), key


def test_check_finds_what_is_missing_or_open_to_others(network: MixNetwork, tmp_path: Path) -> None:
    assert _run("check", tmp_path / "nothing").exit_code == 7
    (network.folder / "link.key").chmod(0o644)
    assert _run("check", network.folder).exit_code == 10
    (network.folder / "link.key").chmod(0o600)
    network.folder.chmod(0o755)
    assert _run("check", network.folder).exit_code == 10
    network.folder.chmod(0o700)
    (network.folder / "signing.key").write_bytes(bytes(63))
    assert _run("check", network.folder).exit_code == 6
    (network.folder / "signing.key").unlink()
    result = _run("check", network.folder)
    assert (result.exit_code, "signing.key" in result.stderr) == (3, True)


def test_check_finds_a_genesis_that_is_changed_or_does_not_name_it(
    network: MixNetwork, tmp_path: Path, loop: Loop
) -> None:
    text = (network.folder / "network.toml").read_bytes()
    (network.folder / "network.toml").write_bytes(text.replace(b"layer = 3", b"layer = 2"))
    assert _run("check", network.folder).exit_code in (3, 6)
    (network.folder / "network.toml").write_bytes(
        text.replace(b"epoch_seconds = 3600", b"epoch_seconds = 3601")
    )
    assert _run("check", network.folder).exit_code == 6
    other = MixNetwork(tmp_path / "other", loop)
    (network.folder / "network.toml").write_bytes(write_genesis(other.genesis))
    result = _run("check", network.folder)
    assert (result.exit_code, "node-public.toml" in result.stderr) == (3, True)


def test_a_node_keeps_to_its_network(network: MixNetwork, tmp_path: Path, loop: Loop) -> None:
    other = MixNetwork(tmp_path / "other", loop)
    again = _run("init", network.folder, "--network", network.folder / "network.toml")
    assert again.exit_code == 0
    changed = _run("init", network.folder, "--network", other.folder / "network.toml")
    assert changed.exit_code == 6


def test_a_network_that_does_not_name_the_node_is_not_taken(
    network: MixNetwork, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    words = ("--number", "5", "--name", "reed", "--operator", "lane", "--layer", "1")
    made = _run("init", stranger, *words, "--host", "127.0.0.1", "--port", "4000")
    assert made.exit_code == 0
    result = _run("init", stranger, "--network", network.folder / "network.toml")
    assert (result.exit_code, "does not name this node" in result.stderr) == (3, True)
    assert not (stranger / "network.toml").exists()


def test_a_host_that_is_a_name_needs_an_address_to_listen_on(tmp_path: Path) -> None:
    words = ("--number", "5", "--name", "reed", "--operator", "lane", "--layer", "1")
    result = _run("init", tmp_path / "n", *words, "--host", "weir.example.org", "--port", "4000")
    assert (result.exit_code, "--listen" in result.stderr) == (3, True)


@pytest.mark.parametrize("command", ["status", "drain", "check"])
def test_a_directory_that_is_not_there_is_not_found(tmp_path: Path, command: str) -> None:
    assert _run(command, tmp_path / "nothing").exit_code == 7


def test_check_finds_a_taken_port_of_the_metrics(network: MixNetwork) -> None:
    settings = network.folder / "node.toml"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = f'metrics_listen = "127.0.0.1:{taken.getsockname()[1]}"'
        settings.write_text(settings.read_text().replace('metrics_listen = ""', line))
        result = _run("check", network.folder)
    assert (result.exit_code, "metrics_listen" in result.stderr) == (3, True)


def test_check_finds_what_the_node_could_not_read_or_others_could(network: MixNetwork) -> None:
    key = next((network.folder / "keys").glob("*.key"))
    key.chmod(0o640)
    result = _run("check", network.folder)
    assert (result.exit_code, f"chmod 600 {key}" in result.stderr) == (10, True)
    key.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(key, 12345, -1)
        result = _run("check", network.folder)
        assert (result.exit_code, "chown" in result.stderr) == (10, True)


def test_check_finds_a_budget_beyond_the_machine(network: MixNetwork) -> None:
    settings = network.folder / "node.toml"
    text = re.sub("budget_mib = .*", "budget_mib = 1000000", settings.read_text())
    settings.write_text(text)
    result = _run("check", network.folder)
    assert (result.exit_code, "budget_mib" in result.stderr) == (3, True)


def test_check_finds_a_full_disk(network: MixNetwork) -> None:
    disk = os.statvfs(network.folder)
    check_disk(network.folder, 1)
    with pytest.raises(UserError, match="replay_tags"):
        check_disk(network.folder, disk.f_blocks * disk.f_frsize + 1)


def test_check_finds_too_few_open_files(network: MixNetwork) -> None:
    command = f"ulimit -n 1000; exec {sys.executable} -m hushmill mix check {network.folder}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, "LimitNOFILE" in done.stderr) == (3, True)


def test_check_finds_a_clock_that_is_behind_the_documents(network: MixNetwork) -> None:
    directory = open_node_directory(network.folder, "mix")
    epoch = directory.genesis.parameters.epoch_seconds
    check_document_times(directory, now() - epoch)
    with pytest.raises(UserError, match="behind"):
        check_document_times(directory, now() - 2 * epoch)


def test_check_finds_a_taken_port(network: MixNetwork) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", network.port))
        taken.listen()
        result = _run("check", network.folder)
        assert (result.exit_code, str(network.port) in result.stderr) == (3, True)


def test_a_running_node_passes_check_and_tells_its_status(network: MixNetwork) -> None:
    assert _run("status", network.folder).exit_code == 4
    with network.running():
        assert _run("check", network.folder).exit_code == 0
        record = json.loads(_run("status", network.folder, "--json").stdout)
    assert record["role"] == "mix"
    assert record["links_wanted"] in (0, 1)
    assert all(count % 50 == 0 for count in record["counters"].values())


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "192.0.2.1", "1.2.3"])  # noqa: S104
def test_a_trace_is_refused_where_others_can_reach_the_node(
    network: MixNetwork, tmp_path: Path, listen: str
) -> None:
    settings = network.folder / "node.toml"
    settings.write_text(settings.read_text().replace('"127.0.0.1"', f'"{listen}"'))
    trace = tmp_path / "trace.jsonl"
    with pytest.raises(UserError, match="local test networks alone") as refused:
        run_node(network.folder, "mix", lambda _directory: PlainMix(), trace)
    assert refused.value.exit_code is ExitCode.CONFIGURATION
    assert not trace.exists()


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.9.9.9", "::1"])
def test_a_trace_is_for_loopback_addresses(listen: str) -> None:
    require_loopback(listen)
