"""Every derivation's and signature's label: one enum, so that no two purposes share a key.

Each value is written in a page of docs/spec; a test fails on one that is in none.
"""

from enum import Enum


class Label(bytes, Enum):
    """`hushmill/<area>/<purpose>`, ASCII, at most 255 bytes."""

    PACKET_HOP = b"hushmill/packet/hop"  # docs/spec/packet.md
    NETWORK = b"hushmill/directory/network"  # docs/spec/directory.md
    GENESIS = b"hushmill/directory/genesis"
    DESCRIPTOR = b"hushmill/directory/descriptor"
    VOTE = b"hushmill/directory/vote"
    CONSENSUS = b"hushmill/directory/consensus"
    CONSENSUS_DIGEST = b"hushmill/directory/consensus-digest"
