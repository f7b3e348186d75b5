"""Who is refused on a link, over real sockets, and that refusal comes before any frame."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL, crypto

from hushmill.drops import Drop
from hushmill.link import LinkClass
from hushmill.runtime import LinkIdentity, LinkLimits
from tests.processes.link_loop import (
    FRAME_BYTES,
    Loop,
    Owner,
    frame,
    open_connector,
    open_listener,
    running_loop,
)
from tests.processes.strangers import (
    Stranger,
    client_context,
    listening_socket,
    pump,
    read_all,
    server_context,
)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


@pytest.fixture
def server() -> LinkIdentity:
    return LinkIdentity.generate()


def test_carries_frames_both_ways_and_binds_both_ends_to_one_session(
    loop: Loop, server: LinkIdentity
) -> None:
    node = LinkIdentity.generate()
    here, there = Owner(), Owner()
    listener = open_listener(loop, server, there, LinkClass.DIRECTORY)
    connector = open_connector(
        loop, listener.port_number, server.key_hash, here, LinkClass.DIRECTORY, node
    )
    loop.until(lambda: here.links and there.links)
    assert here.link.peer_hash == server.key_hash
    assert there.link.peer_hash == node.key_hash
    assert here.link.exporter() == there.link.exporter()
    assert len(here.link.exporter()) == 32
    connector.send([frame(number) for number in range(40)])
    there.link.send([frame(number) for number in range(100, 130)])
    loop.until(lambda: len(there.frames) == 40 and len(here.frames) == 30)
    assert there.frames == [frame(number) for number in range(40)]
    assert here.frames == [frame(number) for number in range(100, 130)]
    assert len(there.batches) < 40  # one read brings many
    assert not here.drops
    assert not there.drops


def test_gives_each_session_another_exporter(loop: Loop, server: LinkIdentity) -> None:
    first, second, there = Owner(), Owner(), Owner()
    listener = open_listener(loop, server, there)
    for owner in (first, second):
        open_connector(loop, listener.port_number, server.key_hash, owner)
    loop.until(lambda: first.links and second.links and there.ups == 2)
    assert first.link.exporter() != second.link.exporter()
    assert there.link.peer_hash is None  # clients show no certificate


def test_refuses_a_peer_of_the_right_name_and_the_wrong_key(
    loop: Loop, server: LinkIdentity
) -> None:
    pinned = LinkIdentity.generate()
    here, there = Owner([frame(1)]), Owner([frame(2)])
    listener = open_listener(loop, server, there)
    open_connector(loop, listener.port_number, pinned.key_hash, here)
    loop.until(lambda: here.drops[Drop.HANDSHAKE] >= 2)  # it tries again, and refuses again
    loop.run_for(0.2)
    assert here.ups == 0
    assert not here.frames
    assert not there.frames


def test_refuses_a_node_whose_key_is_not_welcome(loop: Loop, server: LinkIdentity) -> None:
    admitted, other = LinkIdentity.generate(), LinkIdentity.generate()
    here, there = Owner([frame(1)]), Owner()
    listener = open_listener(
        loop, server, there, LinkClass.NODE, lambda peer: peer == admitted.key_hash
    )
    open_connector(loop, listener.port_number, server.key_hash, here, LinkClass.NODE, other)
    loop.until(lambda: there.drops[Drop.HANDSHAKE] >= 1 and here.downs >= 1)
    assert there.ups == 0
    assert not there.frames
    welcome = Owner([frame(2)])
    open_connector(loop, listener.port_number, server.key_hash, welcome, LinkClass.NODE, admitted)
    loop.until(lambda: there.frames == [frame(2)])


def test_refuses_a_node_without_a_certificate(loop: Loop, server: LinkIdentity) -> None:
    here, there = Owner([frame(1)]), Owner()
    listener = open_listener(loop, server, there, LinkClass.NODE)
    open_connector(loop, listener.port_number, server.key_hash, here, LinkClass.NODE, None)
    loop.until(lambda: here.downs >= 1)
    loop.until(lambda: listener.connections == 0)
    assert there.ups == 0
    assert not there.frames


def s_client(port: int, *options: str) -> Stranger:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]

    def work() -> str:
        done = subprocess.run(
            command, input="", capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout + done.stderr

    return Stranger(work)


def test_closes_on_a_peer_that_offers_only_x25519(loop: Loop, server: LinkIdentity) -> None:
    there = Owner([frame(1)])
    listener = open_listener(loop, server, there)
    stranger = s_client(listener.port_number, "-tls1_3", "-groups", "X25519", "-msg")
    loop.until(lambda: stranger.finished)
    said = str(stranger.result)
    assert "ServerHello" in said  # OpenSSL itself agrees to the group; the verdict does not
    assert "X25519" in said
    assert "ApplicationData" not in said
    assert there.ups == 0
    assert there.drops == {Drop.HANDSHAKE: 1}


def test_sends_nothing_to_the_right_key_behind_x25519(
    loop: Loop, server: LinkIdentity, tmp_path: Path
) -> None:
    context = server_context(server, tmp_path)
    listener = listening_socket()

    def serve() -> tuple[str | None, bytes]:
        with listener, listener.accept()[0] as plain:
            plain.settimeout(5)
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    return secure.version(), read_all(secure)
            except ConnectionResetError:  # hung up on before the server's library looked again
                return "TLSv1.3", b""

    stranger = Stranger(serve)
    here = Owner([frame(1)])
    connector = open_connector(loop, listener.getsockname()[1], server.key_hash, here)
    loop.until(lambda: stranger.finished)
    connector.stop()
    assert stranger.result == ("TLSv1.3", b"")
    assert here.ups == 0
    assert here.drops[Drop.HANDSHAKE] >= 1


def test_refuses_tls_1_2_from_a_client(loop: Loop, server: LinkIdentity) -> None:
    there = Owner([frame(1)])
    listener = open_listener(loop, server, there)
    context = client_context(ssl.TLSVersion.TLSv1_2)

    def connect() -> None:
        with socket.create_connection(("127.0.0.1", listener.port_number), 5) as plain:
            context.wrap_socket(plain).close()

    stranger = Stranger(connect)
    loop.until(lambda: stranger.finished and listener.connections == 0)
    assert isinstance(stranger.result, ssl.SSLError)
    assert "PROTOCOL_VERSION" in str(stranger.result)
    assert there.ups == 0


def test_refuses_tls_1_2_from_a_server(loop: Loop, server: LinkIdentity, tmp_path: Path) -> None:
    context = server_context(server, tmp_path, ssl.TLSVersion.TLSv1_2)
    listener = listening_socket()

    def serve() -> None:
        with listener, listener.accept()[0] as plain:
            plain.settimeout(5)
            context.wrap_socket(plain, server_side=True).close()

    stranger = Stranger(serve)
    here = Owner([frame(1)])
    connector = open_connector(loop, listener.getsockname()[1], server.key_hash, here)
    loop.until(lambda: stranger.finished)
    connector.stop()
    assert isinstance(stranger.result, ssl.SSLError)
    assert here.ups == 0


class TicketClient:
    """A client with tickets on and the hybrid group, which resumes whatever it can."""

    def __init__(self, port: int) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._port = port
        self._session: SSL.Session | None = None
        self.resumed: list[bool] = []

    def visit(self) -> bytes:
        """The first bytes that the server says, at most a frame; the session is kept."""
        with socket.create_connection(("127.0.0.1", self._port), 5) as plain:
            plain.setblocking(True)
            connection = SSL.Connection(self._context, plain)
            if self._session is not None:
                connection.set_session(self._session)
            connection.set_connect_state()
            connection.do_handshake()
            data = b""
            while not data or len(data) % FRAME_BYTES:
                data += connection.recv(65536)
            self._session = connection.get_session()
            library: Any = SSL.__dict__["_lib"]  # pyOpenSSL has no method for it
            self.resumed.append(bool(library.SSL_session_reused(connection._ssl)))
            connection.shutdown()  # else OpenSSL forgets the session
            return data


def test_resumes_no_session(loop: Loop, server: LinkIdentity) -> None:
    there = Owner([frame(1)])
    listener = open_listener(loop, server, there)
    client = TicketClient(listener.port_number)
    for _ in range(2):
        visit = Stranger(client.visit)
        loop.until(lambda visit=visit: visit.finished)  # type: ignore[misc]
        assert visit.result == frame(1)
    assert client.resumed == [False, False]


def test_sees_resumption_where_it_is_on(server: LinkIdentity) -> None:
    """The test above can fail: an OpenSSL server left to itself resumes the same client."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(
        crypto.load_certificate(crypto.FILETYPE_PEM, server.certificate_pem).to_cryptography()
    )
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, server.key_pem).to_cryptography_key()
    context.use_privatekey(key)  # type: ignore[arg-type]
    listener = listening_socket()

    def serve() -> None:
        with listener:
            for _ in range(2):
                with listener.accept()[0] as plain:
                    plain.setblocking(True)
                    connection = SSL.Connection(context, plain)
                    connection.set_accept_state()
                    connection.do_handshake()
                    connection.sendall(frame(1))
                    plain.shutdown(socket.SHUT_WR)
                    read_all(plain)

    stranger = Stranger(serve)
    client = TicketClient(listener.getsockname()[1])
    assert client.visit() == client.visit() == frame(1)
    stranger.join(10)
    assert client.resumed == [False, True]


def test_takes_nothing_from_a_replayed_stream(loop: Loop, server: LinkIdentity) -> None:
    """All that a client once sent, from the ClientHello on, sent again by somebody else."""
    there = Owner()
    listener = open_listener(loop, server, there, link_limits=LinkLimits(None, 1.0))
    gate = listening_socket()
    recorded = bytearray()

    def record() -> None:
        with (
            gate,
            gate.accept()[0] as client,
            socket.create_connection(("127.0.0.1", listener.port_number), 5) as onward,
        ):
            back = Stranger(lambda: pump(onward, client, None))
            pump(client, onward, recorded)
            back.join(5)

    proxy = Stranger(record)
    here = Owner([frame(1)])
    connector = open_connector(loop, gate.getsockname()[1], server.key_hash, here)
    loop.until(lambda: there.frames)
    connector.stop()
    loop.until(lambda: proxy.finished)

    def replay() -> None:
        with socket.create_connection(("127.0.0.1", listener.port_number), 5) as plain:
            plain.sendall(recorded)
            read_all(plain)

    replayed = Stranger(replay)
    loop.until(lambda: replayed.finished and listener.connections == 0)
    assert there.ups == 1
    assert there.frames == [frame(1)]


def test_makes_another_key_for_every_machine_and_keeps_it_private(tmp_path: Path) -> None:
    first = LinkIdentity.load_or_create(tmp_path / "a")
    second = LinkIdentity.load_or_create(tmp_path / "b")
    assert first.key_hash != second.key_hash
    assert LinkIdentity.load_or_create(tmp_path / "a").certificate_pem == first.certificate_pem
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert "key" not in repr(first).lower()
