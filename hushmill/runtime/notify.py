"""Tells whoever started a service that it is ready: a line on stdout, and systemd if it asked."""

import os
import socket
import sys


def notify_ready() -> None:
    """Prints `ready` and sends READY=1 to NOTIFY_SOCKET where that is set (sd_notify(3))."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket's name begins with NUL
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.connect(address)
        notifier.sendall(b"READY=1")
