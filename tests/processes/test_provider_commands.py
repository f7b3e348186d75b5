"""`hushmill provider init|check|status`. `check` opens ports, so this stands with the processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pki import read_node_public
from provider import open_mailbox_store
from provider.commands import provider
from tests.processes.link_loop import Loop, running_loop
from tests.processes.provider_network import PROVIDER, ProviderNetwork

INIT = [
    *("--number", "8", "--name", "post", "--operator", "post", "--host", "127.0.0.1"),
    *("--port", "4000", "--client-port", "4001"),
]


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(provider, [str(word) for word in words])


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def network(tmp_path: Path, loop: Loop) -> ProviderNetwork:
    return ProviderNetwork(tmp_path, loop)


def test_init_makes_keys_settings_and_the_public_file(tmp_path: Path) -> None:
    result = _run("init", tmp_path / "a", *INIT, "--json")
    assert json.loads(result.stdout)["ok"] is True
    entry = read_node_public((tmp_path / "a" / "node-public.toml").read_bytes())
    assert (entry.number, entry.role, entry.layer, entry.client_port) == (8, "provider", 0, 4001)
    settings = tmp_path / "a" / "provider.toml"
    assert 'code = ""' in settings.read_text()
    assert settings.stat().st_mode & 0o777 == 0o600


def test_init_makes_a_code_when_asked_and_does_not_print_it(tmp_path: Path) -> None:
    codes = set()
    for name in ("a", "b"):
        result = _run("init", tmp_path / name, *INIT, "--with-code")
        assert result.exit_code == 0
        text = (tmp_path / name / "provider.toml").read_text()
        (code,) = [line.split('"')[1] for line in text.split("\n") if line.startswith("code = ")]
        assert len(bytes.fromhex(code)) == 32
        assert code not in result.output
        codes.add(code)
    assert len(codes) == 2


def test_init_needs_either_all_or_the_network(tmp_path: Path, network: ProviderNetwork) -> None:
    assert _run("init", tmp_path / "a", "--number", "1").exit_code == 2
    file = network.folder / "network.toml"
    assert _run("init", tmp_path / "a", *INIT, "--network", file).exit_code == 2
    assert _run("init", network.folder, "--network", file).exit_code == 0


def test_check_finds_nothing_wrong_with_a_whole_directory(network: ProviderNetwork) -> None:
    for _ in range(2):  # with and without a store
        result = _run("check", network.folder, "--json")
        assert json.loads(result.stdout) == {
            "v": 1,
            "ok": True,
            "number": PROVIDER,
            "network": "test",
        }
        open_mailbox_store(network.folder / "mailboxes.db").close()


def test_check_names_the_bad_key(network: ProviderNetwork) -> None:
    settings = network.folder / "provider.toml"
    good = settings.read_text()
    bad = {
        "account": good + "account = 3\n",
        "sessions": good.replace("sessions = 2048", "sessions = 0"),
        "store_mib": good.replace("store_mib = 16384", 'store_mib = "all"'),
        "code": good.replace('code = "', 'code = "xy'),
    }
    for key, text in bad.items():
        assert text != good
        settings.write_text(text)
        result = _run("check", network.folder)
        assert (result.exit_code, key in result.stderr) == (3, True), key


def test_check_finds_damaged_mailboxes(network: ProviderNetwork) -> None:
    path = network.folder / "mailboxes.db"
    open_mailbox_store(path).close()
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)
    assert _run("check", network.folder).exit_code == 6


def test_check_refuses_a_mix(network: ProviderNetwork) -> None:
    from mixnode.commands import mix

    result = CliRunner().invoke(mix, ["check", str(network.folder)])
    assert (result.exit_code, "hushmill provider" in result.stderr) == (3, True)


def test_a_running_provider_passes_check_and_tells_its_status(network: ProviderNetwork) -> None:
    assert _run("status", network.folder).exit_code == 4
    with network.running():
        assert _run("check", network.folder).exit_code == 0
        record = json.loads(_run("status", network.folder, "--json").stdout)
        text = _run("status", network.folder).stdout
    assert record["role"] == "provider"
    assert record["mailboxes"] == {"full": False, "accounts": 0, "sessions": 0, "items": 0}
    assert "stored items 0" in text
    assert "NO ROOM" not in text
