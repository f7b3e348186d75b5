"""A packet's short name in local traces: the same where it leaves a node and where it comes in."""

from hashlib import blake2b

WIRE_BYTES = 8  # two of 10^6 packets share a name with a chance under 3e-8


def wire_of(packet: bytes) -> str:
    """16 hex digits of the packet as it is on one link; on the next link it has another name."""
    return blake2b(packet, digest_size=WIRE_BYTES, person=b"local trace").hexdigest()
