"""A capture of everything on the loopback interface, for tests that look for what must not be."""

import base64
import socket
import struct
import threading
from dataclasses import dataclass

ETH_P_IP = 0x0800
ETHERNET_BYTES = 14
TCP = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """The payload of one TCP segment, never empty."""

    source: int
    target: int
    payload: bytes


class LoopbackCapture:
    """Captures TCP on `lo` between `start` and `stop`. Needs CAP_NET_RAW (`is_allowed`)."""

    def __init__(self, ports: set[int]) -> None:
        self._ports = ports
        self._segments: list[Segment] = []
        self._stopping = False
        self._socket = _open_socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def stop(self) -> list[Segment]:
        self._stopping = True
        self._thread.join()
        self._socket.close()
        return self._segments

    def _listen(self) -> None:
        while not self._stopping:
            try:
                frame, address = self._socket.recvfrom(1 << 17)
            except TimeoutError:
                continue
            if address[2] == socket.PACKET_OUTGOING:  # every frame on lo is seen out and in
                continue
            segment = _segment(frame[ETHERNET_BYTES:])
            if segment and {segment.source, segment.target} & self._ports:
                self._segments.append(segment)


def is_allowed() -> bool:
    """Whether this user may capture at all."""
    try:
        _open_socket().close()
    except PermissionError:
        return False
    return True


def _open_socket() -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    opened.bind(("lo", ETH_P_IP))
    return opened


def _segment(packet: bytes) -> Segment | None:
    if len(packet) < 20 or packet[9] != TCP:
        return None
    header = (packet[0] & 0x0F) * 4
    source, target = struct.unpack_from(">HH", packet, header)
    payload = packet[header + (packet[header + 12] >> 4) * 4 :]
    return Segment(source, target, payload) if payload else None


def disguises(canary: bytes) -> list[bytes]:
    """The canary as it is, in hexadecimal, and in base64 at each of its three alignments."""
    found = [canary, canary.hex().encode(), canary.hex().upper().encode()]
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + canary)
        found.append(text[4 if shift else 0 : -4])
    return found
