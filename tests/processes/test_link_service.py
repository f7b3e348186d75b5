"""A service as a process: when it says that it is ready, how it stops, and that a bug ends it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hushmill.errors import ExitCode

SERVICE = """
import sys
import click
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, configure_logging, notify_ready, run_service

def start(reactor):
    how = sys.argv[1]
    if how == "start":
        raise UserError("The port is taken.", ExitCode.CONFIGURATION)
    if how == "later":
        reactor.callLater(0.05, lambda: 1 / 0)
    if how == "deferred":
        from twisted.internet.defer import fail
        fail(ZeroDivisionError("canary"))
    notify_ready()

@click.command(cls=HushmillCommand)
@click.argument("how")
def command(how):
    configure_logging("info")
    run_service(start)

command()
"""


def service(how: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, ExitCode.INTERRUPTED)]
)
def test_runs_until_it_is_told_to_stop(number: signal.Signals, exit_code: int) -> None:
    with service("run") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        assert running.wait(10) == exit_code


@pytest.mark.parametrize("how", ["later", "deferred"])
def test_ends_on_an_exception_that_nothing_caught(how: str) -> None:
    with service(how) as running:
        out, err = running.communicate(timeout=20)
    assert out == "ready\n"
    assert running.returncode == ExitCode.BUG
    assert "unexpected exception exception=ZeroDivisionError" in err
    assert "hushmill made a mistake (ZeroDivisionError)" in err
    assert "canary" not in err


def test_says_what_an_operator_can_mend() -> None:
    with service("start") as running:
        out, err = running.communicate(timeout=20)
    assert (out, err) == ("", "The port is taken.\n")
    assert running.returncode == ExitCode.CONFIGURATION


def test_tells_systemd_when_it_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(20)
        with service("run", NOTIFY_SOCKET=str(path)) as running:
            assert supervisor.recv(100) == b"READY=1"
            running.terminate()
            assert running.wait(10) == 0
