"""A mix under ten times the rate of a link, 5,000 slow sockets and the longest delays.

`python -m tests.processes.overload` prints its figures, one JSON object a line. Beside the flood a
well-behaved neighbour sends half of what it may. Spec: docs/spec/mixing.md (Budget, Rate of a
link).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hushmill.parameters import Parameters
from hushmill.runtime import SystemRandomness
from mixnode import read_status
from pki import draw_delay
from tests.processes.hostile_neighbour import Orders, flooding
from tests.processes.link_loop import Loop, Owner, running_loop
from tests.processes.mix_network import ENTRY, MIX, OTHER, SECOND, MixNetwork
from tests.processes.probes import Late, Probes
from tests.processes.test_link_flood import FLOOD

BUDGET_MIB = 64
REPLAY_TAGS = 100_000
# Code and libraries of an idle node, 256 handshakes at once, and a neighbour's unsent frames.
BASE_MIB = 128
LINK_PACKETS_PER_SECOND = 100
TIMES_THE_RATE = 10
HONEST_PACKETS_PER_SECOND = LINK_PACKETS_PER_SECOND // 2
SOCKETS = 5_000
WINDOW_SECONDS = 5.0
NORMAL_SECONDS = 0.020  # below this it is the machine's scheduling that is measured
HONEST = Parameters(delay_mean_seconds=0.3)  # whose law the well-behaved neighbour draws by


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, with how many sockets. `delay_mean_seconds` is the network's: the flood asks for
    ten times as much."""

    suite: str = "xwing"
    seconds: float = 300.0
    calm_seconds: float = 20.0
    sockets: int = SOCKETS
    delay_mean_seconds: float = 8.0

    def parameters(self) -> Parameters:
        return Parameters(
            suite=self.suite,  # type: ignore[arg-type]
            delay_mean_seconds=self.delay_mean_seconds,
            mix_loop_rate=0.0,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds beyond the delays that were drawn; memory of all of the node's processes, in MiB."""

    calm: Late
    overloaded: Late
    idle_mib: float
    highest_mib: float
    recovery_seconds: float
    flood_sent: int
    counters: dict[str, int]

    @property
    def delivered_share(self) -> float:
        return self.overloaded.arrived / self.overloaded.sent


def memory_mib(process: int) -> float:
    """Resident memory of a process and of all that it started."""
    family, parents = {process}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it has just ended
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    pages = 0
    for member in family:
        try:
            pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * 4096 / 2**20


@contextmanager
def slow_sockets(port: int, count: int) -> Iterator[None]:
    """`count` sockets, from some hundred addresses, each of which sends a byte a second."""
    command = [sys.executable, "-c", FLOOD, str(port), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.kill()


class Overload:
    """One run of a plan."""

    def __init__(self, plan: Plan, folder: Path, loop: Loop) -> None:
        self.plan = plan
        self.loop = loop
        self.rng = SystemRandomness()
        self.network = MixNetwork(folder, loop, plan.parameters())
        settings = self.network.folder / "node.toml"
        settings.write_text(
            'listen = "127.0.0.1"\n'
            f"budget_mib = {BUDGET_MIB}\n"
            f"replay_tags = {REPLAY_TAGS}\n"
            "workers = 0\n"
            f"link_packets_per_second = {LINK_PACKETS_PER_SECOND}\n"
        )
        self.network.play_second()
        self.probes = Probes(self.network)
        self.honest = Owner()
        self.highest_mib = 0.0

    def run(self) -> Outcome:
        with self.network.running() as process:
            self.network.connect(OTHER, self.honest)
            self.loop.until(lambda: self.honest.links and self.network.second.ups, 20.0)
            calm = self._stretch(self.plan.calm_seconds, lambda: None)
            idle = memory_mib(process.pid)

            def watch() -> None:
                self.highest_mib = max(self.highest_mib, memory_mib(process.pid))

            with (
                slow_sockets(self.network.port, self.plan.sockets),
                flooding(self._orders()) as flood,
            ):
                flood.wait_until_up()
                overloaded = self._stretch(self.plan.seconds, watch)
                status = read_status(self.network.folder)
            recovery = self._recovery(calm)
            watch()
        return Outcome(
            calm,
            overloaded,
            idle,
            self.highest_mib,
            recovery,
            flood.sent,
            {name: count for name, count in status.counters.items() if count},
        )

    def _stretch(self, seconds: float, watch: Callable[[], None]) -> Late:
        """Honest traffic for so long, all of it counted once its longest delay has passed."""
        marks: list[bytes] = []
        begin = time.monotonic()
        watched = begin
        while (moment := time.monotonic()) < begin + seconds:
            while len(marks) < (moment - begin) * HONEST_PACKETS_PER_SECOND:
                marks.append(self.probes.send(self.honest, draw_delay(HONEST, self.rng)))
            if moment > watched + 1.0:
                watched = moment
                watch()
            self.loop.run_for(0.002)
        self.loop.run_for(HONEST.delay_cap_seconds + 1.0)
        assert self.honest.downs == 0, "the node ended an honest link"
        return self.probes.result(marks)

    def _recovery(self, calm: Late) -> float:
        """Seconds from the flood's end until a window is as good as it was before."""
        begin = time.monotonic()
        normal = max(2 * calm.p99, NORMAL_SECONDS)
        while (passed := time.monotonic() - begin) < 120.0:
            window = self._stretch(WINDOW_SECONDS, lambda: None)
            if window.lost == 0 and window.p99 <= normal:
                return passed + WINDOW_SECONDS
        return float("inf")

    def _orders(self) -> Orders:
        parameters = self.plan.parameters()
        target = self.probes.target
        return Orders(
            port=self.network.port,
            identity=self.network.link_seeds[ENTRY],
            pin=self.network.mix_pin,
            suite=self.plan.suite,
            hops=parameters.hops,
            payload_bytes=parameters.payload_bytes,
            node=MIX,
            epoch=target.epoch,
            public=target.public.raw,
            next_node=SECOND,
            delay_seconds=parameters.delay_cap_seconds,
            frames_per_second=float(TIMES_THE_RATE * LINK_PACKETS_PER_SECOND),
        )


def overload(plan: Plan) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, running_loop() as loop:
        return Overload(plan, Path(folder), loop).run()


def faults(outcome: Outcome) -> list[str]:
    """Each bound that the node did not keep to."""
    found = []
    if outcome.delivered_share < 0.95:
        found.append(f"{outcome.delivered_share:.2%} of the in-limit traffic was delivered")
    if outcome.highest_mib > BUDGET_MIB + BASE_MIB:
        found.append(f"{outcome.highest_mib:.0f} MiB, against {BUDGET_MIB} + {BASE_MIB}")
    if outcome.recovery_seconds > 60.0:
        found.append(f"recovery took {outcome.recovery_seconds:.0f} s")
    if not outcome.counters.get("drop_rate"):
        found.append("the flood was not above its rate")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=Plan().seconds)
    parser.add_argument("--suite", default=Plan().suite, choices=("xwing", "x25519"))
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    chosen = parser.parse_args()
    plan = Plan(suite=chosen.suite, seconds=chosen.seconds, sockets=chosen.sockets)
    outcome = overload(plan)
    sys.stdout.write(json.dumps({"plan": asdict(plan)}) + "\n")
    sys.stdout.write(json.dumps({"outcome": asdict(outcome)}) + "\n")
    sys.stdout.write(json.dumps({"faults": faults(outcome)}) + "\n")


if __name__ == "__main__":
    main()
