"""What both packets are put through; read by two interpreters, so it imports the stdlib alone.

A subject answers each scenario with a verdict, a sentence of this file. Each subject must give the
one that is expected of it, or the oracle fails; `WHY` says why two of them differ. A `Note` is a
fact of the source, which nothing here runs.
"""

from dataclasses import dataclass
from typing import Protocol

HOPS = 4
PAYLOAD_BYTES = 3608
FLIPS_A_HOP = 48  # header bits, evenly spread over the header of whichever subject
PADDINGS = 64  # packets of one length whose padding the last hop looks at
ZERO_RUN = 5  # bytes; random padding, 0.9 MB of it at most, has such a run once in a million times

DELIVERED = "delivered intact"
DROPPED = "dropped at that hop"
REFUSED_AT_EXIT = "noise at the exit"
SAME_TAG = "known by its tag"
OTHER_TAG = "another tag"
SAME_PACKET = "opened, same tag"
BY_EVERY_NODE = "opened by every node"
SAYS_NOTHING = "no run of zeros"
SHOWS_LENGTH = "RUNS OF ZEROS"
NO_SUCH_FIELD = "-"  # not asked of that subject
UNEXPECTED = "UNEXPECTED"

OTHER_ENCODING = "write the public element otherwise"
NOBODYS_KEY = "make a packet with no node's key"
VERSION_BYTE = "change the version byte"
EPOCH_BYTE = "change the key epoch byte"
PADDING = "look at the last hop's padding"

WHY = {
    OTHER_ENCODING: "sphinxmix takes a point in any form that OpenSSL reads (here uncompressed for "
    "compressed): other bytes, one packet; its tag still finds the replay. X25519 with the top bit "
    "set is the same element too, but hushmill takes one encoding of each.",
    VERSION_BYTE: "sphinxmix has no such field.",
    EPOCH_BYTE: "sphinxmix has no such field. The node has its key under both bytes here, so what "
    "refuses is the MAC.",
    NOBODYS_KEY: "sphinxmix takes the point at infinity, for which every node's shared secret is "
    "the same public value: one packet, made with no key at all, is opened by every node. hushmill "
    "is given every X25519 element of low order (with an honest ML-KEM part for xwing), and keys "
    "that would be right for a node that does not look.",
}


@dataclass(frozen=True)
class Scenario:
    """`length` hops, and what happens at `hop` of them (counted from 0; -1 for no one hop).
    `classical` is what is expected of the classical format where that is something else."""

    what: str
    length: int
    hop: int
    expected: str
    classical: str = ""

    @property
    def name(self) -> str:
        place = "" if self.hop < 0 else f" at hop {self.hop + 1}"
        return f"{self.what}{place} of {self.length}"

    def expected_of(self, subject: str) -> str:
        return self.classical if subject == "classical" and self.classical else self.expected


@dataclass(frozen=True)
class Note:
    """`text` holds as long as these words stand in the source of each subject's unwrapping."""

    text: str
    classical: str
    ours: str


NOTES = (
    Note(
        "Comparing the MAC: sphinxmix compares bytes with !=, whose time may depend on how many "
        "are right; hushmill compares in constant time. Read from the source, not measured.",
        "if gamma != p.mu(",
        "equal(mac, header_mac(",
    ),
    Note(
        "What the MAC covers: in sphinxmix beta alone (and associated data, when used), a changed "
        "alpha shows by another key; in hushmill version, key epoch, KEM ciphertext and routing.",
        "p.mu(p.hmu(aes_s), assoc + beta)",
        "header_mac(hop.mac, raw[: self._ciphertext_end], routing)",
    ),
    Note(
        "Replay: both give a tag and neither keeps the tags, so both open a packet again. It is "
        "hushmill's node that keeps them (mixnode; tests/mixnode/test_replay.py).",
        "tag = p.htau(aes_s)",
        "Unwrapped(hop.tag,",
    ),
)


class Subject(Protocol):
    """One packet format under the oracle."""

    def verdict(self, scenario: Scenario) -> str:
        """What became of a fresh packet."""
        ...

    def has_words(self, words: str) -> bool:
        """Whether they stand in the source of its unwrapping."""
        ...

    def time_unwrap(self, calls: int) -> float:
        """Microseconds a call, the mean of `calls`."""
        ...

    def time_wrap(self, calls: int) -> float: ...


def padding_verdict(paddings: list[bytes]) -> str:
    """What the last hop sees behind its own block: zeros would show where the sender's padding
    begins, and so the length of the route (Kuhn, Beck, Strufe 2020, 4.1)."""
    zeros = bytes(ZERO_RUN)
    return SHOWS_LENGTH if any(zeros in padding for padding in paddings) else SAYS_NOTHING


def scenarios() -> list[Scenario]:
    found = [Scenario("send", length, -1, DELIVERED) for length in range(1, HOPS + 1)]
    for hop in range(HOPS):
        found.append(Scenario("flip header bits", HOPS, hop, DROPPED))
        found.append(Scenario("send to another node's key", HOPS, hop, DROPPED))
        found.append(Scenario("replace the public element", HOPS, hop, DROPPED))
        found.append(Scenario(OTHER_ENCODING, HOPS, hop, DROPPED, SAME_PACKET))
        found.append(Scenario(VERSION_BYTE, HOPS, hop, DROPPED, NO_SUCH_FIELD))
        found.append(Scenario(EPOCH_BYTE, HOPS, hop, DROPPED, NO_SUCH_FIELD))
        found.append(Scenario("take another packet's routing", HOPS, hop, DROPPED))
        found.append(Scenario("cut a byte off the header", HOPS, hop, DROPPED))
        found.append(Scenario("flip a payload bit", HOPS, hop, REFUSED_AT_EXIT))
        found.append(Scenario("take another packet's payload", HOPS, hop, REFUSED_AT_EXIT))
        found.append(Scenario("send again", HOPS, hop, SAME_TAG))
        found.append(Scenario("send a second packet", HOPS, hop, OTHER_TAG))
    found.append(Scenario(NOBODYS_KEY, 1, -1, DROPPED, BY_EVERY_NODE))
    for length in range(1, HOPS + 1):
        found.append(Scenario(PADDING, length, -1, SAYS_NOTHING))
    return found
