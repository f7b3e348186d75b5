"""Worker processes of this machine. One that dies costs its task's time and nothing else.

Each has a pipe of its own and one task at a time, so it is known whose task is lost. They are
spawned, not forked: a forked one would inherit the others' pipes. Ctrl-C is for the parent alone,
which kills them; and they end by themselves if it is killed.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Thread

from experiments.lab.runs.engine import Answers, Lost, decoded, encoded
from experiments.lab.runs.task import Order, performed
from hushmill.errors import ExitCode, UserError

ATTEMPTS = 3  # a task whose worker died so often is what kills them


@dataclass(slots=True)
class _Lane:
    """One worker and the task that it has, or None."""

    process: SpawnProcess
    connection: Connection
    order: Order | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Processes:
    """`jobs` worker processes."""

    jobs: int

    def answers(self, orders: Iterable[Order], lost: Lost) -> Answers:
        """As `Workers` says. Raises UserError(CONFIGURATION) for a task that three workers died
        of."""
        waiting: deque[tuple[Order, int]] = deque()
        coming = iter(orders)
        lanes: list[_Lane] = []
        try:
            while True:
                self._fill(lanes, waiting, coming)
                busy = {lane.connection: lane for lane in lanes if lane.order is not None}
                if not busy:
                    return
                for connection in wait(list(busy)):
                    lane = next(one for one in lanes if one.connection is connection)
                    order, lane.order = lane.order, None
                    if order is None:
                        continue
                    try:
                        answer = lane.connection.recv_bytes()
                    except (EOFError, ConnectionResetError):
                        _remove(lanes, lane)
                        lost(order, lane.attempt)
                        _require_attempts(order, lane.attempt)
                        waiting.append((order, lane.attempt))
                        continue
                    yield decoded(answer)
        finally:
            for lane in list(lanes):
                _remove(lanes, lane)

    def _fill(
        self, lanes: list[_Lane], waiting: deque[tuple[Order, int]], coming: Iterator[Order]
    ) -> None:
        """Gives every idle worker a task, and starts workers while there are tasks for them."""
        while True:
            idle = next((lane for lane in lanes if lane.order is None), None)
            if idle is None and len(lanes) >= self.jobs:
                return
            if not waiting:
                fresh = next(coming, None)
                if fresh is None:
                    return
                waiting.append((fresh, 0))
            lane = idle or _started()
            if idle is None:
                lanes.append(lane)
            order, attempts = waiting[0]
            try:
                lane.connection.send_bytes(encoded(order))
            except BrokenPipeError:  # it died idle: no task is to blame
                _remove(lanes, lane)
                continue
            waiting.popleft()
            lane.order, lane.attempt = order, attempts + 1


def _require_attempts(order: Order, attempt: int) -> None:
    if attempt >= ATTEMPTS:
        raise UserError(
            f"A worker process died {attempt} times at point {order.point}, replicate "
            f"{order.replicate}: the machine may have too little memory for it (try --jobs 1). "
            "What is finished is kept; the same command goes on.",
            ExitCode.CONFIGURATION,
        )


def _started() -> _Lane:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # or its death would not show here
    return _Lane(process, ours)


def _remove(lanes: list[_Lane], lane: _Lane) -> None:
    lanes.remove(lane)
    lane.connection.close()
    lane.process.kill()
    lane.process.join()
    lane.process.close()


def _serve(connection: Connection) -> None:
    """A worker: a task in, an answer out, until its parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            order = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(performed(order))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
