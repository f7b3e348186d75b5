"""Hears of a file descriptor that has something to read: an eventfd, or the end of a pipe."""

import os
from collections.abc import Callable

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from hushmill.runtime.reactor import Reactor


@implementer(IReadDescriptor)
class DescriptorReader:
    """Calls `on_readable(descriptor)` on the reactor until `close`, and owns the descriptor."""

    def __init__(
        self, reactor: Reactor, descriptor: int, on_readable: Callable[[int], None]
    ) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._on_readable = on_readable
        self._is_open = True
        reactor.addReader(self)

    def close(self) -> None:
        """Stops, and closes the descriptor. Again changes nothing."""
        if self._is_open:
            self._is_open = False
            self._reactor.removeReader(self)
            os.close(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor if self._is_open else -1

    def doRead(self) -> None:  # noqa: N802  # Twisted's names from here on
        self._on_readable(self._descriptor)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """The other end of a pipe is gone, which epoll tells in another way than Twisted's reading;
        or `doRead` has raised, and `run_service` ends the process."""
        if reason.check(ConnectionDone, ConnectionLost) and self._is_open:
            self._on_readable(self._descriptor)

    def logPrefix(self) -> str:  # noqa: N802
        return "descriptor"
