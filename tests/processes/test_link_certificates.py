"""Certificates made to break whoever reads them: a refusal that is counted, and nothing else."""

import socket
from collections.abc import Iterator

import pytest
from OpenSSL import SSL

from hushmill.drops import Drop
from hushmill.link import LinkClass
from hushmill.runtime import LinkIdentity
from tests.processes.hostile_certificates import KINDS, hostile_context
from tests.processes.link_loop import (
    Loop,
    Owner,
    frame,
    open_connector,
    open_listener,
    running_loop,
)
from tests.processes.strangers import Stranger, listening_socket

# Its serial number is wrong, and its key is one that any link may have: the pin decides.
UNREADABLE = [kind for kind in KINDS if kind != "negative serial"]


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


def visit(port: int, kind: str) -> None:
    """A peer that shows such a certificate and sends a frame."""
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(hostile_context(kind), plain)
        connection.set_connect_state()
        try:
            connection.do_handshake()
            connection.sendall(frame(1))
            connection.recv(1)
        except (SSL.Error, OSError):
            pass


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("link_class", [LinkClass.NODE, LinkClass.DIRECTORY])
def test_a_listener_refuses_and_goes_on(loop: Loop, link_class: LinkClass, kind: str) -> None:
    server, node = LinkIdentity.generate(), LinkIdentity.generate()
    here, there = Owner([frame(2)]), Owner()
    listener = open_listener(loop, server, there, link_class)
    stranger = Stranger(lambda: visit(listener.port_number, kind))
    loop.until(lambda: stranger.finished and listener.connections == 0)
    assert stranger.result is None
    assert (there.ups, there.drops) == (0, {Drop.HANDSHAKE: 1})
    open_connector(loop, listener.port_number, server.key_hash, here, link_class, node)
    loop.until(lambda: there.frames == [frame(2)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_connector_refuses_and_comes_again(loop: Loop, kind: str) -> None:
    context = hostile_context(kind)
    listener = listening_socket()

    def serve() -> None:
        with listener:
            for _ in range(2):
                with listener.accept()[0] as plain:
                    plain.settimeout(None)
                    connection = SSL.Connection(context, plain)
                    connection.set_accept_state()
                    try:
                        connection.do_handshake()
                        connection.sendall(frame(1))
                        connection.recv(1)
                    except (SSL.Error, OSError):
                        pass

    stranger = Stranger(serve)
    here = Owner([frame(2)])
    pin = LinkIdentity.generate().key_hash
    connector = open_connector(loop, listener.getsockname()[1], pin, here)
    loop.until(lambda: stranger.finished, 20.0)
    connector.stop()
    assert stranger.result is None
    assert (here.ups, here.frames) == (0, [])
    assert here.drops[Drop.HANDSHAKE] >= 2
