"""Pairs of people, one of whom sends the other something in bursts, and the cover on their links.

For adversaries who look at people's links: which sender's link goes with which receiver's, and who
has anything to say at all. The mix stands for the whole network, as a sum of exponential delays.
Every packet of a link has one size. Spec: docs/spec/laboratory.md (Links).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.lab.model import described
from experiments.lab.room import PACKETS_MAX, require_room
from experiments.lab.sources.one_mix import Packets, packets_trace
from experiments.lab.trace import NOBODY, Flags, Floats, Genre, Ints, Trace

Places = NDArray[np.int64]


class LinkCover(StrEnum):
    """What a person's link shows."""

    NONE = "none"  # payload, at once
    SLOTS = "slots"  # Poisson slots; payload waits for one, and cover fills the others
    BESIDE = "beside"  # the same slots filled with cover, and payload at once beside them


class LinkParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pairs: Annotated[int, described("Pairs of a sender and a receiver.", ge=2, le=10_000)] = 30
    busy_share: Annotated[
        float, described("Share of the pairs that have something to send.", gt=0, le=1)
    ] = 1.0
    seconds: Annotated[float, described("How long the observer watches.", gt=0, le=1e6)] = 300.0
    payload_rate_per_second: Annotated[
        float, described("Payload packets a second of a pair during a burst.", gt=0, le=1e4)
    ] = 1.0
    burst_share: Annotated[float, described("Share of the time that is in bursts.", gt=0, le=1)] = (
        0.4
    )
    burst_seconds: Annotated[float, described("Mean length of a burst.", gt=0)] = 20.0
    sending: Annotated[LinkCover, described("What senders' links show.")] = LinkCover.SLOTS
    receiving: Annotated[LinkCover, described("What receivers' links show.")] = LinkCover.SLOTS
    slot_rate_per_second: Annotated[
        float, described("Slots a second of a link with cover.", gt=0, le=1e4)
    ] = 2.0
    layers: Annotated[int, described("Mixes on every route.", ge=1, le=64)] = 3
    mean_delay_seconds: Annotated[float, described("Mean delay at each mix.", gt=0)] = 0.5


@dataclass(frozen=True, slots=True)
class Links:
    """Senders are people 0 to P - 1, receivers P to 2P - 1.

    partner  [P] the receiver of each sender, as a place from 0
    is_busy  [P] whether the sender has payload at all
    """

    trace: Trace
    partner: Ints
    is_busy: Flags


def simulate_links(parameters: LinkParameters, rng: np.random.Generator) -> Links:
    """Links from time 0 to `seconds`; the network is empty at first.

    Raises UserError(USAGE) if there are too many packets.
    """
    _require_room(parameters)
    pairs = parameters.pairs
    partner = rng.permutation(pairs).astype(np.int32)
    is_busy = rng.permutation(pairs) < max(1, round(parameters.busy_share * pairs))
    packets = [
        part
        for sender in range(pairs)
        for part in _pair(parameters, sender, int(partner[sender]), is_busy[sender], rng)
    ]
    joined = Packets(
        sent=np.concatenate([part.sent for part in packets]),
        departed=np.concatenate([part.departed for part in packets]),
        sender=np.concatenate([part.sender for part in packets]),
        receiver=np.concatenate([part.receiver for part in packets]),
        genre=np.concatenate([part.genre for part in packets]),
    )
    return Links(packets_trace(joined, 2 * pairs, rng), partner, is_busy)


def _require_room(parameters: LinkParameters) -> None:
    slots = parameters.slot_rate_per_second
    rates = {
        "payload_rate_per_second": parameters.payload_rate_per_second,
        "slot_rate_per_second, sending": slots * (parameters.sending is not LinkCover.NONE),
        "slot_rate_per_second, receiving": slots * (parameters.receiving is not LinkCover.NONE),
    }
    for key, rate in rates.items():
        packets = rate * parameters.seconds * parameters.pairs
        require_room(f"{key}, pairs, seconds", "packets", packets, PACKETS_MAX)
    turns = parameters.pairs * parameters.seconds / parameters.burst_seconds
    require_room("burst_seconds, pairs, seconds", "bursts", turns, PACKETS_MAX)


def _pair(
    parameters: LinkParameters,
    sender: int,
    partner: int,
    is_busy: np.bool_,
    rng: np.random.Generator,
) -> tuple[Packets, Packets, Packets]:
    """A pair's payload, its sender's cover, and the cover on its receiver's link."""
    receiver = parameters.pairs + partner
    written = burst_times(parameters, rng) if is_busy else np.zeros(0)
    sent, sending_cover = _covered(parameters, parameters.sending, written, rng)
    sent = sent[np.isfinite(sent)]
    came = np.sort(sent + _network_delay(parameters, len(sent), rng))
    # Which of a pair's packets comes out when is no matter to anyone who sees links alone: the
    # earliest sent gets the earliest place, which leaves the times on both links as they are.
    out, receiving_cover = _covered(parameters, parameters.receiving, came, rng)
    crossed = sending_cover + _network_delay(parameters, len(sending_cover), rng)
    return (
        _packets(parameters, sent, out, sender, receiver, Genre.PAYLOAD),
        _packets(parameters, sending_cover, crossed, sender, NOBODY, Genre.DROP_COVER),
        _packets(
            parameters,
            np.full(len(receiving_cover), np.inf),
            receiving_cover,
            NOBODY,
            receiver,
            Genre.UNKNOWN,
        ),
    )


def burst_times(parameters: LinkParameters, rng: np.random.Generator) -> Floats:
    """When a busy sender has payload to send: a Poisson process that is on in bursts and off in
    pauses, both of exponential lengths."""
    count = rng.poisson(parameters.payload_rate_per_second * parameters.seconds)
    times = np.sort(rng.random(count)) * parameters.seconds
    if parameters.burst_share == 1:
        return times
    pause = parameters.burst_seconds * (1 - parameters.burst_share) / parameters.burst_share
    turns = 2 + 2 * int(4 + 2 * parameters.seconds / (parameters.burst_seconds + pause))
    # Exponential lengths have no memory, so starting with a burst by its share is stationary.
    begins_on = rng.random() < parameters.burst_share
    edges: Floats = np.zeros(1)
    while edges[-1] < parameters.seconds:
        is_on = (np.arange(turns) + len(edges) - 1) % 2 == (0 if begins_on else 1)
        lengths = rng.exponential(np.where(is_on, parameters.burst_seconds, pause))
        edges = np.concatenate((edges, edges[-1] + np.cumsum(lengths)))
    turn = np.searchsorted(edges, times, side="right") - 1
    return np.asarray(times[turn % 2 == (0 if begins_on else 1)], dtype=np.float64)


def _covered(
    parameters: LinkParameters, cover: LinkCover, ready: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """When each packet that is ready goes over the link (infinite: never), and the times of cover.

    `ready` rises.
    """
    if cover is LinkCover.NONE:
        return ready, np.zeros(0)
    count = rng.poisson(parameters.slot_rate_per_second * parameters.seconds)
    slots = np.sort(rng.random(count)) * parameters.seconds
    if cover is LinkCover.BESIDE:
        return ready, slots
    place = slot_places(ready, slots)
    is_taken = np.zeros(count + 1, dtype=np.bool_)
    is_taken[np.minimum(place, count)] = True
    times = np.append(slots, np.inf)[np.minimum(place, count)]
    return times, slots[~is_taken[:count]]


def slot_places(ready: Floats, slots: Floats) -> Places:
    """The slot that each packet gets, in order and one a slot, none before it is ready. Both rise;
    places past the last slot mean that there was none left."""
    place = np.searchsorted(slots, ready, side="left")
    steps = np.arange(len(ready))
    return np.maximum.accumulate(place - steps) + steps if len(ready) else place


def _network_delay(parameters: LinkParameters, count: int, rng: np.random.Generator) -> Floats:
    return rng.standard_gamma(parameters.layers, count) * parameters.mean_delay_seconds


def _packets(
    parameters: LinkParameters,
    sent: Floats,
    departed: Floats,
    sender: int,
    receiver: int,
    genre: Genre,
) -> Packets:
    count = len(sent)
    return Packets(
        sent=sent,
        departed=np.where(departed <= parameters.seconds, departed, np.inf),
        sender=np.full(count, sender, dtype=np.int32),
        receiver=np.full(count, receiver, dtype=np.int32),
        genre=np.full(count, genre, dtype=np.uint8),
    )
