"""The processes of a local network: started, waited for, killed and ended, with nothing left over.

A fleet remembers its processes in `fleet.json`, so that `testnet status` and `testnet down` can be
other commands than the one that started them. It ends only processes that it started: a process id
is used only while the kernel says that it is still the same process (its start time).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hushmill.errors import ExitCode, UserError

READY_SECONDS = 60.0
TERMINATE_SECONDS = 10.0
POLL_SECONDS = 0.05
PASSED_ON = ("PATH", "LANG", "HOME", "TMPDIR", "PYTHONPATH")  # of the environment, and no more


@dataclass(frozen=True, slots=True)
class Member:
    """One process: its name, what to run, its folder of logs, and which process it is."""

    name: str
    arguments: list[str]
    pid: int
    started_ticks: int


def start_ticks(pid: int) -> int | None:
    """The kernel's start time of process `pid` in clock ticks; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


class Fleet:
    """All processes of the network in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "fleet.json"
        self._members: dict[str, Member] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        if self._file.exists():
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            self._members = {entry["name"]: Member(**entry) for entry in entries}

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Starts `hushmill ARGUMENTS` as the member `name`, in a session of its own so that Ctrl-C
        reaches the launcher alone, which then ends everybody in order."""
        logs = self._folder / "logs"
        logs.mkdir(exist_ok=True)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with (logs / f"{name}.out").open("ab") as out, (logs / f"{name}.err").open("ab") as err:
            mark = out.tell()
            # -P: the working folder must not become a place to import from.
            child = subprocess.Popen(  # noqa: S603 (our own command, our own arguments)
                [sys.executable, "-P", "-m", "hushmill", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )
        self._children[name] = child
        ticks = start_ticks(child.pid) or 0
        self._members[name] = Member(name, list(arguments), child.pid, ticks)
        self._save()
        (logs / f"{name}.mark").write_text(str(mark), encoding="ascii")

    def wait_ready(
        self,
        names: Sequence[str],
        seconds: float = READY_SECONDS,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Waits until each of `names` has printed `ready` since its last start. Raises UserError
        naming the member that ended or took too long, with the end of what it said."""
        deadline = time.monotonic() + seconds
        waiting = list(names)
        while waiting:
            waiting = [name for name in waiting if not self._is_ready(name)]
            if progress:
                progress(len(names) - len(waiting))
            for name in waiting:
                if not self.is_alive(name):
                    raise UserError(
                        self._last_words(name, "ended before it was ready"), ExitCode.BUG
                    )
            if waiting and time.monotonic() > deadline:
                words = self._last_words(waiting[0], f"was not ready within {seconds:.0f} s")
                raise UserError(words, ExitCode.TIMEOUT)
            if waiting:
                time.sleep(POLL_SECONDS)

    def _is_ready(self, name: str) -> bool:
        logs = self._folder / "logs"
        mark = int((logs / f"{name}.mark").read_text(encoding="ascii"))
        return b"ready\n" in (logs / f"{name}.out").read_bytes()[mark:]

    def _last_words(self, name: str, what: str) -> str:
        said = (self._folder / "logs" / f"{name}.err").read_text("utf-8", "replace").strip()
        return f"{name} {what}. It said last: {said[-800:] or '(nothing)'}"

    def is_alive(self, name: str) -> bool:
        member = self._members[name]
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            return False
        return start_ticks(member.pid) == member.started_ticks

    def names(self) -> list[str]:
        return list(self._members)

    def kill(self, name: str) -> None:
        """kill -9, as a crash would."""
        self._signal(name, signal.SIGKILL)
        self._reap(name, TERMINATE_SECONDS)

    def restart(self, name: str) -> None:
        """Starts `name` again as it was started before."""
        self.start(name, self._members[name].arguments)

    def end(self) -> None:
        """Ends everybody, politely and then not; returns when all are gone."""
        for name in reversed(self.names()):
            self._signal(name, signal.SIGTERM)
        deadline = time.monotonic() + TERMINATE_SECONDS
        for name in self.names():
            self._reap(name, max(deadline - time.monotonic(), 0))
        for name in self.names():
            if self.is_alive(name):
                self._signal(name, signal.SIGKILL)
                self._reap(name, TERMINATE_SECONDS)
        self._members.clear()
        self._children.clear()
        self._file.unlink(missing_ok=True)

    def memory_mib(self) -> float:
        """Proportional memory of all members and their children, in MiB (shared pages once)."""
        pids = {member.pid for name, member in self._members.items() if self.is_alive(name)}
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
                if int(folder.name) in pids or int(fields[1]) in pids:
                    rollup = (folder / "smaps_rollup").read_text(encoding="ascii")
                    line = next(line for line in rollup.split("\n") if line.startswith("Pss:"))
                    total += int(line.split()[1])
        return total / 1024

    def _signal(self, name: str, number: signal.Signals) -> None:
        if self.is_alive(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._members[name].pid, number)

    def _reap(self, name: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.is_alive(name) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _save(self) -> None:
        fresh = self._file.with_suffix(".new")
        entries = [asdict(member) for member in self._members.values()]
        fresh.write_text(json.dumps(entries), encoding="utf-8")
        fresh.replace(self._file)
