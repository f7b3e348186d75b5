"""Tells whoever started a service how it is: a line on stdout, and systemd if it asked."""

import os
import socket
import sys
from contextlib import suppress


def notify_ready() -> None:
    """Prints `ready`, and tells systemd."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    notify("READY=1")


def notify(state: str) -> None:
    """Sends `state`, lines of NAME=VALUE, to NOTIFY_SOCKET where that is set (sd_notify(3)). A
    manager who does not listen is no reason to end."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket's name begins with NUL
        address = "\0" + address[1:]
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_UNIX, kind) as notifier, suppress(OSError):
        notifier.settimeout(1.0)
        notifier.connect(address)
        notifier.sendall(state.encode())


def notify_alive() -> None:
    """For systemd's watchdog, where that is set for this process; call it several times a period,
    from what must not stand still."""
    if os.environ.get("WATCHDOG_USEC") and os.environ.get("WATCHDOG_PID") == str(os.getpid()):
        notify("WATCHDOG=1")
