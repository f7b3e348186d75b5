"""The processes beside the node: each gets a job, and ends when its standard input does.

A job is one line of JSON; from then on a helper says words on its standard output and hears words
on its standard input, a line each. So none outlives the bench, however that ends.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hushmill.errors import ExitCode, UserError

ROOT = Path(__file__).resolve().parents[1]
END_SECONDS = 20.0
HEAR_SECONDS = 15.0


class Helper:
    """One process, on `cores` with all that it starts."""

    def __init__(self, module: str, words: list[str], cores: Collection[int]) -> None:
        self._heard = b""
        self._has_job = False
        with running_on(cores):
            self.process = subprocess.Popen(  # noqa: S603 (our own module)
                [sys.executable, "-P", "-m", module, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is the bench's to act on
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    @classmethod
    def with_job(cls, module: str, job: msgspec.Struct, cores: Collection[int]) -> "Helper":
        helper = cls(module, [], cores)
        helper._has_job = True
        helper.tell(msgspec.json.encode(job).decode())
        return helper

    @property
    def cpu_seconds(self) -> float:
        """Of the process and its children, user and system."""
        return sum(_cpu_seconds(number) for number in self.processes())

    @property
    def memory_bytes(self) -> int:
        """Resident, of the process and its children; what they share is counted once."""
        return sum(_proportional_bytes(number) for number in self.processes())

    def processes(self) -> list[int]:
        """Its process number and those of its children, which have none themselves."""
        number = self.process.pid
        tasks = Path(f"/proc/{number}/task")
        children = [
            int(child)
            for task in tasks.iterdir()
            for child in (task / "children").read_text().split()
        ]
        return [number, *children]

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None  # noqa: S101 (it was opened with a pipe)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, word: str, seconds: float = HEAR_SECONDS) -> str:
        """Waits for `word`, and gives what stands behind it in its line. Raises UserError(BUG) if
        the process says something else, ends, or says nothing for so long."""
        assert self.process.stdout is not None  # noqa: S101 (it was opened with a pipe)
        descriptor, end = self.process.stdout.fileno(), monotonic() + seconds
        while b"\n" not in self._heard:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - monotonic()))
            more = os.read(descriptor, 4096) if ready else b""
            if not more:
                raise UserError(
                    f"A process of the bench has {'ended' if ready else 'stalled'} before it was "
                    f"{word!r}. Its own words stand above.",
                    ExitCode.BUG,
                )
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        said, _, rest = line.decode().partition(" ")
        if said != word:
            raise UserError(f"A process of the bench said {said!r}, not {word!r}.", ExitCode.BUG)
        return rest

    def end(self) -> None:
        """Ends it: a helper by the end of its input, a node by SIGTERM."""
        if not self._has_job and self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


@contextmanager
def running_on(cores: Collection[int]) -> Iterator[None]:
    """Inside, this process and what it starts run on `cores` alone; what it starts stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def is_wanted() -> bool:
    """Whether the bench is still there: False once a helper's input, in which nothing more comes
    for it, has ended."""
    ready, _, _ = select.select([0], [], [], 0.0)
    return not ready


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def read_job() -> bytes:
    """A helper's own job: the first line of its input, read unbuffered, so that what follows stays
    for its reactor."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 1)
        if not more:
            raise SystemExit(0)
        line += more
    return line


def _cpu_seconds(number: int) -> float:
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _proportional_bytes(number: int) -> int:
    for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def monotonic() -> float:
    """One clock for all processes of a machine (CLOCK_MONOTONIC)."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)
