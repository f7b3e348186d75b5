"""What an observer of all links can tell of a delivered packet's sender: Bayesian tracing.

Each mix holds an unknown set of packets; for every sender the observer keeps the expected number of
that sender's packets inside. An arrival adds its posterior, and a departure takes the pool's mean,
which is exact for memoryless delays (docs/spec/observer.md has the argument; the form is that of
the Loopix paper's section 4.1.3, generalised to a posterior over senders). The cap at ten means
(e^-10 of all delays) makes it `exact` up to that share.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.trace import Kind, Row

Posterior = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ObserverReport:
    """`sender_entropy_bits` is the mean over `replicates` traced packets; `max_bits` is the log of
    the number of senders, all that there is to hide."""

    sender_entropy_bits: float
    max_bits: float
    replicates: int


@dataclass(slots=True)
class _Pool:
    """What the observer knows of one mix: how many packets it holds and whose, in expectation."""

    size: int
    mass: Posterior

    def enter(self, posterior: Posterior) -> None:
        self.size += 1
        self.mass = self.mass + posterior

    def leave(self) -> Posterior:
        """The posterior of a departing packet. A packet from before the trace began has no known
        sender, so its posterior is zero everywhere."""
        if self.size <= 0:
            return np.zeros_like(self.mass)
        posterior = self.mass / self.size
        self.mass = self.mass - posterior
        self.size -= 1
        return posterior


def entropy_bits(posterior: Posterior) -> float:
    """Shannon entropy of a distribution, in bits."""
    positive = posterior[posterior > 0]
    return float(-(positive * np.log2(positive)).sum())


def by_client(row: Row) -> int:
    """The sender of an entry where clients are numbered from 1 over the whole network."""
    return row.client - 1


def trace_senders(
    rows: Sequence[Row], senders: int, sender_of: Callable[[Row], int] = by_client
) -> list[Posterior]:
    """For each packet that ended at a provider, in order, the posterior over `senders` clients.

    `sender_of` gives the place, from 0, of the client from whom an entry came.
    `rows` are in order of time. Packets of mixes' own loops carry no mass for any client; a packet
    that ends at a provider is surely a client's, so its posterior is normalised over clients.
    Packets that could only have come from before the trace began are left out.
    """
    pools: dict[int, _Pool] = defaultdict(lambda: _Pool(0, np.zeros(senders)))
    flying: dict[tuple[int, int], deque[Posterior]] = defaultdict(deque)
    found: list[Posterior] = []
    nobody = np.zeros(senders)
    for row in rows:
        if row.kind is Kind.START:
            # The observer sees the connections break: nothing held or under way survives it.
            pools.pop(row.at, None)
            for ends in [ends for ends in flying if row.at in ends]:
                del flying[ends]
        elif not row.arriving:
            if row.kind is Kind.ENTRY:
                posterior = nobody.copy()
                posterior[sender_of(row)] = 1.0
            elif row.kind is Kind.OWN_LOOP:
                posterior = nobody
            else:
                posterior = pools[row.at].leave()
            flying[row.at, row.peer].append(posterior)
        else:
            link = flying[row.peer, row.at]
            posterior = link.popleft() if link else nobody
            if row.kind is Kind.RELAY:
                pools[row.at].enter(posterior)
            elif row.kind is Kind.DELIVER and posterior.sum() > 0:
                found.append(posterior / posterior.sum())
    return found


def report(
    rows: Sequence[Row], senders: int, sender_of: Callable[[Row], int] = by_client
) -> ObserverReport:
    """The observer's report on one run; with nothing delivered there is nothing hidden: 0 bits."""
    posteriors = trace_senders(rows, senders, sender_of)
    entropies = [entropy_bits(posterior) for posterior in posteriors]
    mean = float(np.mean(entropies)) if entropies else 0.0
    return ObserverReport(mean, float(np.log2(max(senders, 1))), len(entropies))
