"""A service as a process: when it says that it is ready, how it stops, and that a bug ends it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hushmill.errors import ExitCode
from hushmill.runtime.descriptors import SPARE_DESCRIPTORS

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
    if how == "at_end":
        reactor.addSystemEventTrigger("before", "shutdown", lambda: 1 / 0)
    if how == "deferred":
        from twisted.internet.defer import fail
        fail(ZeroDivisionError("canary"))
    if how in ("on_frames", "on_up", "on_down"):
        link_that_fails(reactor, how, [*sys.argv, "bug"][2])
    if how == "files":
        listeners(reactor, int(sys.argv[2]))
    notify_ready()

def listeners(reactor, hard):
    # Two listeners of 30 connections each, in a process that may open `hard` files.
    import resource
    from hushmill.link import LinkClass
    from hushmill.runtime import LinkHandlers, LinkIdentity, ListenerLimits, listen

    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    nothing = lambda *_arguments: None
    for _ in range(2):
        listen(
            reactor, "127.0.0.1", 0, LinkIdentity.generate(), LinkClass.CLIENT, 100,
            LinkHandlers(nothing, nothing, nothing), is_welcome=lambda _peer: True,
            listener_limits=ListenerLimits(proven=20, unproven=10),
        )
    print(resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)

def link_that_fails(reactor, where, what):
    # Two ends of a link in one process; the accepting one raises in its handler `where`.
    from hushmill.link import LinkClass
    from hushmill.runtime import Connector, LinkHandlers, LinkIdentity, listen

    def fail(*_arguments):
        print("called", flush=True)
        if what == "user":
            raise UserError("The disk is full.", ExitCode.SECURITY_STOP)
        1 / 0

    def nothing(*_arguments):
        pass

    handlers = {"on_frames": nothing, "on_up": nothing, "on_down": nothing, where: fail}
    server = LinkIdentity.generate()
    listener = listen(
        reactor, "127.0.0.1", 0, server, LinkClass.CLIENT, 100, LinkHandlers(**handlers),
        is_welcome=lambda _peer: True,
    )

    def came_up(link):
        link.send([bytes(100)] * 3)
        if where == "on_down":
            link.close()

    connector = Connector(
        reactor, "127.0.0.1", listener.port_number, None, server.key_hash, LinkClass.CLIENT, 100,
        LinkHandlers(nothing, came_up, nothing),
    )
    connector.start()

@click.command(cls=HushmillCommand)
@click.argument("how")
@click.argument("what", default="bug")
def command(how, what):
    configure_logging("info")
    run_service(start)

command()
"""


def service(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE, *words],
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


def test_an_exception_while_it_ends_is_not_taken_for_a_good_end() -> None:
    with service("at_end") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == ExitCode.BUG


@pytest.mark.parametrize("how", ["later", "deferred"])
def test_ends_on_an_exception_that_nothing_caught(how: str) -> None:
    with service(how) as running:
        out, err = running.communicate(timeout=20)
    assert out == "ready\n"
    assert running.returncode == ExitCode.BUG
    assert "unexpected exception exception=ZeroDivisionError" in err
    assert "hushmill made a mistake (ZeroDivisionError)" in err
    assert "canary" not in err


@pytest.mark.parametrize("where", ["on_frames", "on_up", "on_down"])
def test_ends_on_an_exception_on_the_way_of_a_frame(where: str) -> None:
    """Twisted catches what a socket's reads and writes raise, and only writes it to its log."""
    with service(where) as running:
        out, err = running.communicate(timeout=20)
    assert out == "ready\ncalled\n"
    assert running.returncode == ExitCode.BUG
    assert "unexpected exception exception=ZeroDivisionError" in err
    assert "hushmill made a mistake (ZeroDivisionError)" in err


@pytest.mark.parametrize("where", ["on_frames", "on_up", "on_down"])
def test_ends_as_a_handler_asked(where: str) -> None:
    with service(where, "user") as running:
        out, err = running.communicate(timeout=20)
    assert out == "ready\ncalled\n"
    assert running.returncode == ExitCode.SECURITY_STOP
    assert err.endswith("The disk is full.\n")


def test_says_what_an_operator_can_mend() -> None:
    with service("start") as running:
        out, err = running.communicate(timeout=20)
    assert (out, err) == ("", "The port is taken.\n")
    assert running.returncode == ExitCode.CONFIGURATION


def test_takes_all_the_files_that_it_may_open() -> None:
    enough = SPARE_DESCRIPTORS + 60
    with service("files", str(enough)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == f"({enough}, {enough})\n"
        assert running.stdout.readline() == "ready\n"
        running.terminate()
        assert running.wait(10) == 0


def test_refuses_listeners_that_its_limit_cannot_hold() -> None:
    with service("files", str(SPARE_DESCRIPTORS + 59)) as running:
        out, err = running.communicate(timeout=20)
    assert (out, running.returncode) == ("", ExitCode.CONFIGURATION)
    assert "may open 315 files and needs 316" in err


def test_tells_systemd_when_it_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(20)
        with service("run", NOTIFY_SOCKET=str(path)) as running:
            assert supervisor.recv(100) == b"READY=1"
            running.terminate()
            assert running.wait(10) == 0


def test_leaves_no_core_behind() -> None:
    """Whatever kills it: a core would hold every key that is in memory."""
    service = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVICE, "run"], stdout=subprocess.PIPE, text=True
    )
    assert service.stdout is not None
    assert service.stdout.readline() == "ready\n"
    limits = Path(f"/proc/{service.pid}/limits").read_text(encoding="ascii")
    service.kill()
    service.communicate()
    (line,) = [line for line in limits.split("\n") if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]
