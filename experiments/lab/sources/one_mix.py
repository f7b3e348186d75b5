"""A trace of packets whose times are already drawn, with one mix that stands for the network.

For adversaries who look at the two ends only: what happens between them is a delay.
"""

from dataclasses import dataclass

import numpy as np

from experiments.lab.trace import NOBODY, Bytes, Event, Floats, Ints, Trace


@dataclass(frozen=True, slots=True)
class Packets:
    """P packets, in any order.

    sent      [P] when it is sent; infinite if the network makes it
    departed  [P] when it leaves the network; infinite if it is still inside at the end
    sender    [P] NOBODY if the network makes it
    receiver  [P] NOBODY if it ends unread
    genre     [P] a Genre
    """

    sent: Floats
    departed: Floats
    sender: Ints
    receiver: Ints
    genre: Bytes

    def joined(self, other: "Packets") -> "Packets":
        """These and then the others."""
        return Packets(
            np.concatenate((self.sent, other.sent)),
            np.concatenate((self.departed, other.departed)),
            np.concatenate((self.sender, other.sender)),
            np.concatenate((self.receiver, other.receiver)),
            np.concatenate((self.genre, other.genre)),
        )


def packets_trace(packets: Packets, people: int, rng: np.random.Generator) -> Trace:
    """The trace of `packets` through one mix without link delay. A packet's message is its place.

    Packets that leave at one instant leave in an order drawn from `rng`.
    """
    sent = np.flatnonzero(np.isfinite(packets.sent))
    sent = sent[np.argsort(packets.sent[sent], kind="stable")]
    gone = rng.permutation(np.flatnonzero(np.isfinite(packets.departed)))
    gone = gone[np.argsort(packets.departed[gone], kind="stable")]
    message = np.concatenate((np.repeat(sent, 2), np.repeat(gone, 2)))
    time = np.concatenate((np.repeat(packets.sent[sent], 2), np.repeat(packets.departed[gone], 2)))
    come = np.tile(np.array([Event.SEND, Event.ARRIVE], dtype=np.uint8), len(sent))
    go = np.tile(np.array([Event.DEPART, Event.DELIVER], dtype=np.uint8), len(gone))
    # A stable sort keeps a packet's own order at one instant, and all arrivals before departures.
    order = np.argsort(time, kind="stable")
    kind = np.concatenate((come, go))[order]
    message = message[order].astype(np.int32)
    is_inside = (kind == Event.ARRIVE) | (kind == Event.DEPART)
    mix = np.where(is_inside, 0, NOBODY).astype(np.int32)
    label = np.where(kind == Event.SEND, packets.sender[message], packets.receiver[message])
    return Trace(
        time=time[order],
        kind=kind,
        mix=mix,
        layer=mix.copy(),
        message=message,
        label=np.where(is_inside, NOBODY, label).astype(np.int32),
        genre=packets.genre,
        mixes=1,
        people=people,
    )
