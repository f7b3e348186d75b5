"""One person's daemon as a process, with no network to be reached: what it keeps and refuses."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import Identity, Invitation
from hushmill.errors import ExitCode
from hushmill.identifiers import NodeNumber
from tests.pki.network import SeededRandomness, small_network
from tests.processes.person import (
    Person,
    children,
    end,
    environment,
    is_alive,
    make_person,
    wait_until_gone,
    write_network,
)

SEND_SECONDS = 1.5  # 300 ms are promised; a test machine is shared


@pytest.fixture
def anna(tmp_path: Path) -> Person:
    return make_person(tmp_path / "anna", write_network(tmp_path / "network.toml"), "Anna")


@pytest.fixture
def running(anna: Person) -> Iterator[Person]:
    daemon = anna.start_daemon()
    try:
        yield anna
    finally:
        exit_code, said = end(daemon)
    assert exit_code == 0, said


def invitation_of_ben(age_seconds: float = 0.0) -> Invitation:
    network = small_network().genesis
    rng = SeededRandomness(1)
    identity = Identity.generate(rng)
    made_at = time.time() - age_seconds
    provider = NodeNumber(5)
    return Invitation.create(network.network_id, provider, identity.public, made_at, rng)


def test_keeps_a_message_over_kill_9_and_leaves_no_pacer(anna: Person) -> None:
    daemon = anna.start_daemon()
    try:
        anna.ask("add", "Ben", invitation_of_ben().text())
        (pacer,) = children(daemon.pid)
        sent = anna.ask("send", "Ben", "before the crash")
        assert sent["state"] == "waiting"
    finally:
        daemon.kill()
        daemon.communicate()
    assert wait_until_gone(pacer, 10.0)
    assert anna.run("status").returncode == ExitCode.DAEMON_DOWN  # the socket is stale
    daemon = anna.start_daemon()
    try:
        assert anna.ask("status")["messages"]["waiting"] == 1
        again = anna.ask("send", "Ben", "after it")
        assert again["id"] > sent["id"]
        assert anna.ask("status")["messages"]["waiting"] == 2
    finally:
        assert end(daemon)[0] == 0


def test_send_returns_at_once_without_a_network(
    running: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    running.ask("add", "Ben", invitation_of_ben().link())
    assert running.ask("status")["link_up"] is False
    took = []
    for number in range(5):
        began = time.monotonic()
        assert running.run("send", "Ben", f"line {number}").returncode == 0
        took.append(time.monotonic() - began)
    with capsys.disabled():
        print(f"\nsend, whole process, no network: {[round(s * 1000) for s in took]} ms")  # noqa: T201
    assert min(took) < SEND_SECONDS


def test_takes_text_from_standard_input_and_a_file(running: Person, tmp_path: Path) -> None:
    running.run("add", "Ben", "-", text=invitation_of_ben().text())
    done = running.run("send", "Ben", "-", "--json", text="two\nlines\u202e\n")
    assert done.returncode == 0, done.stderr
    attachment = tmp_path / "picture.bin"
    attachment.write_bytes(os.urandom(200_000))
    running.ask("send", "Ben", "--file", str(attachment))
    assert running.ask("status")["messages"]["waiting"] == 2
    attachment.write_bytes(bytes(3 * 1024 * 1024))
    refused = running.run("send", "Ben", "--file", str(attachment))
    assert refused.returncode == ExitCode.USAGE
    assert "Cut it" in refused.stderr


def test_names_the_exit_code_and_what_to_do(running: Person) -> None:
    unknown = running.run("send", "Nobody", "text", "--json")
    assert unknown.returncode == ExitCode.NOT_FOUND
    assert json.loads(unknown.stdout)["exit"] == ExitCode.NOT_FOUND
    assert running.run("verify", "Nobody").returncode == ExitCode.NOT_FOUND
    invitation = invitation_of_ben().text()
    running.ask("add", "Ben", invitation)
    used = running.run("add", "Ben2", invitation)
    assert used.returncode == ExitCode.SECURITY_STOP, used.stderr
    expired = running.run("add", "Cleo", invitation_of_ben(age_seconds=8 * 86400).text())
    assert expired.returncode == ExitCode.SECURITY_STOP
    assert "Ask for a new one" in expired.stderr
    wrong = "B" if invitation.endswith("A") else "A"
    mistyped = running.run("add", "Cleo", invitation[:-1] + wrong)
    assert mistyped.returncode == ExitCode.USAGE
    late = running.run("send", "Ben", "several", "words", "--wait", "0.2", "--json")
    assert late.returncode == ExitCode.TIMEOUT
    assert "goes on by itself" in late.stderr
    kept = json.loads(late.stdout)
    assert (kept["ok"], kept["state"], kept["exit"]) == (False, "waiting", ExitCode.TIMEOUT)
    own = [
        json.loads(line)
        for line in running.run("inbox", "--sent", "--json").stdout.split("\n")[:-1]
    ]
    assert [(one["id"], one["text"]) for one in own] == [(kept["id"], "several words")]
    assert running.run("send", "Ben", "").returncode == ExitCode.USAGE
    running.folder.chmod(0o755)
    assert running.run("contacts").returncode == ExitCode.PERMISSION
    running.folder.chmod(0o700)


def test_invites_and_lists(running: Person) -> None:
    invited = running.ask("invite", "Cleo")
    assert invited["link"] == f"hushmill:{invited['text']}"
    assert running.ask("invite")["name"] == "guest-1"
    qr = running.run("invite", "Dora", "--qr")
    assert qr.returncode == 0
    assert "\u2588" in qr.stdout
    contacts = running.ask("contacts")["contacts"]
    assert [contact["name"] for contact in contacts] == ["Cleo", "Dora", "guest-1"]
    assert {contact["state"] for contact in contacts} == {"invited"}
    assert running.run("contacts").stdout.startswith("NAME")
    assert running.run("inbox", "--json").stdout == ""
    assert "Not connected" in running.run("status").stdout


def test_closes_its_socket_and_refuses_a_second_daemon(anna: Person) -> None:
    daemon = anna.start_daemon()
    socket_path = anna.folder / "run" / "daemon.sock"
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    (pacer,) = children(daemon.pid)
    second = anna.run("daemon", "--passphrase-file", str(anna.passphrase_file))
    assert second.returncode == ExitCode.LOCKED
    assert "already" in second.stderr
    exit_code, said = end(daemon)
    assert (exit_code, said) == (0, "")
    assert not socket_path.exists()
    assert not is_alive(pacer)


def test_ctrl_c_ends_it_all(anna: Person) -> None:
    daemon = anna.start_daemon()
    (pacer,) = children(daemon.pid)
    for pid in (pacer, daemon.pid):  # a terminal's Ctrl-C reaches both
        os.kill(pid, signal.SIGINT)
    daemon.communicate(timeout=30)
    assert daemon.returncode == ExitCode.INTERRUPTED
    assert wait_until_gone(pacer, 10.0)
    assert not (anna.folder / "run" / "daemon.sock").exists()


def test_a_signal_to_the_whole_group_is_a_clean_end(anna: Person) -> None:
    daemon = anna.start_daemon()
    (pacer,) = children(daemon.pid)
    for pid in (pacer, daemon.pid):  # as a service manager does
        os.kill(pid, signal.SIGTERM)
    _, said = daemon.communicate(timeout=30)
    assert daemon.returncode == ExitCode.OK
    assert "exception" not in said
    assert wait_until_gone(pacer, 10.0)


def test_starts_a_new_pacer_when_one_dies(running: Person) -> None:
    pid = next(
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if str(running.folder).encode() in _command_line(folder)
        and b"daemon" in _command_line(folder).split(b"\0")
    )
    (pacer,) = children(pid)
    os.kill(pacer, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and children(pid) in ([], [pacer]):
        time.sleep(0.05)
    (fresh,) = children(pid)
    assert fresh != pacer
    assert running.ask("status")["link_up"] is False


def _command_line(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def test_refuses_a_wrong_passphrase_a_corrupt_store_and_an_open_folder(
    anna: Person, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not it\n", encoding="utf-8")
    locked = anna.run("daemon", "--passphrase-file", str(wrong))
    assert locked.returncode == ExitCode.LOCKED
    assert "Try again" in locked.stderr
    none = anna.run("daemon")
    assert none.returncode == ExitCode.CONFIGURATION
    assert "--passphrase-file" in none.stderr
    anna.folder.chmod(0o755)
    open_folder = anna.run("daemon", "--passphrase-file", str(anna.passphrase_file))
    assert open_folder.returncode == ExitCode.PERMISSION
    assert "chmod 700" in open_folder.stderr
    anna.folder.chmod(0o700)
    vault = anna.folder / "vault.db"
    damaged = bytearray(vault.read_bytes())
    damaged[5000] ^= 1
    vault.write_bytes(damaged)
    corrupt = anna.run("daemon", "--passphrase-file", str(anna.passphrase_file), "--json")
    assert corrupt.returncode == ExitCode.SECURITY_STOP
    assert json.loads(corrupt.stdout)["exit"] == ExitCode.SECURITY_STOP
    assert "damaged" in corrupt.stderr
    assert vault.read_bytes() == bytes(damaged)


def test_refuses_another_networks_file(anna: Person) -> None:
    from pki import write_genesis

    other = small_network(network="other").genesis
    (anna.folder / "network.toml").write_bytes(write_genesis(other))
    done = anna.run("daemon", "--passphrase-file", str(anna.passphrase_file))
    assert done.returncode == ExitCode.SECURITY_STOP
    assert "original" in done.stderr


def test_follows_until_interrupted(running: Person) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-m", "hushmill", "inbox", "--follow", "--profile", str(running.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    with pytest.raises(subprocess.TimeoutExpired):
        follower.wait(1.5)
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=10)
    assert follower.returncode == ExitCode.INTERRUPTED


def test_works_in_a_folder_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("long-" * 12) / ("longer-" * 8)
    deep.mkdir(parents=True)
    person = make_person(deep / "anna", write_network(tmp_path / "network.toml"), "Anna")
    daemon = person.start_daemon()
    try:
        assert person.ask("status")["name"] == "Anna"
    finally:
        assert end(daemon)[0] == 0
    assert list((person.folder / "run").iterdir()) == []
