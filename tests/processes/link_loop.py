"""What tests of links stand on: a reactor that is stepped by hand, and recorded events."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from twisted.internet.epollreactor import EPollReactor
from twisted.logger import ILogObserver, globalLogPublisher

from hushmill.drops import Drop
from hushmill.identifiers import KeyHash
from hushmill.link import LinkClass
from hushmill.runtime import (
    Connector,
    FrameLink,
    LinkHandlers,
    LinkIdentity,
    LinkLimits,
    Listener,
    ListenerLimits,
    Reactor,
    listen,
)

FRAME_BYTES = 8193


class Loop:
    """An epoll reactor that runs only inside `until` and `run_for`. What Twisted catches and logs
    would end a service's process: it fails the test when the loop is closed."""

    def __init__(self) -> None:
        self._failures: list[str] = []
        globalLogPublisher.addObserver(cast("ILogObserver", self._note))
        self._twisted: Any = EPollReactor()
        self._twisted.startRunning(installSignalHandlers=False)
        self.reactor = cast("Reactor", self._twisted)
        self._stops: list[Callable[[], None]] = []

    def until(self, claim: Callable[[], object], seconds: float = 10.0) -> None:
        """Runs until `claim` holds; fails the test after `seconds`."""
        end = time.monotonic() + seconds
        while not claim():
            assert time.monotonic() < end, "it did not come about in time"
            self._twisted.iterate(0.01)

    def run_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._twisted.iterate(0)
        while time.monotonic() < end:
            self._twisted.iterate(0.01)

    def at_end(self, stop: Callable[[], None]) -> None:
        """`stop` is called when the test is over."""
        self._stops.append(stop)

    def close(self) -> None:
        """Stops everything that was opened, and fails if a socket stays open."""
        try:
            self._close()
        finally:
            globalLogPublisher.removeObserver(cast("ILogObserver", self._note))
        assert not self._failures, "\n".join(self._failures)

    def _close(self) -> None:
        for stop in self._stops:
            stop()
        self.until(lambda: not self._sockets(), 8.0)
        self.run_for(0.03)  # Twisted closes what it has let go of in a later turn
        for call in self._twisted.getDelayedCalls():
            call.cancel()
        if self._twisted.threadpool is not None:  # names are resolved in threads, which outlive us
            self._twisted.threadpool.stop()
        self._twisted.removeAll()
        self._twisted._poller.close()
        os.close(self._twisted.waker.i)
        os.close(self._twisted.waker.o)

    def _note(self, event: dict[str, Any]) -> None:
        failure = event.get("log_failure") or event.get("failure")
        if failure is not None:
            self._failures.append(failure.getTraceback())

    def _sockets(self) -> list[object]:
        selectables = {*self._twisted.getReaders(), *self._twisted.getWriters()}
        return [one for one in selectables if one not in self._twisted._internalReaders]


@contextmanager
def running_loop() -> Iterator[Loop]:
    loop = Loop()
    try:
        yield loop
    finally:
        loop.close()


class Owner:
    """Records what links tell their owner; sends `greeting` on each link that comes up."""

    def __init__(self, greeting: list[bytes] | None = None) -> None:
        self.links: list[FrameLink] = []
        self.ups = 0
        self.downs = 0
        self.batches: list[list[bytes]] = []
        self.drops: Counter[Drop] = Counter()
        self.on_frames: Callable[[FrameLink, list[bytes]], None] = lambda _link, _frames: None
        self._greeting = greeting or []

    @property
    def frames(self) -> list[bytes]:
        return [frame for batch in self.batches for frame in batch]

    @property
    def link(self) -> FrameLink:
        return self.links[-1]

    @property
    def handlers(self) -> LinkHandlers:
        return LinkHandlers(self._frames, self._up, self._down, self._drop)

    def _frames(self, link: FrameLink, frames: list[bytes]) -> None:
        self.batches.append(frames)
        self.on_frames(link, frames)

    def _up(self, link: FrameLink) -> None:
        self.ups += 1
        self.links.append(link)
        if self._greeting:
            link.send(self._greeting)

    def _down(self, link: FrameLink) -> None:
        self.downs += 1
        self.links.remove(link)

    def _drop(self, reason: Drop, number: int) -> None:
        self.drops[reason] += number


def anyone(_peer: KeyHash) -> bool:
    return True


def open_listener(
    loop: Loop,
    identity: LinkIdentity,
    owner: Owner,
    link_class: LinkClass = LinkClass.CLIENT,
    is_welcome: Callable[[KeyHash], bool] = anyone,
    link_limits: LinkLimits | None = None,
    listener_limits: ListenerLimits | None = None,
    port: int = 0,
) -> Listener:
    listener = listen(
        loop.reactor,
        "127.0.0.1",
        port,
        identity,
        link_class,
        FRAME_BYTES,
        owner.handlers,
        is_welcome=is_welcome,
        link_limits=link_limits,
        listener_limits=listener_limits,
    )
    loop.at_end(listener.stop)
    return listener


def open_connector(
    loop: Loop,
    port: int,
    pin: KeyHash,
    owner: Owner,
    link_class: LinkClass = LinkClass.CLIENT,
    identity: LinkIdentity | None = None,
    limits: LinkLimits | None = None,
) -> Connector:
    connector = Connector(
        loop.reactor,
        "127.0.0.1",
        port,
        identity,
        pin,
        link_class,
        FRAME_BYTES,
        owner.handlers,
        limits=limits,
    )
    connector.start()
    loop.at_end(connector.stop)
    return connector


def frame(number: int) -> bytes:
    """A frame that can be told from others."""
    return number.to_bytes(4, "big") + bytes([number % 251]) * (FRAME_BYTES - 4)
