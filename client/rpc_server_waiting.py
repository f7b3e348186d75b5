"""Calls that wait for news: how a command follows an inbox, or a message until it is delivered."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from client.rpc import JsonObject
from client.rpc_server import Answer
from hushmill.runtime import DelayedCall, Scheduler


class Waiting:
    """Calls that are answered when there is news, or when their time is over."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._open: dict[Deferred[JsonObject], tuple[Callable[[], JsonObject | None], DelayedCall]]
        self._open = {}

    def answer(
        self,
        news: Callable[[], JsonObject | None],
        otherwise: Callable[[], JsonObject],
        seconds: float,
    ) -> Answer:
        """`news()` as soon as it is not None, or `otherwise()` after `seconds`."""
        found = news()
        if found is not None or seconds <= 0:
            return otherwise() if found is None else found
        waiting: Deferred[JsonObject] = Deferred(self._forget)
        timer = self._scheduler.callLater(seconds, self._expire, waiting, otherwise)
        self._open[waiting] = (news, timer)
        return waiting

    def changed(self) -> None:
        """Something happened: answers whoever waited for it."""
        for waiting, (news, _) in list(self._open.items()):
            if waiting in self._open and (found := news()) is not None:
                self._forget(waiting)
                waiting.callback(found)

    def stop(self) -> None:
        for waiting in list(self._open):
            waiting.cancel()

    def _expire(self, waiting: Deferred[JsonObject], otherwise: Callable[[], JsonObject]) -> None:
        self._forget(waiting)
        waiting.callback(otherwise())

    def _forget(self, waiting: Deferred[JsonObject]) -> None:
        entry = self._open.pop(waiting, None)
        if entry is not None and entry[1].active():
            entry[1].cancel()
