"""TLS 1.3 as links use it: what OpenSSL is told, and what it cannot be told and is checked after.

OpenSSL is told: TLS 1.3 alone; stateless tickets off and no session cache, so nothing is resumed
and there is no early data; whether to ask for a certificate. (It still sends two tickets, which
name sessions that it has not kept: pyOpenSSL cannot set their number to zero. They are worth
nothing, and our clients never offer one.) It checks that the peer holds the key of the
certificate that it shows. It is *not* asked to judge the certificate, which is self-signed and
says nothing: the callback takes every one, and `verdict` compares the hash of its key with the pin
once the handshake is over, before a byte of a frame is taken or sent. The key exchange is judged
in the same place, because pyOpenSSL cannot set the list of groups and OpenSSL would accept a
classical one from a peer who offers no other. So there is one place that decides, and it sees the
whole session. Spec: docs/spec/link.md (Handshake).
"""

import socket
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hushmill.crypto import key_hash_of_certificate
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import KeyHash
from hushmill.link import EXPORTER_BYTES, EXPORTER_LABEL
from hushmill.runtime.link_identity import LinkIdentity
from hushmill.runtime.reactor import Scheduler

if TYPE_CHECKING:
    from twisted.internet.protocol import Factory

    from hushmill.runtime.frame_link import FrameLink

PROTOCOL = "TLSv1.3"
GROUP = "X25519MLKEM768"  # draft-ietf-tls-ecdhe-mlkem: no link rests on a classical exchange alone
# 256-bit keys; AES first, since servers have it in hardware and then it costs half of ChaCha20.
CIPHERS = b"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

# How long the kernel may try to deliver bytes that a silent peer does not acknowledge (tcp(7)).
USER_TIMEOUT_MILLISECONDS = 30_000

RECORD_ROOM_BYTES = 64  # a record's head, its type and its tag (RFC 8446, 5.2), and some more


class PeerCertificate(Enum):
    """What a listener asks of those who connect."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


def _accept_any(
    _connection: SSL.Connection, _certificate: crypto.X509, _error: int, _depth: int, _ok: int
) -> bool:
    """The pin decides, after the handshake; see the head of this file."""
    return True


def _context(identity: LinkIdentity | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(CIPHERS)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if identity is not None:
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, identity.certificate_pem)
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, identity.key_pem)
        context.use_certificate(certificate.to_cryptography())
        context.use_privatekey(cast("Any", key.to_cryptography_key()))
    return context


@implementer(IOpenSSLClientConnectionCreator)
class ClientTls:
    """Makes the connecting ends of links. Shows `identity`'s certificate when asked for one."""

    def __init__(self, identity: LinkIdentity | None) -> None:
        self._context = _context(identity)
        self._context.set_verify(SSL.VERIFY_PEER, _accept_any)

    def clientConnectionForTLS(  # noqa: N802
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803
    ) -> SSL.Connection:
        # No server name is set: an observer would read it.
        return SSL.Connection(self._context, None)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the accepting ends of links."""

    def __init__(self, identity: LinkIdentity, asks: PeerCertificate) -> None:
        self._context = _context(identity)
        match asks:
            case PeerCertificate.REQUIRED:
                mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            case PeerCertificate.OPTIONAL:
                mode = SSL.VERIFY_PEER
            case PeerCertificate.NONE:
                mode = SSL.VERIFY_NONE
        self._context.set_verify(mode, _accept_any)

    def serverConnectionForTLS(  # noqa: N802
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803
    ) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def peer_hash_of(session: SSL.Connection) -> KeyHash | None:
    """The hash of the peer's key, None where the peer showed no certificate.

    Raises PeerError(HANDSHAKE) unless the finished handshake is TLS 1.3 with the hybrid group and
    not a resumption, and the certificate, if any, holds an Ed25519 key. Raises nothing else: all
    of what is looked at here is the peer's, and any other exception would end the process.
    """
    try:
        if session.get_protocol_version_name() != PROTOCOL or session.get_group_name() != GROUP:
            raise PeerError(Drop.HANDSHAKE)
        certificate = session.get_peer_certificate()
        if certificate is None:
            return None
        return key_hash_of_certificate(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
    except PeerError:
        raise
    except Exception as error:
        raise PeerError(Drop.HANDSHAKE) from error


def exporter_of(session: SSL.Connection) -> bytes:
    """32 bytes that both ends of this session, and nobody else, can derive.

    Raises PeerError(HANDSHAKE) for a session that has none.
    """
    try:
        return session.export_keying_material(EXPORTER_LABEL, EXPORTER_BYTES, b"")
    except SSL.Error as error:
        raise PeerError(Drop.HANDSHAKE) from error


class FrameTls(TLSMemoryBIOProtocol):
    """TLS under a FrameLink. One write is one record: Twisted's buffering of small writes is left
    out, so that a record is a frame, and the kernel still gets many at once."""

    def makeConnection(self, transport: Any) -> None:  # noqa: N802
        transport.setTcpNoDelay(True)  # a frame waits for nothing
        transport.setTcpKeepAlive(True)
        handle = transport.getHandle()
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MILLISECONDS)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, bytes: bytes) -> None:  # noqa: N802
        """Every record in what one read brought, and then the word that this was all."""
        super().dataReceived(bytes)  # type: ignore[no-untyped-call]
        cast("FrameLink", self.wrappedProtocol).read_ended()

    def read_at_once(self, size: int) -> None:
        """From now on one read of the socket takes at most `size` bytes."""
        cast("Any", self.transport).bufferSize = size

    @property
    def has_unwritten(self) -> bool:
        """Some of what was written has not been taken by the kernel."""
        transport = cast("Any", self.transport)
        return transport in transport.reactor.getWriters()

    def write_frames(self, frames: Sequence[bytes]) -> None:
        """Every frame as a record of its own, and all records to the transport as one write: a
        record each cost a system call's worth of Python more. A frame has at most 16,384 bytes."""
        if self.disconnecting and self._producer is None:
            return
        session = self._tlsConnection
        try:
            for frame in frames:
                if session.send(frame) != len(frame):
                    raise UsageError("a frame has more bytes than a TLS record")
            records = session.bio_read(sum(map(len, frames)) + RECORD_ROOM_BYTES * len(frames))
        except SSL.Error:
            # A memory BIO always takes a record, so this session is broken: as Twisted's own write.
            self._tlsShutdownFinished(Failure())  # type: ignore[no-untyped-call]
            return
        cast("Any", self.transport).write(records)


class FrameTlsFactory(TLSMemoryBIOFactory):
    """Puts FrameTls under every FrameLink that `links` makes; the end is `tls`'s kind."""

    protocol = FrameTls
    noisy = False

    def __init__(
        self, tls: ClientTls | ServerTls, links: "Factory[FrameLink]", reactor: Scheduler
    ) -> None:
        # Zope's interfaces are no types to mypy: these three provide what is asked for.
        creator, wrapped, clock = cast("tuple[Any, Any, Any]", (tls, links, reactor))
        super().__init__(creator, isinstance(tls, ClientTls), wrapped, clock)
