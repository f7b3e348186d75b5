"""The one thread that writes a node's keys and replay logs, in the order in which it was asked.

What waits while a sync is under way is taken together as the next batch (group commit). A failed
write or sync is never retried: `on_failure` must end the process, and nothing after it is done.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hushmill.identifiers import Epoch, ReplayTag
from hushmill.runtime import Reactor
from mixnode.events import EraseKeys, LogTags
from mixnode.node_keys import NodeKeys


@dataclass(frozen=True, slots=True)
class MakeKeys:
    """Every one of `epochs` gets a key, where it has none."""

    epochs: tuple[Epoch, ...]


DiskJob = LogTags | EraseKeys | MakeKeys


class DiskWork:
    """`on_synced` hears of each `LogTags` by its batch, on the reactor, once it is on disk."""

    def __init__(
        self,
        reactor: Reactor,
        keys: NodeKeys,
        on_synced: Callable[[int], None],
        on_failure: Callable[[OSError], None],
    ) -> None:
        self._reactor = reactor
        self._keys = keys
        self._on_synced = on_synced
        self._on_failure = on_failure
        self._waiting: list[DiskJob] = []
        self._is_busy = False
        self._has_failed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk")

    def submit(self, job: DiskJob) -> None:
        """Returns at once."""
        self._waiting.append(job)
        if not self._is_busy and not self._has_failed:
            self._begin()

    def stop(self) -> None:
        """Blocks until what is under way is done; what waits is not begun: its packets are dropped
        with the process."""
        self._waiting.clear()
        self._thread.shutdown(wait=True)
        self._keys.close()

    def _begin(self) -> None:
        jobs, self._waiting = self._waiting, []
        self._is_busy = True
        self._thread.submit(self._work, jobs)

    def _work(self, jobs: list[DiskJob]) -> None:
        """On the thread. Nothing but this and the start of the process touches the files."""
        try:
            _carry_out(self._keys, jobs)
        except OSError as error:
            self._reactor.callFromThread(self._failed, error)
        except BaseException as error:
            self._reactor.callFromThread(_raise, error)
        else:
            self._reactor.callFromThread(self._done, jobs)

    def _done(self, jobs: list[DiskJob]) -> None:
        self._is_busy = False
        for job in jobs:
            if isinstance(job, LogTags):
                self._on_synced(job.batch)
        if self._waiting and not self._is_busy:
            self._begin()

    def _failed(self, error: OSError) -> None:
        self._has_failed = True
        self._on_failure(error)


def _carry_out(keys: NodeKeys, jobs: Sequence[DiskJob]) -> None:
    """In order, but tags of one key that stand together are one write and one sync."""
    tags: dict[Epoch, list[ReplayTag]] = {}
    for job in jobs:
        if isinstance(job, LogTags):
            tags.setdefault(job.epoch, []).extend(job.tags)
            continue
        _log(keys, tags)
        if isinstance(job, EraseKeys):
            keys.erase_before(job.before)
        else:
            keys.make(job.epochs)
    _log(keys, tags)


def _log(keys: NodeKeys, tags: dict[Epoch, list[ReplayTag]]) -> None:
    for epoch, together in tags.items():
        keys.log(epoch, together)
    tags.clear()


def _raise(error: BaseException) -> None:
    """On the reactor, where it ends the process."""
    raise error
