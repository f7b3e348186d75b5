"""The links of the simulated network: what is lost, doubled, late or cut, and what it looked like.

A link carries a frame by calling the receiver later. Everything that crosses goes into one hash
(time, ends, size), so that two runs can be compared by 32 bytes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from experiments.simnet.clockwork import Clockwork
from hushmill.randomness import Randomness, exponential, unit

LATENCY_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities a frame, and the mean of an exponential extra delay that reorders frames."""

    loss: float = 0.0
    duplication: float = 0.0
    jitter_seconds: float = 0.0


class Network:
    """All links. `faults` may be exchanged while it runs: first safety, then healing."""

    def __init__(self, clock: Clockwork, rng: Randomness, faults: Faults) -> None:
        self.faults = faults
        self._clock = clock
        self._rng = rng
        self._hash = hashlib.sha256()
        self._cut: set[str] = set()
        self.frames = 0
        self.lost = 0

    def carry(self, source: str, target: str, size: int, deliver: Callable[[], None]) -> None:
        """Calls `deliver` when a frame of `size` bytes arrives: never, once or twice."""
        self._note(source, target, size)
        if self._is_cut(source, target) or unit(self._rng) < self.faults.loss:
            self.lost += 1
            return
        copies = 2 if unit(self._rng) < self.faults.duplication else 1
        for _ in range(copies):
            extra = exponential(self._rng, self.faults.jitter_seconds)
            self._clock.after(LATENCY_SECONDS + extra, deliver)

    def carry_surely(
        self, source: str, target: str, size: int, deliver: Callable[[], None]
    ) -> None:
        """As `carry`, for links on which a lost frame would break the connection rather than leave
        a gap (a client's to its provider, the directory's): they fail only while an end is cut
        off, or is down."""
        self._note(source, target, size)
        if not self._is_cut(source, target):
            self._clock.after(LATENCY_SECONDS, deliver)

    def cut(self, name: str) -> None:
        """Every frame from and to `name` is lost until `mend`."""
        self._cut.add(name)

    def mend(self, name: str) -> None:
        self._cut.discard(name)

    def _is_cut(self, source: str, target: str) -> bool:
        return source in self._cut or target in self._cut

    def _note(self, source: str, target: str, size: int) -> None:
        self.frames += 1
        self._hash.update(f"{self._clock.now:.6f} {source} {target} {size}\n".encode())

    def trace_hash(self) -> str:
        """What crossed all links so far, as one value."""
        return self._hash.hexdigest()
