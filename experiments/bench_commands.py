"""How long a person waits for a command, as a whole process, beside the limit for it.

`send` is measured with no network at all: the profile's provider does not exist, and the message
must be in the store when the command returns.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from experiments.testnet.build import LocalNetwork
from experiments.testnet.person import Person
from hushmill.runtime import HushmillCommand, Output, pass_output

RUNS = 15
HELP_LIMIT_MS = 150
SEND_LIMIT_MS = 300


def command_rows(runs: int = RUNS) -> list[dict[str, object]]:
    """Median milliseconds of `hushmill --help` and of `hushmill send`, with their limits."""
    with tempfile.TemporaryDirectory(prefix="hushmill-") as folder:
        network = LocalNetwork.build(Path(folder) / "net", "cascade", "x25519")
        person = Person("alice", "Alice", network.folder)
        person.create(network.plan.providers[0].name)
        person.start(network.fleet)
        try:
            network.fleet.wait_ready([person.daemon_name])
            person.command("invite", "bob")
            send = ["send", "--profile", str(person.profile), "bob", "a line"]
            return [
                _row("help", _median_ms(lambda: _run(["--help"]), runs), HELP_LIMIT_MS),
                _row("send", _median_ms(lambda: _run(send), runs), SEND_LIMIT_MS),
            ]
        finally:
            network.fleet.end()


def _run(arguments: list[str]) -> None:
    command = [sys.executable, "-P", "-m", "hushmill", *arguments]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (our own command)


def _median_ms(action: Callable[[], None], runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _row(what: str, milliseconds: float, limit: int) -> dict[str, object]:
    ratio = round(milliseconds / limit, 3)
    return {"what": what, "ms": round(milliseconds, 1), "limit_ms": limit, "ratio": ratio}


def _mark(row: dict[str, object]) -> str:
    return "  OVER" if float(str(row["ratio"])) > 1 else ""


@click.command(cls=HushmillCommand)
@pass_output
def commands(output: Output) -> None:
    """Time `--help` and `send` (with no network) as whole processes."""
    rows = command_rows()
    lines = [f"{row['what']:<6} {row['ms']:>7} ms  (at most {row['limit_ms']} ms)" for row in rows]
    output.result({"bench": "commands", "rows": rows}, human="\n".join(lines))
