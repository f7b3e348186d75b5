"""Notes when each message reaches a person, by following their inbox as they would."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """`time` in Unix seconds, when the inbox showed `message`, a record of `inbox --json`."""

    time: float
    message: dict[str, Any]


class InboxListener:
    """Runs `hushmill inbox --follow --json` and begins again where it ended if the daemon dies."""

    def __init__(self, profile: Path, saved: Path) -> None:
        self._profile = profile
        self._saved = saved
        self._arrivals: list[Arrival] = []
        self._stopping = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def arrivals(self) -> list[Arrival]:
        return list(self._arrivals)

    def stop(self) -> None:
        self._stopping = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        self._thread.join(timeout=10)

    def _listen(self) -> None:
        after = 0
        while not self._stopping:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [
                    *(sys.executable, "-P", "-m", "hushmill", "inbox", "--follow", "--json"),
                    *("--profile", str(self._profile), "--save", str(self._saved)),
                    *("--after", str(after)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            with self._process as process:
                for line in process.stdout or ():
                    record = json.loads(line)
                    if "order" in record:
                        self._arrivals.append(Arrival(time.time(), record))
                        after = max(after, int(record["order"]))
            if not self._stopping:
                time.sleep(RETRY_SECONDS)
