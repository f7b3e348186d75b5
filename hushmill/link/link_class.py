"""The three link classes and the one frame size of each. Spec: docs/spec/link.md (Frames)."""

from enum import Enum

from hushmill.errors import UsageError

CONTROL_BYTES = 256
DIRECTORY_FRAME_BYTES = 4096


class LinkClass(Enum):
    """Who speaks on a link; the class fixes the frame size in both directions."""

    NODE = "node"  # provider and mix to the next layer: packets, one way
    CLIENT = "client"  # a person's daemon and its provider
    DIRECTORY = "directory"  # anyone and an authority: documents cut into frames


def frame_bytes(link_class: LinkClass, packet_bytes: int) -> int:
    """The exact size of every frame of `link_class` where packets have `packet_bytes`."""
    if packet_bytes <= 0:
        raise UsageError("packet_bytes is a packet's size")
    match link_class:
        case LinkClass.NODE:
            return 1 + packet_bytes
        case LinkClass.CLIENT:
            return 1 + packet_bytes + CONTROL_BYTES
        case LinkClass.DIRECTORY:
            return DIRECTORY_FRAME_BYTES
