"""What stands in the frames between nodes, and between a client and its provider.

Every command of a link class fills exactly one frame of the class's size: the first byte is the
command. Decoders take bytes from a peer who may be hostile and answer with a value or with
PeerError(FRAME). Frames carry packets as raw bytes: a link does not look into them. Spec:
docs/spec/link.md.
"""

from dataclasses import dataclass
from enum import IntEnum

from hushmill.codec import Reader
from hushmill.drops import Drop
from hushmill.errors import PeerError, UsageError
from hushmill.identifiers import AccountKey
from hushmill.link.control import Control
from hushmill.link.link_class import CONTROL_BYTES, LinkClass, frame_bytes
from hushmill.link.mail import MAIL_FIXED_BYTES, Mail
from hushmill.randomness import Randomness

LINK_VERSION = 1
ACCOUNT_KEY_BYTES = 32
ACCOUNT_SIGNATURE_BYTES = 64
PROOF_OF_WORK_BYTES = 8
ACCOUNT_CODE_BYTES = 32


class _Code(IntEnum):
    """The first byte. No code is used in two classes, so that a stray frame is refused."""

    RELAY = 0x01
    HELLO = 0x10
    RELAY_AND_FETCH = 0x11
    WELCOME = 0x20
    MAIL = 0x21


@dataclass(frozen=True, slots=True)
class Relay:
    """A packet to the next layer."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """Proves an account's key on this TLS session, once, before anything else.

    `signature` (64 bytes) is by `account` over `exporter_challenge`. An account that the provider
    does not know yet is opened by `code` (32 bytes, an operator's; zeros for none) or, where the
    operator allows it, by `proof_of_work` (8 bytes).
    """

    version: int
    account: AccountKey
    signature: bytes
    proof_of_work: bytes
    code: bytes

    def __post_init__(self) -> None:
        if (
            len(self.account) != ACCOUNT_KEY_BYTES
            or len(self.signature) != ACCOUNT_SIGNATURE_BYTES
            or len(self.proof_of_work) != PROOF_OF_WORK_BYTES
            or len(self.code) != ACCOUNT_CODE_BYTES
        ):
            raise UsageError("a hello's fields have 32, 64, 8 and 32 bytes")


@dataclass(frozen=True, slots=True)
class RelayAndFetch:
    """A packet to relay and the request for one mail frame, in one."""

    control: Control
    packet: bytes


class WelcomeStatus(IntEnum):
    """How a provider answers a hello."""

    ACCEPTED = 0
    REFUSED = 1  # signature, code or proof of work
    FULL = 2  # takes no new accounts
    OTHER_VERSION = 3


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a hello; after anything but ACCEPTED the provider closes the link."""

    version: int
    status: WelcomeStatus


class NodeFrames:
    """Frames of the NODE class for packets of one size."""

    __slots__ = ("frame_bytes", "packet_bytes")

    def __init__(self, packet_bytes: int) -> None:
        self.packet_bytes = packet_bytes
        self.frame_bytes = frame_bytes(LinkClass.NODE, packet_bytes)

    def encode(self, relay: Relay) -> bytes:
        _require_packet(relay.packet, self.packet_bytes)
        return bytes([_Code.RELAY]) + relay.packet

    def decode(self, frame: bytes) -> Relay:
        if len(frame) != self.frame_bytes or frame[0] != _Code.RELAY:
            raise PeerError(Drop.FRAME)
        return Relay(frame[1:])


class ClientFrames:
    """Frames of the CLIENT class. `body_bytes` is what a packet's payload leaves to its sender; a
    mail frame carries one such body, and pieces of the consensus fill the rest of it."""

    __slots__ = ("body_bytes", "frame_bytes", "packet_bytes", "piece_bytes")

    def __init__(self, packet_bytes: int, body_bytes: int) -> None:
        self.packet_bytes = packet_bytes
        self.body_bytes = body_bytes
        self.frame_bytes = frame_bytes(LinkClass.CLIENT, packet_bytes)
        self.piece_bytes = self.frame_bytes - 1 - MAIL_FIXED_BYTES - body_bytes
        if body_bytes <= 0 or not 0 < self.piece_bytes <= 0xFFFF:
            raise UsageError("a mail frame has no room for a body and a piece of the consensus")

    def encode_upstream(self, command: Hello | RelayAndFetch, rng: Randomness) -> bytes:
        match command:
            case Hello():
                return self._filled(_encode_hello(command), rng)
            case RelayAndFetch():
                _require_packet(command.packet, self.packet_bytes)
                control = command.control.encode(rng)
                return bytes([_Code.RELAY_AND_FETCH]) + control + command.packet

    def decode_upstream(self, frame: bytes) -> Hello | RelayAndFetch:
        match self._command(frame):
            case _Code.RELAY_AND_FETCH:
                control = Control.decode(frame[1 : 1 + CONTROL_BYTES])
                return RelayAndFetch(control, frame[1 + CONTROL_BYTES :])
            case _Code.HELLO:
                return _decode_hello(frame)
            case _:
                raise PeerError(Drop.FRAME)

    def encode_downstream(self, command: Welcome | Mail, rng: Randomness) -> bytes:
        match command:
            case Welcome():
                return self._filled(bytes([_Code.WELCOME, command.version, command.status]), rng)
            case Mail():
                return bytes([_Code.MAIL]) + command.encode(self.body_bytes, self.piece_bytes, rng)

    def decode_downstream(self, frame: bytes) -> Welcome | Mail:
        match self._command(frame):
            case _Code.MAIL:
                reader = Reader(frame)
                reader.take(1)
                mail = Mail.decode(reader, self.body_bytes, self.piece_bytes)
                reader.end()
                return mail
            case _Code.WELCOME:
                return _decode_welcome(frame)
            case _:
                raise PeerError(Drop.FRAME)

    def _command(self, frame: bytes) -> int:
        if len(frame) != self.frame_bytes:
            raise PeerError(Drop.FRAME)
        return frame[0]

    def _filled(self, fields: bytes, rng: Randomness) -> bytes:
        return fields + rng.take(self.frame_bytes - len(fields))


def _require_packet(packet: bytes, packet_bytes: int) -> None:
    if len(packet) != packet_bytes:
        raise UsageError(f"a packet of this network has {packet_bytes} bytes")


def _encode_hello(hello: Hello) -> bytes:
    head = bytes([_Code.HELLO, hello.version])
    return b"".join((head, hello.account, hello.signature, hello.proof_of_work, hello.code))


def _decode_hello(frame: bytes) -> Hello:
    reader = Reader(frame)
    reader.take(1)
    return Hello(
        version=reader.integer(1),
        account=AccountKey(reader.take(ACCOUNT_KEY_BYTES)),
        signature=reader.take(ACCOUNT_SIGNATURE_BYTES),
        proof_of_work=reader.take(PROOF_OF_WORK_BYTES),
        code=reader.take(ACCOUNT_CODE_BYTES),
    )


def _decode_welcome(frame: bytes) -> Welcome:
    try:
        return Welcome(version=frame[1], status=WelcomeStatus(frame[2]))
    except ValueError as error:
        raise PeerError(Drop.FRAME) from error
