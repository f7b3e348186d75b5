"""A call that waits is answered by news, by its time, or by its connection's end; once."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from client.rpc import JsonObject
from client.rpc_server import Answer
from client.rpc_server_waiting import Waiting


class Mailbox:
    def __init__(self) -> None:
        self.clock = Clock()
        self.waiting = Waiting(self.clock)
        self.messages: list[str] = []

    def ask(self, seconds: float) -> Answer:
        return self.waiting.answer(self.news, self.otherwise, seconds)

    def news(self) -> JsonObject | None:
        return self.otherwise() if self.messages else None

    def otherwise(self) -> JsonObject:
        return {"count": len(self.messages)}

    def ask_and_wait(self, seconds: float) -> list[JsonObject | Failure]:
        answer, answers = self.ask(seconds), list[JsonObject | Failure]()
        assert isinstance(answer, Deferred)
        answer.addBoth(answers.append)
        return answers


def test_answers_at_once_where_there_is_news_or_no_time() -> None:
    box = Mailbox()
    assert box.ask(0) == {"count": 0}
    box.messages.append("a")
    assert box.ask(10) == {"count": 1}
    assert not box.clock.getDelayedCalls()


def test_answers_when_there_is_news() -> None:
    box = Mailbox()
    answers = box.ask_and_wait(10)
    box.waiting.changed()
    assert answers == []
    box.messages.append("a")
    box.waiting.changed()
    box.waiting.changed()
    assert answers == [{"count": 1}]
    assert not box.clock.getDelayedCalls()


def test_answers_when_its_time_is_over() -> None:
    box = Mailbox()
    answers = box.ask_and_wait(10)
    box.clock.advance(9.9)
    assert answers == []
    box.clock.advance(0.2)
    assert answers == [{"count": 0}]
    box.waiting.changed()


def test_forgets_a_call_that_was_given_up() -> None:
    box = Mailbox()
    first, second = box.ask(10), box.ask_and_wait(10)
    assert isinstance(first, Deferred)
    first.addErrback(lambda reason: reason.trap(CancelledError))
    first.cancel()
    assert len(box.clock.getDelayedCalls()) == 1
    box.waiting.stop()
    assert [type(answer) for answer in second] == [Failure]
    assert not box.clock.getDelayedCalls()
