"""The demo from an empty folder to its outcome, on real processes.

1. a network is built and started, two people make profiles and start their daemons;
2. one invites, the other accepts; the first lines are written before they have met, and wait;
3. with `--kill` a mix, a provider and a daemon die in the middle and are started again;
4. everything must be shown once and in order; then the trace of the run is read.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.demo.conversation import (
    ALICE,
    BOB,
    FILE_BYTES,
    FILE_NAME,
    FILE_SENDER,
    FULL_NAMES,
    LINES,
)
from experiments.demo.listener import InboxListener
from experiments.demo.outcome import Outcome, Sent
from experiments.testnet.build import LocalNetwork
from experiments.testnet.person import Person
from experiments.trace import Kind, Row, read_rows
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NodeNumber

if TYPE_CHECKING:
    from experiments.demo.observer import ObserverReport

Progress = Callable[[str, int, int], None]  # what is going on, how far, out of how much
LINES_BEFORE_MEETING = 2
MEETING_SECONDS = 60.0
ARRIVAL_SECONDS = 120.0
ARRIVAL_SECONDS_AFTER_KILLS = 600.0
RESTART_SECONDS = 5.0
POLL_SECONDS = 0.1
# Longer than any packet but one in a million takes over three mixes of 0.2 s each: pools have then
# filled, and what is traced has an end.
SETTLING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`kills`: a mix, a provider and a daemon die in the middle. `cover` off is for comparison."""

    kills: bool
    cover: bool


class Demo:
    """One run on `network`, which is built and whose processes are ended by the caller."""

    def __init__(self, network: LocalNetwork, options: DemoOptions, progress: Progress) -> None:
        self._network = network
        self._options = options
        self._progress = progress
        self._begun = time.monotonic()
        self.people = {
            name: Person(name, full_name, network.folder) for name, full_name in FULL_NAMES.items()
        }
        self._sent: list[Sent] = []
        self._listeners: dict[str, InboxListener] = {}

    def run(self) -> Outcome:
        """Everything, up to the outcome; what was started goes on running."""
        self._network.start(
            lambda done, of: self._progress("Starting the network", done, of), trace=True
        )
        self._start_people()
        ready_seconds = time.monotonic() - self._begun
        try:
            return self._talk(ready_seconds)
        finally:
            for listener in self._listeners.values():
                listener.stop()

    def _start_people(self) -> None:
        providers = [node.name for node in self._network.plan.providers]
        options = () if self._options.cover else ("--no-cover",)
        for place, person in enumerate(self.people.values()):
            self._progress("Making two profiles", place, len(self.people))
            person.create(providers[place % len(providers)])
            person.start(self._network.fleet, *options)
        self._network.fleet.wait_ready([person.daemon_name for person in self.people.values()])
        self._progress("Making two profiles", len(self.people), len(self.people))

    def _talk(self, ready_seconds: float) -> Outcome:
        for name, person in self.people.items():
            saved = self._network.folder / "saved" / name
            self._listeners[name] = InboxListener(person.profile, saved)
        invitation = self.people[ALICE].command("invite", BOB)["link"]
        self.people[BOB].command("add", ALICE, "-", standard_input=str(invitation))
        data = secrets.token_bytes(FILE_BYTES)
        file = self._send_everything(data)
        memory = self._network.fleet.memory_mib()
        seconds = ARRIVAL_SECONDS_AFTER_KILLS if self._options.kills else ARRIVAL_SECONDS
        self._wait_for_arrivals(seconds)
        packets = self._packets()
        rows = self._rows()
        return Outcome(
            messages=[sent for sent in self._sent if sent is not file],
            file=file,
            file_intact=self._is_file_intact(file, data),
            in_order=self._are_in_order(),
            observer=self._observer(rows),
            packets=packets,
            frames=self._frames(rows),
            bytes_on_wire=self._bytes(rows),
            ready_seconds=ready_seconds,
            total_seconds=time.monotonic() - self._begun,
            memory_mib=memory,
        )

    # -- writing

    def _send_everything(self, data: bytes) -> Sent:
        """All lines, with the file in the middle; returns the file's record."""
        middle = len(LINES) // 2
        for place, (name, line) in enumerate(LINES):
            if place == LINES_BEFORE_MEETING:
                self._wait_until_met()
            self._progress("Sending", place, len(LINES) + 1)
            if place == middle:
                file = self._send_file(data)
                if self._options.kills:
                    self._kill_and_restart()
            self._send_text(name, line)
        self._progress("Sending", len(LINES) + 1, len(LINES) + 1)
        return file

    def _wait_until_met(self) -> None:
        """Each is the other's active contact; a demo in which that fails goes on and says so."""
        self._progress("Waiting until the two have met", 0, 1)
        deadline = time.monotonic() + MEETING_SECONDS
        while time.monotonic() < deadline:
            contacts = [person.command("contacts") for person in self.people.values()]
            if all(answer["contacts"][0]["state"] == "active" for answer in contacts):
                break
            time.sleep(POLL_SECONDS)
        self._progress("Waiting until the two have met", 1, 1)

    def _send_text(self, name: str, line: str) -> None:
        began = time.time()
        answer = self.people[name].command("send", _other(name), "-", standard_input=line)
        size = len(line.encode())
        self._note(Sent(name, _other(name), line, size, int(answer["packets"]), began))

    def _send_file(self, data: bytes) -> Sent:
        path = self._network.folder / FILE_NAME
        path.write_bytes(data)
        began = time.time()
        answer = self.people[FILE_SENDER].command("send", _other(FILE_SENDER), "--file", str(path))
        packets = int(answer["packets"])
        text = f"[file {FILE_NAME}]"
        sent = Sent(FILE_SENDER, _other(FILE_SENDER), text, len(data), packets, began)
        self._note(sent)
        return sent

    def _note(self, sent: Sent) -> None:
        self._sent.append(sent)

    def _kill_and_restart(self) -> None:
        """kill -9 of a mix, a provider and a daemon; all are back within five seconds."""
        fleet = self._network.fleet
        victims = [
            self._network.plan.mixes[0].name,
            self._network.plan.providers[0].name,
            self.people[BOB].daemon_name,
        ]
        for place, victim in enumerate(victims):
            self._progress("Killing a mix, a provider and a daemon", place, len(victims))
            fleet.kill(victim)
        time.sleep(RESTART_SECONDS / 2)
        for victim in victims:
            fleet.restart(victim)
        fleet.wait_ready(victims)
        self._progress("Killing a mix, a provider and a daemon", len(victims), len(victims))

    # -- reading

    def _wait_for_arrivals(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._match_arrivals()
            missing = sum(not sent.shown_at for sent in self._sent)
            done = len(self._sent) - missing
            self._progress("Waiting for everything to arrive", done, len(self._sent))
            if not missing or time.monotonic() > deadline:
                break
            self._require_alive()
            time.sleep(POLL_SECONDS)
        time.sleep(1.0)  # a doubled message would come now
        self._match_arrivals()

    def _require_alive(self) -> None:
        dead = [
            name for name in self._network.fleet.names() if not self._network.fleet.is_alive(name)
        ]
        if dead:
            raise UserError(f"{dead[0]} ended in the middle of the run.", ExitCode.BUG)

    def _match_arrivals(self) -> None:
        for sent in self._sent:
            arrivals = self._listeners[sent.receiver].arrivals()
            sent.shown_at = [
                arrival.time for arrival in arrivals if _text_of(arrival.message) == sent.text
            ]

    def _are_in_order(self) -> bool:
        """Whether each person was shown exactly what the other sent, in that order."""
        for name, listener in self._listeners.items():
            shown = [_text_of(arrival.message) for arrival in listener.arrivals()]
            if shown != [sent.text for sent in self._sent if sent.receiver == name]:
                return False
        return True

    def _is_file_intact(self, file: Sent, data: bytes) -> bool:
        folder = self._network.folder / "saved" / file.receiver
        return folder.exists() and [path.read_bytes() for path in folder.iterdir()] == [data]

    # -- what was on the wire

    def _packets(self) -> dict[str, int]:
        """What both clients sent, by what it was; only they themselves can tell."""
        counts = {"payload": 0, "acknowledgement": 0, "loop": 0, "drop": 0}
        for person in self.people.values():
            sent = person.command("status")["packets"]
            for kind in counts:
                counts[kind] += int(sent.get(kind, 0))
        return counts

    def _rows(self) -> list[Row]:
        return read_rows(sorted((self._network.folder / "traces").glob("*.jsonl")))

    def _observer(self, rows: list[Row]) -> "ObserverReport":
        # Here, since the laboratory's compiler, where it is installed, takes a while to load.
        from experiments.demo.observer import report

        layers = {int(node.number): node.layer - 1 for node in self._network.plan.mixes}
        return report(rows, layers, len(self.people), self._sender_of, SETTLING_SECONDS)

    def _sender_of(self, row: Row) -> int:
        """Each person is alone at a provider, so the entry's provider says who it is."""
        providers = [node.number for node in self._network.plan.providers]
        return providers.index(NodeNumber(row.at))

    def _frames(self, rows: list[Row]) -> int:
        """Node links' frames, and for each entry one frame up and one down the client's link."""
        return sum(_frames_of(row) for row in rows)

    def _bytes(self, rows: list[Row]) -> int:
        node, client = self._network.frame_bytes
        entries = sum(row.kind is Kind.ENTRY for row in rows)
        return (self._frames(rows) - 2 * entries) * node + 2 * entries * client


def _frames_of(row: Row) -> int:
    if row.arriving:
        return 0
    return 3 if row.kind is Kind.ENTRY else 1


def _other(name: str) -> str:
    return BOB if name == ALICE else ALICE


def _text_of(message: dict[str, object]) -> str:
    return f"[file {message['file_name']}]" if message["kind"] == "file" else str(message["text"])
