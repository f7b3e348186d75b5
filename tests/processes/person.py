"""One person's commands as processes of their own, in a network of which nobody is running."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pki import write_genesis
from tests.pki.network import small_network

PASSPHRASE = "correct horse battery staple"
START_SECONDS = 60.0


def write_network(path: Path) -> Path:
    """A network file; nobody listens on its ports."""
    path.write_bytes(write_genesis(small_network().genesis))
    return path


def environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@dataclass
class Person:
    """A profile's folder and its passphrase's file."""

    folder: Path
    passphrase_file: Path

    def arguments(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "hushmill", *words, "--profile", str(self.folder)]

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.arguments(*words),
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            env=environment(),
        )

    def ask(self, *words: str) -> dict[str, Any]:
        """The one JSON object of a command that went well."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        record: dict[str, Any] = json.loads(done.stdout)
        assert record["v"] == 1
        return record

    def start_daemon(self) -> subprocess.Popen[str]:
        """A daemon that has said `ready`."""
        daemon = subprocess.Popen(
            self.arguments("daemon", "--passphrase-file", str(self.passphrase_file)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment() | {"HUSHMILL_TRACEBACK": "1"},
        )
        assert daemon.stdout is not None
        if daemon.stdout.readline() != "ready\n":
            _, said = daemon.communicate(timeout=START_SECONDS)
            raise AssertionError(said)
        return daemon


def make_person(folder: Path, network_file: Path, name: str) -> Person:
    passphrase_file = folder.parent / f"{name}.passphrase"
    passphrase_file.write_text(PASSPHRASE + "\n", encoding="utf-8")
    person = Person(folder, passphrase_file)
    done = person.run(
        "init",
        "--network",
        str(network_file),
        "--name",
        name,
        "--passphrase-file",
        str(passphrase_file),
    )
    assert done.returncode == 0, done.stderr
    return person


def end(daemon: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said on stderr, after SIGTERM."""
    daemon.terminate()
    _, said = daemon.communicate(timeout=30)
    return daemon.returncode, said


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that run."""
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child)
        for task in tasks.iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def wait_until_gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)
