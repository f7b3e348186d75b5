"""Whom a node may hear from and send to, by the consensus.

Spec: docs/spec/mixing.md (Neighbours). The layers form a ring with the providers as its last link:
providers → first layer → … → last layer → providers.
"""

from dataclasses import dataclass

from hushmill.identifiers import NodeNumber
from pki import Consensus


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`before` may send to the node, the node may send to `after`."""

    before: frozenset[NodeNumber] = frozenset()
    after: frozenset[NodeNumber] = frozenset()

    def joined(self, other: "Neighbours") -> "Neighbours":
        """The neighbours of both."""
        return Neighbours(self.before | other.before, self.after | other.after)


def neighbours_of(consensus: Consensus, node: NodeNumber) -> Neighbours:
    """The two rings beside the node's; none at all for a node that is not in the consensus."""
    rings = [consensus.providers, *consensus.layers]
    ordered = [frozenset(entry.number for entry in ring) for ring in rings]
    for place, ring in enumerate(ordered):
        if node in ring:
            return Neighbours(
                before=ordered[place - 1],
                after=ordered[(place + 1) % len(ordered)],
            )
    return Neighbours()
