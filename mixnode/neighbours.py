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


def neighbours_of(consensus: Consensus, node: NodeNumber) -> Neighbours:
    """The node's two neighbouring rings; none at all for a node that the consensus does not name."""
    rings: dict[int, set[NodeNumber]] = {}
    providers: set[NodeNumber] = set()
    for entry in consensus.nodes:
        ring = providers if entry.role == "provider" else rings.setdefault(entry.layer, set())
        ring.add(entry.number)
    ordered = [providers, *(rings[layer] for layer in sorted(rings))]
    for place, ring in enumerate(ordered):
        if node in ring:
            return Neighbours(
                before=frozenset(ordered[place - 1]),
                after=frozenset(ordered[(place + 1) % len(ordered)]),
            )
    return Neighbours()
