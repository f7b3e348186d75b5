"""The shape of every core: three verbs, no clock, no socket, no file, no global randomness.

`hushmill.runtime.Driver` runs any core on Twisted's clock and `experiments` runs the same ones in
virtual time, so what is measured and fault-tested is the code that ships.
"""

from typing import Protocol, TypeVar

Event = TypeVar("Event", contravariant=True)
Effect = TypeVar("Effect")


class Core(Protocol[Event, Effect]):
    """Effects are carried out in their order. `now` is in seconds and never goes back; where wall
    time matters (epochs, expiry) it comes inside events."""

    def receive(self, event: Event, now: float) -> list[Effect]: ...

    def next_deadline(self) -> float | None: ...

    def advance(self, now: float) -> list[Effect]: ...
