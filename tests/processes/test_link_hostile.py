"""What a peer can do to a connection at any moment: the loop fails unless a drop is all that
follows."""

import gc
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from OpenSSL import SSL, crypto

from hushmill.drops import Drop
from hushmill.link import LinkClass
from hushmill.runtime import Connector, FrameLink, LinkIdentity, LinkLimits
from tests.processes.link_loop import (
    FRAME_BYTES,
    Loop,
    Owner,
    frame,
    open_connector,
    open_listener,
    running_loop,
)
from tests.processes.strangers import Stranger, listening_socket

CLASSES = [LinkClass.NODE, LinkClass.CLIENT, LinkClass.DIRECTORY]
ALERT = bytes.fromhex("15030300020228")  # fatal, handshake_failure
WARNING = bytes.fromhex("15030300020100")  # close_notify in plain text


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


def reset(plain: socket.socket) -> None:
    """Closes with an RST."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()


class Talk:
    """An end in memory, with `identity`'s certificate, whose bytes can be cut and changed."""

    def __init__(self, plain: socket.socket, identity: LinkIdentity, is_server: bool) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, identity.certificate_pem)
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, identity.key_pem)
        context.use_certificate(certificate.to_cryptography())
        context.use_privatekey(key.to_cryptography_key())  # type: ignore[arg-type]
        self.plain = plain
        self.tls = SSL.Connection(context, None)
        self._is_server = is_server
        if is_server:
            self.tls.set_accept_state()
        else:
            self.tls.set_connect_state()

    def outgoing(self) -> bytes:
        data = b""
        with suppress(SSL.WantReadError):
            while True:
                data += self.tls.bio_read(1 << 16)
        return data

    def first_flight(self) -> bytes:
        if self._is_server:
            self.listen()
        assert not self.step()
        return self.outgoing()

    def step(self) -> bool:
        """As far as what has come allows; whether the handshake is done."""
        with suppress(SSL.WantReadError):
            self.tls.do_handshake()
            return True
        return False

    def listen(self) -> None:
        self.tls.bio_write(self.plain.recv(1 << 16))

    def finish(self) -> None:
        while not self.step():
            self.plain.sendall(self.outgoing())
            self.listen()

    def sealed(self, data: bytes) -> bytes:
        self.tls.send(data)
        return self.outgoing()


def _hello_then_reset(talk: Talk) -> None:
    talk.plain.sendall(talk.first_flight())
    reset(talk.plain)


def _half_a_hello_then_end(talk: Talk) -> None:
    talk.plain.sendall(talk.first_flight()[:100])
    talk.plain.shutdown(socket.SHUT_WR)


def _hello_then_alert(talk: Talk) -> None:
    talk.plain.sendall(talk.first_flight() + ALERT)


def _hello_twice(talk: Talk) -> None:
    talk.plain.sendall(talk.first_flight() * 2)


def _alert(talk: Talk) -> None:
    talk.plain.sendall(ALERT + WARNING)


def _noise(talk: Talk) -> None:
    talk.plain.sendall(os.urandom(5000))


def _finished_then_reset(talk: Talk) -> None:
    talk.finish()
    talk.plain.sendall(talk.outgoing())
    reset(talk.plain)


def _finished_and_frames_then_reset(talk: Talk) -> None:
    talk.finish()
    talk.plain.sendall(talk.outgoing() + talk.sealed(frame(7) * 2 + b"\x00" * 100))
    reset(talk.plain)


def _finished_then_noise(talk: Talk) -> None:
    talk.finish()
    talk.plain.sendall(talk.outgoing() + os.urandom(3000))


def _finished_then_a_broken_record(talk: Talk) -> None:
    talk.finish()
    start = talk.outgoing()
    record = bytearray(talk.sealed(frame(7)))
    record[40] ^= 1
    talk.plain.sendall(start + record)


def _end_and_then_frames(talk: Talk) -> None:
    talk.finish()
    start = talk.outgoing()
    more = talk.sealed(frame(7))
    with suppress(SSL.Error):
        talk.tls.shutdown()
    talk.plain.sendall(start + talk.outgoing() + more)


def _asks_for_new_keys(talk: Talk) -> None:
    """Many records of which none is a frame, and an end that nobody expects."""
    talk.finish()
    talk.plain.sendall(talk.outgoing())
    for _ in range(50):
        talk.plain.sendall(talk.sealed(b"\x00"))
    talk.plain.shutdown(socket.SHUT_RDWR)


DEEDS: list[Callable[[Talk], None]] = [
    _hello_then_reset,
    _half_a_hello_then_end,
    _hello_then_alert,
    _hello_twice,
    _alert,
    _noise,
    _finished_then_reset,
    _finished_and_frames_then_reset,
    _finished_then_noise,
    _finished_then_a_broken_record,
    _end_and_then_frames,
    _asks_for_new_keys,
]


def do(deed: Callable[[Talk], None], talk: Talk) -> None:
    """The deed, and then whatever the other end says until it hangs up."""
    talk.plain.settimeout(5)
    with talk.plain, suppress(OSError, SSL.Error):
        deed(talk)
        while talk.plain.recv(1 << 16):
            pass


@pytest.mark.parametrize("link_class", CLASSES)
@pytest.mark.parametrize("deed", DEEDS)
def test_a_listener_goes_on(
    loop: Loop, link_class: LinkClass, deed: Callable[[Talk], None]
) -> None:
    server, node, hostile = (LinkIdentity.generate() for _ in range(3))
    here, there = Owner([frame(2)]), Owner()
    limits = LinkLimits(idle_seconds=None, handshake_seconds=0.5, frame_seconds=0.5)
    listener = open_listener(loop, server, there, link_class, link_limits=limits)

    def visit() -> None:
        plain = socket.create_connection(("127.0.0.1", listener.port_number), 5)
        do(deed, Talk(plain, hostile, is_server=False))

    stranger = Stranger(visit)
    loop.until(lambda: stranger.finished and listener.connections == 0)
    assert stranger.result is None
    there.batches.clear()
    open_connector(loop, listener.port_number, server.key_hash, here, link_class, node)
    loop.until(lambda: there.frames == [frame(2)])


@pytest.mark.parametrize("deed", DEEDS)
def test_a_connector_goes_on(loop: Loop, deed: Callable[[Talk], None]) -> None:
    """Even towards a peer with the pinned key."""
    hostile = LinkIdentity.generate()
    gate = listening_socket()

    def serve() -> None:
        with gate:
            for _ in range(2):
                do(deed, Talk(gate.accept()[0], hostile, is_server=True))

    stranger = Stranger(serve)
    here = Owner([frame(2)])
    limits = LinkLimits(idle_seconds=None, handshake_seconds=0.5, frame_seconds=0.5)
    connector = open_connector(loop, gate.getsockname()[1], hostile.key_hash, here, limits=limits)
    loop.until(lambda: stranger.finished, 20.0)
    connector.stop()
    loop.until(lambda: here.ups == here.downs)
    assert stranger.result is None


def test_takes_connections_that_were_reset_before(loop: Loop) -> None:
    """A hundred are in the kernel's queue, and none of them is alive any more."""
    server = LinkIdentity.generate()
    here, there = Owner([frame(2)]), Owner()
    listener = open_listener(loop, server, there)
    for _ in range(100):
        reset(socket.create_connection(("127.0.0.1", listener.port_number), 5))
    open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: there.frames == [frame(2)])


def test_an_owner_may_end_a_link_in_the_middle_of_a_read(loop: Loop) -> None:
    server = LinkIdentity.generate()
    here, there = Owner([frame(1), frame(2), frame(3)]), Owner()

    def end(link: FrameLink, _frames: list[bytes]) -> None:
        link.close()
        link.send([frame(9)])
        link.abort()
        link.close()

    there.on_frames = end
    listener = open_listener(loop, server, there)
    connector = open_connector(loop, listener.port_number, server.key_hash, here)
    loop.until(lambda: here.downs >= 1)
    connector.stop()
    loop.until(lambda: listener.connections == 0)
    assert there.drops[Drop.LINK_DOWN] >= 1
    assert (there.ups, here.frames) == (there.downs, [])


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "999.1.1.1", "1:2:3"])
def test_a_connector_goes_on_from_a_host_that_is_none(loop: Loop, host: str) -> None:
    """A node's own descriptor names its host, and others try to reach it."""
    here = Owner()
    connector = Connector(
        loop.reactor,
        host,
        1,
        None,
        LinkIdentity.generate().key_hash,
        LinkClass.CLIENT,
        FRAME_BYTES,
        here.handlers,
        rng=Shortest(),
    )
    connector.start()
    loop.run_for(0.4)
    connector.stop()
    assert here.ups == 0
    gc.collect()  # Twisted speaks of what nobody handled when it forgets it


class Shortest:
    """Draws the shortest waits."""

    def take(self, count: int) -> bytes:
        return bytes(count)
