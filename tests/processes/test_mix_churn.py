"""Strangers who connect, begin a handshake and go: each leaves nothing behind.

Spec: docs/spec/mixing.md (Budget). Long: `make soak`.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.processes.link_loop import Loop, running_loop
from tests.processes.mix_network import MixNetwork

STRANGERS = 3_000
ADDRESSES = 250  # of which each may begin so many handshakes in a while
GROWTH_MIB = 24.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


def _hello() -> bytes:
    """A valid ClientHello, which costs the other end the most: it makes its key share."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(1 << 16)


def _memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the process has no memory")


@pytest.mark.soak
def test_strangers_who_come_and_go_leave_no_memory_taken(tmp_path: Path, loop: Loop) -> None:
    network = MixNetwork(tmp_path, loop)
    hello = _hello()
    with network.running() as process:
        start = 0.0
        for number in range(STRANGERS):
            if number == 300:  # what a process takes once
                start = _memory_mib(process.pid)
            with socket.socket() as stranger:
                stranger.settimeout(10.0)
                stranger.bind((f"127.0.1.{1 + number % ADDRESSES}", 0))
                stranger.connect(("127.0.0.1", network.port))
                stranger.sendall(hello)
                stranger.recv(1)  # its answer has begun, and so all has been allocated
        grown = _memory_mib(process.pid) - start
    assert start > 0
    assert grown < GROWTH_MIB
