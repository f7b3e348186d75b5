"""What commands that take long have in common: they say what goes on, and leave nothing behind."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator["Report"]:
    """A progress bar on a terminal; elsewhere one line for each new thing that goes on."""
    if not console.is_terminal:
        yield Report(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Report(progress)


class Report:
    """Called with what goes on, how far it is, and out of how much."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._title = ""

    def __call__(self, title: str, done: int, of: int) -> None:
        is_new, self._title = title != self._title, title
        if self._progress is None:
            if is_new:
                click.echo(f"{title} …", err=True)
            return
        if is_new:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(title, total=of)
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=of)


@contextlib.contextmanager
def interrupt_on_terminate() -> Iterator[None]:
    """A SIGTERM ends the block as Ctrl-C does, so that nothing is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
