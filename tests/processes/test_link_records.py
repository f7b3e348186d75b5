"""What an observer of a link sees: TLS records of one size, however traffic comes and goes."""

import socket
from collections.abc import Iterator

import pytest

from hushmill.codec import Reader
from hushmill.link import LinkClass
from hushmill.runtime import LinkIdentity
from tests.processes.link_loop import (
    FRAME_BYTES,
    Loop,
    Owner,
    frame,
    open_connector,
    open_listener,
    running_loop,
)
from tests.processes.strangers import Stranger, listening_socket, pump

RECORD_HEADER_BYTES = 5
FRAME_RECORD_BYTES = FRAME_BYTES + 1 + 16  # RFC 8446, 5.2: content type and the AEAD's tag
CLOSE_RECORD_BYTES = 2 + 1 + 16
APPLICATION_DATA = 23


@pytest.fixture
def loop() -> Iterator[Loop]:
    with running_loop() as loop:
        yield loop


class Tap:
    """A proxy on loopback that keeps a copy of each direction of the connections it carries."""

    def __init__(self, port: int, connections: int = 1) -> None:
        self._gate = listening_socket()
        self._port = port
        self.port: int = self._gate.getsockname()[1]
        self.ups = [bytearray() for _ in range(connections)]
        self.downs = [bytearray() for _ in range(connections)]
        self.thread = Stranger(self._work)

    def _work(self) -> None:
        with self._gate:
            for up, down in zip(self.ups, self.downs, strict=True):
                with (
                    self._gate.accept()[0] as client,
                    socket.create_connection(("127.0.0.1", self._port), 5) as server,
                ):
                    back = Stranger(lambda: pump(server, client, down))  # noqa: B023
                    pump(client, server, up)
                    back.join()


def records(stream: bytes) -> list[tuple[int, int]]:
    """(type, length) of each TLS record of a whole stream."""
    result, position = [], 0
    while position < len(stream):
        length = int.from_bytes(stream[position + 3 : position + 5], "big")
        result.append((stream[position], length))
        position += RECORD_HEADER_BYTES + length
    assert position == len(stream), "the stream does not end with a record"
    return result


def frame_records(stream: bytes, count: int, handshake: int) -> None:
    """Asserts that after `handshake` encrypted records the stream has `count` records of a frame's
    size, then at most the end of the session, and nothing else."""
    sealed = [length for kind, length in records(stream) if kind == APPLICATION_DATA]
    assert sealed[handshake : handshake + count] == [FRAME_RECORD_BYTES] * count
    assert sealed[handshake + count :] in ([], [CLOSE_RECORD_BYTES])


def test_sends_one_record_a_frame_whatever_the_traffic(loop: Loop) -> None:
    server, node = LinkIdentity.generate(), LinkIdentity.generate()
    here, there = Owner(), Owner()
    listener = open_listener(loop, server, there, LinkClass.DIRECTORY)
    tap = Tap(listener.port_number)
    connector = open_connector(loop, tap.port, server.key_hash, here, LinkClass.DIRECTORY, node)
    loop.until(lambda: here.links and there.links)
    sent = 0
    for burst in (1, 1, 2, 3, 50, 1, 400, 7):  # 400 frames are more than a socket takes at once
        connector.send([frame(sent + index) for index in range(burst)])
        there.link.send([frame(burst)])
        sent += burst
        loop.run_for(0.01)
    loop.until(lambda: len(there.frames) == sent and len(here.frames) == 8)
    assert there.frames == [frame(index) for index in range(sent)]
    connector.stop()
    loop.until(lambda: tap.thread.finished)
    # Encrypted handshake records: certificate, its proof, finished; the server's begin with the
    # encrypted extensions and its request for a certificate, and end with OpenSSL's two tickets.
    frame_records(bytes(tap.ups[0]), sent, handshake=3)
    frame_records(bytes(tap.downs[0]), 8, handshake=7)


def offered_extensions(stream: bytes) -> set[int]:
    """The types of a ClientHello's extensions (RFC 8446, 4.1.2), at the head of a stream."""
    reader = Reader(stream)
    reader.take(RECORD_HEADER_BYTES + 4 + 2 + 32)  # headers, legacy version, random
    for length_bytes in (1, 2, 1):  # session id, ciphers, compression
        reader.take(reader.integer(length_bytes))
    extensions = reader.take(reader.integer(2))
    types, reader = set(), Reader(extensions)
    position = 0
    while position < len(extensions):
        types.add(reader.integer(2))
        position += 4 + len(reader.take(reader.integer(2)))
    return types


def test_offers_no_session_again_and_names_no_server(loop: Loop) -> None:
    server = LinkIdentity.generate()
    here, there = Owner(), Owner([frame(1)])
    listener = open_listener(loop, server, there)
    tap = Tap(listener.port_number, connections=2)
    connector = open_connector(loop, tap.port, server.key_hash, here)
    loop.until(lambda: here.frames == [frame(1)])
    there.link.close()
    loop.until(lambda: here.frames == [frame(1)] * 2)
    connector.stop()
    loop.until(lambda: tap.thread.finished)
    supported_groups, server_name, pre_shared_key, early_data = 10, 0, 41, 42
    for up in tap.ups:
        offered = offered_extensions(bytes(up))
        assert supported_groups in offered
        assert not offered & {server_name, pre_shared_key, early_data}


def test_begins_with_tls_and_shows_no_frame_in_the_clear(loop: Loop) -> None:
    server = LinkIdentity.generate()
    canary = b"canary-9f0c".ljust(FRAME_BYTES, b"\x00")
    here, there = Owner([canary]), Owner()
    listener = open_listener(loop, server, there)
    tap = Tap(listener.port_number)
    connector = open_connector(loop, tap.port, server.key_hash, here)
    loop.until(lambda: there.frames == [canary])
    connector.stop()
    loop.until(lambda: tap.thread.finished)
    assert tap.ups[0][:3] == b"\x16\x03\x01"  # a handshake record
    assert b"canary" not in tap.ups[0] + tap.downs[0]
    assert b"hushmill" not in tap.ups[0] + tap.downs[0]  # nor a name, of server or certificate
