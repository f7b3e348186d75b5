"""A running node: its core on the reactor, its links, its keys on disk, the directory.

Spec: docs/spec/mixing.md. The way of a packet is in `hot_path.py`; here is what it is wired to, and
what comes round: documents, keys, status.
"""

import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred

from hushmill.drops import Drop
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import Epoch
from hushmill.packet import packet_format
from hushmill.parameters import Parameters
from hushmill.runtime import (
    DRAIN,
    HURRY,
    PageServer,
    Reactor,
    SystemRandomness,
    notify,
    notify_alive,
    notify_ready,
    now,
    run_service,
    wall_clock_error,
)
from mixnode.disk_work import DiskWork, MakeKeys
from mixnode.events import ConsensusChanged, Drain, TagsSynced
from mixnode.extension import NodeExtension
from mixnode.hot_path import HotPath
from mixnode.key_schedule import KeySchedule
from mixnode.links import NodeLinks
from mixnode.metrics import METRICS_PATH, MetricValues, SteppedMetrics
from mixnode.mix_core import MixCore
from mixnode.node_directory import (
    DIRECTORY_STATE_FILE,
    KEYS_FOLDER,
    NodeDirectory,
    Role,
    open_node_directory,
)
from mixnode.node_keys import NodeKeys
from mixnode.node_lock import lock_node_directory
from mixnode.service_ending import Patience
from mixnode.status_file import STATUS_SECONDS, NodeState, NodeStatus, StatusWriter
from mixnode.trace_file import TraceFile, require_loopback
from pki import Consensus, DirectoryClient, descriptor_of, last_served, sign_descriptor

_log = logging.getLogger(__name__)
KEY_LOOKS_PER_EPOCH = 4  # how often the keys of the next epochs are looked after
DRAIN_SECONDS = 30.0  # what falls due later is not waited for
DRAIN_SPARE_SECONDS = 2.0  # for what falls due at the last moment, and a slow disk


class NodeService:
    """Everything of a mix, and of a provider everything but its mailboxes (`extension`).

    For extensions: `receive(event)` gives the core an event; `directory`, `packet_format`,
    `mix.counters` and `consensus` may be read. `sending_for` is for local traces only: set it to
    the client's number, from 1, while its frame is handled, and back to 0.
    """

    def __init__(
        self,
        reactor: Reactor,
        directory: NodeDirectory,
        extension: NodeExtension,
        trace: Path | None = None,
    ) -> None:
        """Loads keys and logs and makes what keys are missing; nothing runs before `start`."""
        parameters = directory.genesis.parameters
        self.directory = directory
        self.packet_format = packet_format(parameters)
        self.consensus: Consensus | None = None
        self._reactor = reactor
        self._extension = extension
        self._epoch_seconds = parameters.epoch_seconds
        self._schedule = KeySchedule(parameters)
        self._keys = NodeKeys(
            directory.path / KEYS_FOLDER, self.packet_format.geometry.kem, directory.number
        )
        for epoch in self._keys.destroyed:
            _log.error("key destroyed: its replay log is not valid", extra={"epoch": epoch})
        self._keys.erase_before(self._schedule.first_kept(now()))
        self._keys.make(self._wanted_epochs())
        self.mix = MixCore(
            directory.number,
            directory.entry.role,
            parameters,
            self.packet_format,
            SystemRandomness(),
            directory.settings.limits(),
            known_tags=self._keys.take_restored(),
        )
        self._disk = DiskWork(reactor, self._keys, self._synced, _stop_for_disk)
        self._links = NodeLinks(
            reactor,
            directory.number,
            directory.identity,
            self.packet_format.geometry.packet_bytes,
            lambda source, packets: self._path.received(source, packets),
            self._count_drops,
        )
        self._trace = TraceFile(trace, directory.number) if trace is not None else None
        self._path = HotPath(
            reactor,
            self.packet_format,
            directory.number,
            directory.entry.role == "provider",
            directory.settings.worker_count(),
            directory.settings.link_packets_per_second,
            directory.settings.intake_packets(self.packet_format.geometry.packet_bytes),
            self._keys,
            self._schedule,
            extension.core(self.mix),
            self.mix.counters,
            self._links.send,
            self._disk.submit,
            extension.perform,
            self._trace,
        )
        self._directory_client = DirectoryClient(
            reactor,
            directory.genesis,
            directory.identity,
            self._serve,
            self._descriptor,
            state_path=directory.path / DIRECTORY_STATE_FILE,
            on_document=extension.document_accepted,
        )
        self._status = StatusWriter(directory.path)
        self._said_alarm = False
        self._metrics = SteppedMetrics(now()) if directory.settings.metrics_listen else None
        self._metrics_server: PageServer | None = None
        self._state: NodeState = "running"
        self._patience: Patience | None = None
        self._ended: Deferred[None] = Deferred()

    def start(self) -> None:
        """Listens, and asks the directory; `ready` is said once both have come to something."""
        notify("STATUS=Waiting for a document of the directory.")
        self._links.listen(self.directory.settings.listen, self.directory.entry.port)
        if self._metrics is not None:
            server = PageServer(self._reactor, METRICS_PATH, self._metrics.page)
            server.listen(self.directory.settings.metrics_listen)
            self._metrics_server = server
        self._path.driver.start()
        self._directory_client.start()
        self._look_after_keys()
        self._say_status()
        self._reactor.addSystemEventTrigger("before", DRAIN, self._drain)
        self._reactor.addSystemEventTrigger("before", HURRY, self._hurry)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)

    def receive(self, event: object) -> None:
        """An event for the core, from an extension."""
        self._path.driver.receive(event)

    @property
    def sending_for(self) -> int:
        return self._path.sending_for

    @sending_for.setter
    def sending_for(self, client: int) -> None:
        self._path.sending_for = client

    # -- the disk

    def _synced(self, batch: int) -> None:
        self._path.driver.receive(TagsSynced(batch))

    def _count_drops(self, reason: Drop, number: int) -> None:
        self.mix.counters.drops[reason] += number

    # -- the directory

    def _serve(self, consensus: Consensus, epoch: Epoch) -> None:
        """A document is in force; said again at each boundary."""
        is_first = self.consensus is None
        self.consensus = consensus
        self._links.follow(consensus)
        self.mix.silent_epochs = self._unknown_epochs(consensus)
        self._path.driver.receive(ConsensusChanged(consensus, epoch))
        self._path.follow_neighbours({node.number for node in consensus.nodes})
        if is_first:
            self._extension.started(self)
            notify_ready()
            notify("STATUS=Taking part.")

    def _unknown_epochs(self, consensus: Consensus) -> frozenset[Epoch]:
        """Those for which the document has another key of this node than it holds: destroyed with
        its log, rotated, or left behind on another machine."""
        entry = consensus.node(self.directory.number)
        if entry is None:
            return frozenset()
        own = dict(self._keys.public_keys(key.epoch for key in entry.keys))
        return frozenset(key.epoch for key in entry.keys if own.get(key.epoch) != key.raw)

    def _descriptor(self, moment: float) -> bytes:
        """Keys are made ahead on the disk thread; only after a long sleep are they made here."""
        epochs = self._schedule.published(moment)
        self._keys.make(epochs)
        keys = dict(self._keys.public_keys(epochs))
        load = self.mix.load(moment)
        body = descriptor_of(self.directory.genesis, self.directory.number, keys, moment, load)
        return sign_descriptor(body, self.directory.signing_key)

    # -- what comes round

    def _wanted_epochs(self) -> tuple[Epoch, ...]:
        """What is published now, and what will be at the next boundary."""
        epochs = self._schedule.published(now())
        return (*epochs, Epoch(epochs[-1] + 1))

    def _look_after_keys(self) -> None:
        if self._state == "ended":
            return
        self._disk.submit(MakeKeys(self._wanted_epochs()))
        self._reactor.callLater(self._epoch_seconds / KEY_LOOKS_PER_EPOCH, self._look_after_keys)

    def _say_status(self) -> None:
        if self._state == "ended":
            return
        check_clock(wall_clock_error(), self.directory.genesis.parameters)
        self._path.follow_keys()
        self._write_status()
        notify_alive()
        if self._metrics is not None:
            self._metrics.look(now(), self._metric_values)
        self._reactor.callLater(STATUS_SECONDS, self._say_status)

    def _served_epoch(self) -> Epoch | None:
        """Of the document in force."""
        known = self.consensus
        is_served = known is not None and self._schedule.current(now()) <= last_served(known.epoch)
        return known.epoch if known is not None and is_served else None

    def _metric_values(self) -> MetricValues:
        return MetricValues(
            counters=self.mix.counters.rounded(),
            links_up=self._links.links_up,
            links_wanted=self._links.links_wanted,
            epoch=self._served_epoch(),
            held_tenths=int(10 * self.mix.held_share),
            replay_tenths=int(10 * self.mix.replay_share),
            is_alarmed=self.mix.is_alarmed,
        )

    def _write_status(self) -> None:
        status = NodeStatus(
            state=self._state,
            role=self.directory.entry.role,
            written_at=int(now()),
            epoch=self._served_epoch(),
            links_up=self._links.links_up,
            links_wanted=self._links.links_wanted,
            alarm=self.mix.is_alarmed,
            counters=self.mix.counters.rounded(),
        )
        self._status.write(status)
        self._log_alarm(status.alarm)

    def _log_alarm(self, is_alarmed: bool) -> None:
        """Once when it rises, and once when it falls."""
        if is_alarmed == self._said_alarm:
            return
        self._said_alarm = is_alarmed
        if is_alarmed:
            _log.warning("n-1 alarm: too few own loops come back", extra={"state": "raised"})
        else:
            _log.warning("n-1 alarm: own loops come back again", extra={"state": "fallen"})

    # -- the end

    def _drain(self) -> None:
        """Told to end: nothing new is taken, and what falls due in a while still leaves."""
        self._state = "draining"
        notify("STOPPING=1\nSTATUS=Draining: packets that are held leave when they are due.")
        self._directory_client.stop()
        self._links.stop_accepting()
        self._path.driver.receive(Drain(now() + DRAIN_SECONDS))
        self._write_status()
        seconds = DRAIN_SECONDS + DRAIN_SPARE_SECONDS
        self._patience = Patience(self._reactor, self._is_drained, seconds, self._close)

    def _is_drained(self) -> bool:
        """What the kernel has taken arrives also when this process is no more."""
        return self._path.is_idle and self.mix.is_spent and not self._links.has_unsent

    def _hurry(self) -> None:
        """Told to end twice, or something has gone wrong meanwhile: it ends at once."""
        if self._patience is not None:
            self._patience.hurry()

    def _stop(self) -> "Deferred[None]":
        """The reactor waits for the end of draining; without an order to drain it ends at once."""
        if self._patience is None:
            self._close()
        return self._ended

    def _close(self) -> None:
        """What is still held is dropped, and counted. Keys and synced tags stay for the next
        start. Only what was told to end has `ended`: the last status of a node that failed goes
        stale, as that of one that was killed."""
        if self._patience is not None:
            self._state = "ended"
        try:
            self._path.driver.receive(Drain(-math.inf))
            self._path.stop()
            self._directory_client.stop()
            self._links.stop()
            if self._metrics_server is not None:
                self._metrics_server.stop()
            self._extension.stopped()
            self._disk.stop()
            if self._trace is not None:
                self._trace.close()
            self._write_status()
        finally:
            self._ended.callback(None)


def run_node(
    path: Path, role: Role, extend: Callable[[NodeDirectory], NodeExtension], trace: Path | None
) -> None:
    """Runs the node in the directory `path` until SIGTERM; only one process may.

    Raises UserError for what the operator can mend, and whatever `run_service` raises.
    """
    directory = open_node_directory(path, role)
    if trace is not None:
        require_loopback(directory.settings.listen)
    lock = lock_node_directory(path)

    def start(reactor: Reactor) -> None:
        NodeService(reactor, directory, extend(directory), trace).start()

    try:
        run_service(start)
    finally:
        os.close(lock)


def check_clock(error_seconds: float, parameters: Parameters) -> None:
    """Raises UserError(CONFIGURATION) when the system's clock has been set, or the one of this
    process has drifted, by more than packets and keys allow for."""
    if abs(error_seconds) > 2 * parameters.skew_seconds:
        raise UserError(
            f"The clock was set by {error_seconds:+.0f} s while the node ran, so the node has "
            "stopped. Make sure that the clock is right, then start it again.",
            ExitCode.CONFIGURATION,
        )


def _stop_for_disk(error: OSError) -> None:
    """Ends the process: what has not been logged must not leave, and a failed sync says nothing
    about what a second one would mean."""
    raise UserError(
        f"The disk did not take the replay log ({error.strerror}). The node has stopped, so that "
        "nothing is forwarded twice. Mend the disk, then start the node again.",
        ExitCode.SECURITY_STOP,
    ) from error
