"""What both packets are put through; read by two interpreters, so it imports the stdlib alone.

A subject answers each scenario with a verdict, a sentence of this file. The two subjects must give
the expected one, or the oracle fails.
"""

from dataclasses import dataclass
from typing import Protocol

HOPS = 4
PAYLOAD_BYTES = 3608
FLIPS_A_HOP = 48  # header bits, evenly spread over the header of whichever subject

DELIVERED = "delivered intact"
DROPPED = "dropped at that hop"
REFUSED_AT_EXIT = "noise at the exit"
SAME_TAG = "known by its tag"
OTHER_TAG = "another tag"
UNEXPECTED = "UNEXPECTED"


@dataclass(frozen=True)
class Scenario:
    """`length` hops, and what happens at `hop` (counted from 0) of them."""

    what: str
    length: int
    hop: int
    expected: str

    @property
    def name(self) -> str:
        place = "" if self.hop < 0 else f" at hop {self.hop + 1}"
        return f"{self.what}{place} of {self.length}"


class Subject(Protocol):
    """One packet format under the oracle."""

    def verdict(self, scenario: Scenario) -> str:
        """What became of a fresh packet."""
        ...

    def time_unwrap(self, calls: int) -> float:
        """Microseconds a call, the mean of `calls`."""
        ...

    def time_wrap(self, calls: int) -> float: ...


def scenarios() -> list[Scenario]:
    found = [Scenario("send", length, -1, DELIVERED) for length in range(1, HOPS + 1)]
    for hop in range(HOPS):
        found.append(Scenario("flip header bits", HOPS, hop, DROPPED))
        found.append(Scenario("send to another node's key", HOPS, hop, DROPPED))
        found.append(Scenario("replace the public element", HOPS, hop, DROPPED))
        found.append(Scenario("take another packet's routing", HOPS, hop, DROPPED))
        found.append(Scenario("cut a byte off the header", HOPS, hop, DROPPED))
        found.append(Scenario("flip a payload bit", HOPS, hop, REFUSED_AT_EXIT))
        found.append(Scenario("take another packet's payload", HOPS, hop, REFUSED_AT_EXIT))
        found.append(Scenario("send again", HOPS, hop, SAME_TAG))
        found.append(Scenario("send a second packet", HOPS, hop, OTHER_TAG))
    return found
