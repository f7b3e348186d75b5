"""The part of Twisted's reactor that this project uses, as types, and the one way to get it."""

import sys
from collections.abc import Callable
from typing import Any, Protocol, cast


class DelayedCall(Protocol):
    """A call that has been put off."""

    def cancel(self) -> None: ...

    def active(self) -> bool: ...

    def reset(self, secondsFromNow: float) -> None: ...  # noqa: N803  # Twisted's name


class Port(Protocol):
    """A listening socket."""

    def stopListening(self) -> object: ...  # noqa: N802

    def getHost(self) -> Any: ...  # noqa: N802


class Connecting(Protocol):
    """An attempt to connect, or the connection that came of it."""

    def disconnect(self) -> object: ...


class Scheduler(Protocol):
    """What a Driver needs: `twisted.internet.task.Clock` has it too."""

    def callLater(  # noqa: N802
        self, delay: float, callable: Callable[..., object], *args: object
    ) -> DelayedCall: ...


class Reactor(Scheduler, Protocol):
    """What services need."""

    def callWhenRunning(  # noqa: N802
        self, callable: Callable[..., object], *args: object
    ) -> object: ...

    def callFromThread(  # noqa: N802
        self, callable: Callable[..., object], *args: object
    ) -> object: ...

    def connectTCP(  # noqa: N802
        self, host: str, port: int, factory: object, timeout: float = 30
    ) -> Connecting: ...

    def listenUNIX(  # noqa: N802
        self, address: str, factory: object, backlog: int = 50, mode: int = 0o666
    ) -> Port: ...

    def addReader(self, reader: object) -> None: ...  # noqa: N802

    def removeReader(self, reader: object) -> None: ...  # noqa: N802

    def addSystemEventTrigger(  # noqa: N802
        self,
        phase: str,
        eventType: str,  # noqa: N803
        callable: Callable[..., object],
    ) -> object: ...

    def fireSystemEvent(self, eventType: str) -> None: ...  # noqa: N802, N803

    def run(self, installSignalHandlers: bool = True) -> None: ...  # noqa: N803

    def stop(self) -> None: ...


def install_reactor() -> Reactor:
    """The process's reactor, on epoll, imported only now."""
    if "twisted.internet.reactor" not in sys.modules:
        from twisted.internet import epollreactor

        epollreactor.install()
    from twisted.internet import reactor

    return cast("Reactor", reactor)
