"""Progress on stderr: a bar on a terminal, elsewhere one line for each new thing that goes on."""

import contextlib
from collections.abc import Iterator

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from experiments.lab.runs.engine import Report


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[Report]:
    """What to call with what goes on, how many are done, and of how many."""
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)


class _Lines:
    """A line each time something else goes on."""

    def __init__(self) -> None:
        self._title = ""

    def __call__(self, title: str, done: int, of: int) -> None:
        if title != self._title:
            self._title = title
            click.echo(f"{title}: {done} of {of} tasks are done …", err=True)


class _Bar:
    """A bar that begins anew each time something else goes on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._title = ""

    def __call__(self, title: str, done: int, of: int) -> None:
        if self._task is None or title != self._title:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._title = title
            self._task = self._progress.add_task(title, total=of)
        self._progress.update(self._task, completed=done, total=of)
