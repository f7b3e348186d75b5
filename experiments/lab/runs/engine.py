"""The run engine: orders out, answers in, each kept on disk before the next is asked for.

It does not know who works. `Workers` are this process (here), processes of this machine
(`processes.py`) or a cluster (`cluster.py`); the same orders give the same bytes with each.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from experiments.lab.registry import EXPERIMENTS, experiment_named
from experiments.lab.runs.plan import Plan, planned, spawn_key_of
from experiments.lab.runs.run_directory import RunDirectory, begun
from experiments.lab.runs.summary import Row, summarised
from experiments.lab.runs.sweep import Sweep
from experiments.lab.runs.task import Answer, Failure, Order, Result, performed
from hushmill.errors import ExitCode, UserError

Answers = Generator[Answer, None, None]
Report = Callable[[str, int, int], None]  # what goes on, how many are done, of how many
Lost = Callable[[Order, int], None]  # the task whose worker died, and for which time


class Workers(Protocol):
    """Who does tasks. Closing the generator ends the work, whatever is unfinished."""

    def answers(self, orders: Iterable[Order], lost: Lost) -> Answers:
        """An answer to each order, in any order; calls `lost` for each worker that died."""
        ...


class ThisProcess:
    """One task after the other, here."""

    def answers(self, orders: Iterable[Order], lost: Lost) -> Answers:
        for order in orders:
            yield decoded(performed(encoded(order)))


def run_sweep(
    sweep: Sweep,
    folder: Callable[[Plan], Path],
    workers: Workers,
    report: Report,
    known: Mapping[str, str] = EXPERIMENTS,
) -> tuple[RunDirectory, list[Row]]:
    """Runs what is missing of `sweep` in the folder that is chosen for its plan, and gives the run
    and its summary. `known` is the registry: experiment → module.

    Raises UserError: as `planned` and `begun` do; and for a task that failed or whose workers kept
    dying, named by its point. What is finished stays and is not done again.
    """
    plan = planned(sweep, experiment_named(sweep.experiment, known))
    module = known[sweep.experiment]
    with begun(folder(plan), plan, module) as run:
        done = run.finished()
        count, title = len(done), f"Running {sweep.experiment} in {run.folder}"
        run.note("begun", finished=count, of=plan.tasks)
        report(title, count, plan.tasks)
        orders = (order for order in orders_of(plan, module) if place_of(order) not in done)

        def lost(order: Order, attempt: int) -> None:
            run.note("lost", point=order.point, replicate=order.replicate, attempt=attempt)

        with closing(workers.answers(orders, lost)) as answers:
            for answer in answers:
                if isinstance(answer, Failure):
                    run.note("failed", point=answer.point, traceback=answer.traceback)
                    raise failed(plan, answer)
                run.keep(answer)
                run.note("done", point=answer.point, replicate=answer.replicate)
                count += 1
                report(title, count, plan.tasks)
        rows = run.finish()
        run.note("finished")
    return run, rows


def measured(
    sweep: Sweep, workers: Workers | None = None, known: Mapping[str, str] = EXPERIMENTS
) -> list[Row]:
    """The summary of `sweep` without a folder: nothing is kept and nothing resumed."""
    plan = planned(sweep, experiment_named(sweep.experiment, known))
    results: list[Result] = []
    orders = orders_of(plan, known[sweep.experiment])
    answers = (workers or ThisProcess()).answers(orders, lambda _order, _attempt: None)
    with closing(answers):
        for answer in answers:
            if isinstance(answer, Failure):
                raise failed(plan, answer)
            results.append(answer)
    return summarised(plan.points, results)


def orders_of(plan: Plan, module: str) -> Iterator[Order]:
    """Every task of the plan, point by point."""
    for point in plan.points:
        for replicate in range(plan.sweep.replicates):
            yield Order(
                module=module,
                parameters=dict(point.parameters),
                seed=plan.sweep.seed,
                spawn_key=spawn_key_of(replicate),
                point=point.index,
                replicate=replicate,
            )


def place_of(order: Order) -> tuple[int, int]:
    return order.point, order.replicate


def failed(plan: Plan, failure: Failure) -> UserError:
    """What a person is told of a task that cannot be done."""
    place = f"{plan.points[failure.point].place}, replicate {failure.replicate}"
    text = f"{plan.sweep.experiment} at {place}: {failure.text}"
    return UserError(text, ExitCode(failure.exit_code))


def encoded(order: Order) -> bytes:
    return msgspec.json.encode(order)


def decoded(answer: bytes) -> Answer:
    return msgspec.json.decode(answer, type=Result | Failure)
