"""A mix as its systemd unit runs it: on a read-only root, with no capability and the unit's system
calls alone, with its keys as credentials, and told about it. Spec: docs/operating.md.
"""

import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, MixNetwork

UNIT = Path(__file__).parents[2] / "deploy" / "hushmill-mix@.service"

# Everything that is mounted becomes read-only in here, and then the one folder is put over its
# place as it was. The node is run by the shell's own process, so that it is told what is meant for
# it; WATCHDOG_PID names it as systemd would.
NAMESPACE = """
set -e
exec 9< {folder}
findmnt -rno TARGET | while read -r target; do
    mount -o remount,bind,ro "$target" 2>/dev/null || true
done
mount --bind /proc/self/fd/9 {folder}
mount -o remount,bind,rw {folder}
if touch {canary} 2>/dev/null; then exit 77; fi
export WATCHDOG_PID=$$
exec {python} -m tests.processes.unit_sandbox {unit} {python} -m hushmill mix run {folder}
"""


def _namespace() -> list[str] | None:
    """The command that makes a mount namespace; None on a machine that allows nobody to."""
    for rights in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *rights, "--mount", "--propagation", "private"]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return None


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


def test_needs_nothing_writable_but_its_own_directory(tmp_path: Path, loop: Loop) -> None:
    """It becomes ready, forwards, says that it lives and that it stops, and ends in order; its
    signing key is where systemd puts a credential, and not in its directory. Prometheus can ask."""
    namespace = _namespace()
    if namespace is None:
        pytest.skip("this machine lets nobody make a mount namespace")
    network = MixNetwork(tmp_path, loop, workers=1)
    network.play_second()
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    (network.folder / "signing.key").rename(credentials / "signing.key")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        metrics = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = network.folder / "node.toml"
    settings.write_text(
        settings.read_text().replace('metrics_listen = ""', f'metrics_listen = "{metrics}"')
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0)
        script = NAMESPACE.format(
            folder=shlex.quote(str(network.folder)),
            canary=shlex.quote(str(tmp_path / "canary")),
            python=shlex.quote(sys.executable),
            unit=shlex.quote(str(UNIT)),
        )
        process = subprocess.Popen(
            [*namespace, "bash", "-c", script],
            env={
                **os.environ,
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "WATCHDOG_USEC": "60000000",
                "CREDENTIALS_DIRECTORY": str(credentials),
            },
        )
        try:
            entry = Owner()
            network.connect(ENTRY, entry)
            loop.until(lambda: entry.links and network.second.ups, 30.0)
            entry.link.send([network.frame(0.0)])
            loop.until(lambda: network.second.frames)
            with urllib.request.urlopen(f"http://{metrics}/metrics") as page:
                assert page.read().endswith(b"hushmill_mix_up 1.0\n")
        finally:
            process.terminate()
            assert process.wait(20) == 0
        told = "\n".join(_received(manager)).split("\n")
    for line in ("READY=1", "STATUS=Taking part.", "WATCHDOG=1", "STOPPING=1"):
        assert line in told
    assert not (tmp_path / "canary").exists()
    assert (network.folder / "status.json").exists()


def _received(manager: socket.socket) -> Iterator[str]:
    while True:
        try:
            yield manager.recv(4096).decode()
        except BlockingIOError:
            return
