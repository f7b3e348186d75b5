"""A service as a process: it runs until it is told to stop, and a bug ends it.

Twisted by itself writes an exception to its log and goes on. Here one that nobody caught stops the
process with exit 1, because a node with a bug in it must be red and not quiet. Bytes from peers
cannot get that far: a link catches PeerError.
"""

import gc
import logging
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, cast

from hushmill.runtime.files import private_umask
from hushmill.runtime.reactor import Reactor, install_reactor

if TYPE_CHECKING:
    from twisted.logger import ILogObserver

_log = logging.getLogger(__name__)
DRAIN = "drain"
HURRY = "hurry"
COLLECTED_AFTER_OBJECTS = 50_000
COLLECTED_AFTER_CONNECTIONS = 128


def run_service(start: Callable[[Reactor], None]) -> None:
    """Calls `start` on the running reactor and returns when the reactor is stopped (SIGTERM).

    A service may take its time to end: before the reactor stops for a first SIGTERM or SIGINT it
    fires the event DRAIN, and what waits in a "before shutdown" trigger is waited for. A second
    signal fires HURRY, and so does an exception that nothing caught: then it must end at once.

    Raises whatever `start` raised (UserError for what an operator can mend), KeyboardInterrupt
    after SIGINT, and the first exception that nothing caught.
    """
    from twisted.internet.error import ReactorNotRunning
    from twisted.logger import globalLogBeginner

    reactor = install_reactor()
    private_umask()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold every key in memory
    _spare_the_collector()
    ends: list[BaseException] = []
    has_stopped: list[bool] = []

    def end(error: BaseException) -> None:
        if not ends:
            ends.append(error)
        stop(is_told=False)

    def told(number: int, _frame: FrameType | None) -> None:
        reactor.callFromThread(obey, number)

    def obey(number: int) -> None:
        if number == signal.SIGINT and not ends:
            ends.append(KeyboardInterrupt())
        stop(is_told=True)

    def stop(*, is_told: bool) -> None:
        is_first = not has_stopped
        has_stopped.append(True)
        reactor.fireSystemEvent(DRAIN if is_told and is_first else HURRY)
        with suppress(ReactorNotRunning):  # it is stopping already
            reactor.stop()

    def observe(event: dict[str, object]) -> None:
        # What a socket's read or write raises comes by Twisted's older way of logging.
        failure = event.get("log_failure") or event.get("failure")
        error = getattr(failure, "value", None)
        if isinstance(error, BaseException):
            _log.error("unexpected exception", exc_info=error)
            if not ends:  # the reactor may be stopping, and do no more of what it is asked
                ends.append(error)
            # Not at once: what was logged may be raised inside the reactor's own loop.
            reactor.callFromThread(end, error)

    def begin() -> None:
        signal.signal(signal.SIGTERM, told)  # the reactor has put its own there
        try:
            start(reactor)
        except BaseException as error:
            end(error)

    globalLogBeginner.beginLoggingTo(
        [cast("ILogObserver", observe)], redirectStandardIO=False, discardBuffer=True
    )
    signal.signal(signal.SIGINT, told)
    reactor.callWhenRunning(begin)
    reactor.run()
    if ends:
        raise ends[0]


def _spare_the_collector() -> None:
    """What is loaded by now lives as long as the process, and what comes and goes with packets has
    no cycles, so reference counts free it: looking for cycles every 700 objects, as Python does by
    itself, cost a busy node a twelfth of its time."""
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER_OBJECTS, 10, 10)


class ClosedConnections:
    """Counts connections that have ended: each is a few objects in a cycle, which hold some 70 KB
    of OpenSSL's that the collector does not see, so it would not come for them in time."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def one_more(self) -> None:
        self._count += 1
        if self._count >= COLLECTED_AFTER_CONNECTIONS:
            self._count = 0
            gc.collect(1)


closed_connections = ClosedConnections()
