"""`hushmill init` and the commands around a missing daemon, as processes."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from client.commands_messages import CONTENT_LIMIT
from client.content import FILE_BYTES
from hushmill.errors import ExitCode
from tests.processes.person import PASSPHRASE, Person, environment, write_network

HEAVY = ("cryptography", "nacl", "apsw", "twisted", "pydantic", "numpy", "rich", "OpenSSL", "pki")


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    return write_network(tmp_path / "network.toml")


def test_init_makes_a_closed_profile_and_says_what_it_costs(
    tmp_path: Path, network_file: Path
) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE, encoding="utf-8")
    person = Person(tmp_path / "anna", passphrase)
    done = person.run(
        "init", "--network", str(network_file), "--passphrase-file", str(passphrase), "--json",
        "--provider", "provider4", "--name", "Anna",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["v"] == 1
    assert record["provider"] == {"number": 5, "name": "provider4"}
    assert 400_000_000 < record["bytes_a_day"] < 600_000_000  # the `x25519` suite at 1.4 a second
    assert "MB a day each way" in done.stderr
    assert "hushmill daemon" in done.stderr
    for path in (person.folder, *person.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert PASSPHRASE not in done.stdout + done.stderr
    assert (person.folder / "network.toml").read_bytes() == network_file.read_bytes()
    again = person.run("init", "--network", str(network_file))
    assert again.returncode == ExitCode.CONFIGURATION
    assert "--profile" in again.stderr


def test_init_takes_the_passphrase_from_a_descriptor(tmp_path: Path, network_file: Path) -> None:
    person = Person(tmp_path / "anna", tmp_path / "none")
    done = person.run(
        "init", "--network", str(network_file), "--passphrase-fd", "0", text=PASSPHRASE + "\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        ([], ExitCode.CONFIGURATION, "--passphrase-file"),
        (["--passphrase-file", "/nowhere"], ExitCode.CONFIGURATION, "cannot be read"),
        (["--passphrase-fd", "0"], ExitCode.CONFIGURATION, "empty"),
        (["--provider", "mix1"], ExitCode.NOT_FOUND, "provider4 (5)"),
        (["--name", "\x1b"], ExitCode.USAGE, "printable"),
        (["--passphrase-fd", "0", "--passphrase-file", "a"], ExitCode.USAGE, "not both"),
    ],
)
def test_init_refuses_and_leaves_nothing(
    tmp_path: Path, network_file: Path, words: list[str], exit_code: ExitCode, says: str
) -> None:
    person = Person(tmp_path / "anna", tmp_path / "none")
    done = person.run("init", "--network", str(network_file), *words)
    assert done.returncode == exit_code, done.stderr
    assert says in done.stderr
    assert not person.folder.exists()


def test_init_refuses_a_network_file_that_was_changed(tmp_path: Path, network_file: Path) -> None:
    text = network_file.read_bytes()
    network_file.write_bytes(text.replace(b"payload_rate = 1.0", b"payload_rate = 2.0"))
    done = Person(tmp_path / "anna", tmp_path / "none").run("init", "--network", str(network_file))
    assert done.returncode == ExitCode.SECURITY_STOP
    assert "do not use this file" in done.stderr


COMMANDS = [
    ["invite", "Ben"],
    ["add", "Ben", "hushmill:AAAA"],
    ["send", "Ben", "text"],
    ["inbox"],
    ["contacts"],
    ["status"],
    ["verify", "Ben"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_says_how_to_start_a_daemon_that_is_down(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("down")
    person = Person(folder / "anna", folder / "none")
    done = person.run(*words)
    assert done.returncode == ExitCode.CONFIGURATION
    assert "hushmill init" in done.stderr
    person.folder.mkdir(mode=0o700)
    for name in ("vault.db", "network.toml"):
        (person.folder / name).touch()
    done = person.run(*words, "--json")
    assert done.returncode == ExitCode.DAEMON_DOWN
    assert "hushmill daemon" in done.stderr
    record = json.loads(done.stdout)
    assert (record["v"], record["ok"], record["exit"]) == (1, False, ExitCode.DAEMON_DOWN)


def test_a_command_loads_nothing_heavy(tmp_path: Path) -> None:
    """What `send` imports is what it costs: no cryptography, database or network library."""
    program = (
        "import sys\nfrom hushmill.cli import root\n"
        f"sys.argv = ['hushmill', 'send', 'Ben', 'text', '--profile', {str(tmp_path)!r}]\n"
        "try:\n    root()\nfinally:\n    print(' '.join(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == ExitCode.CONFIGURATION
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "click" in loaded
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))


def test_the_command_knows_how_much_a_file_may_hold() -> None:
    assert CONTENT_LIMIT == FILE_BYTES
