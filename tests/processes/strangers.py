"""Peers that are not ours: blocking TLS ends of other libraries, each in a thread of its own."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from hushmill.runtime import LinkIdentity


class Stranger(threading.Thread):
    """Runs `work` and keeps what it returns or raises; `finished` is for a loop's `until`."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: object = None
        self.finished = False
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.result = error
        finally:
            self.finished = True


def client_context(maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = maximum
    return context


def server_context(
    identity: LinkIdentity, folder: Path, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """A server with the *right* key and certificate of `identity`."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(identity.certificate_pem)
    key.write_bytes(identity.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.maximum_version = maximum
    return context


def listening_socket() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.settimeout(10)
    return listener


def read_all(connection: socket.socket) -> bytes:
    """Everything until the peer closes or resets."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except (OSError, ssl.SSLError):
        pass
    return data


def pump(source: socket.socket, target: socket.socket, copy: bytearray | None) -> None:
    """Carries everything from `source` to `target`, and into `copy` where one is wanted."""
    source.settimeout(10)
    try:
        while chunk := source.recv(65536):
            if copy is not None:
                copy += chunk
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
