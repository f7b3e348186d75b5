"""A Dask cluster as workers: the same tasks, sent to a scheduler's address.

Dask does a task again whose worker died, and gives up on one that kills its workers (its setting
`allowed-failures`, 3 unless changed). The workers need hushmill installed, in the same version:
each order carries the hash of the code that must do it.
"""

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from experiments.lab.runs.code import code_hash
from experiments.lab.runs.engine import Answers, Lost, decoded, encoded
from experiments.lab.runs.task import Order, performed
from hushmill.errors import ExitCode, UserError

if TYPE_CHECKING:
    from distributed import Client, Future

ADDRESS = re.compile(r"(?:\w+://)?(?:\[[^\]\s]+\]|[^:/\s]+):\d{1,5}")  # a scheme may stand first
CONNECT_SECONDS = 10.0
TASKS_A_THREAD = 4  # under way at once, so that no worker waits for the next


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers of the scheduler at `address` (`tcp://HOST:PORT`)."""

    address: str
    connect_seconds: float = CONNECT_SECONDS

    def answers(self, orders: Iterable[Order], lost: Lost) -> Answers:
        """As `Workers` says; Dask keeps to itself which of its workers died.

        Raises UserError: USAGE for what is no address; CONFIGURATION for not installed, not
        reachable, no worker, gone in the middle, or a task that kills its workers.
        """
        with contextlib.closing(self._connected()) as client:
            yield from self._answers(client, orders)

    def _connected(self) -> "Client":
        if not ADDRESS.fullmatch(self.address):
            raise UserError(
                f"--dask: {self.address!r} is no scheduler's address; it looks like "
                "tcp://HOST:8786.",
                ExitCode.USAGE,
            )
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise UserError(
                "--dask needs the extra `cluster` (dask, distributed). In a checkout: make lab. "
                "Elsewhere: pip install 'hushmill[cluster]'.",
                ExitCode.CONFIGURATION,
            ) from error
        try:
            client: Client = Client(  # type: ignore[no-untyped-call]
                self.address, timeout=self.connect_seconds, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise UserError(
                f"No Dask scheduler answers at {self.address} (it looks like tcp://HOST:8786): "
                f"{error}",
                ExitCode.CONFIGURATION,
            ) from error
        try:
            client.wait_for_workers(1, timeout=self.connect_seconds)
        except TimeoutError as error:
            client.close()  # type: ignore[no-untyped-call]
            text = f"The Dask scheduler at {self.address} has no worker. Start some."
            raise UserError(text, ExitCode.CONFIGURATION) from error
        return client

    def _answers(self, client: "Client", orders: Iterable[Order]) -> Answers:
        """Keeps a few tasks a thread under way; the client's closing ends what is left of them."""
        from distributed import as_completed

        coming = (msgspec.structs.replace(order, code=code_hash(order.module)) for order in orders)
        threads = sum(client.nthreads().values())  # type: ignore[no-untyped-call]
        # `pure` False: a task that was lost is never taken for one of another run.
        under_way = {
            client.submit(performed, encoded(order), pure=False): order
            for order in islice(coming, max(1, threads) * TASKS_A_THREAD)
        }
        completed = as_completed(list(under_way), loop=client.loop)  # type: ignore[no-untyped-call]
        for future in completed:
            yield decoded(self._answer(future, under_way.pop(future)))
            following = next(coming, None)
            if following is not None:
                sent = client.submit(performed, encoded(following), pure=False)
                under_way[sent] = following
                completed.add(sent)  # type: ignore[no-untyped-call]

    def _answer(self, future: "Future[bytes]", order: Order) -> bytes:
        from distributed import CancelledError, KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise UserError(
                f"Every worker that the cluster gave to point {order.point}, replicate "
                f"{order.replicate} died: they may have too little memory for it. What is finished "
                "is kept; the same command goes on.",
                ExitCode.CONFIGURATION,
            ) from error
        except (CancelledError, OSError) as error:
            raise UserError(
                f"The Dask cluster at {self.address} is gone. What is finished is kept; the same "
                "command goes on.",
                ExitCode.CONFIGURATION,
            ) from error
