"""People who come and go while one of them writes to a target: what an intersection attack sees.

A round is the unit of time. Packets of other people to the target would confuse the attack: there
are none, so what it finds is a bound. Spec: docs/spec/laboratory.md (Conversations).
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from experiments.lab.model import described
from experiments.lab.room import CELLS_MAX, PACKETS_MAX, require_room
from experiments.lab.sources.one_mix import Packets, packets_trace
from experiments.lab.sources.rounds import online_rounds
from experiments.lab.trace import NOBODY, Genre, Trace


class PresenceParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    users: Annotated[int, described("People who send.", ge=2, le=100_000)] = 100
    rounds: Annotated[int, described("How long the observer watches.", ge=1, le=10_000_000)] = 1000
    online_share: Annotated[float, described("Share of rounds a person is online.", gt=0, le=1)] = (
        0.5
    )
    session_rounds: Annotated[
        float, described("Mean rounds of a session online; 0 draws every round anew.", ge=0)
    ] = 10.0
    sending_share: Annotated[
        float, described("Share of online rounds in which a person sends payload.", gt=0, le=1)
    ] = 0.2
    is_cover_constant: Annotated[
        bool, described("Whether people who are online send a packet each round in any case.")
    ] = True
    delay_rounds: Annotated[
        float, described("Mean delay of the network; 0 delivers at the end of the round.", ge=0)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class Presence:
    """A trace in which `sender` alone writes to `target`."""

    trace: Trace
    sender: int
    target: int


def simulate_presence(parameters: PresenceParameters, rng: np.random.Generator) -> Presence:
    """Round r lasts from time r to r + 1. The target is one person more, who never sends."""
    rounds, users = parameters.rounds, parameters.users
    require_room("rounds, users", "people by round", rounds * users, CELLS_MAX)
    sending = 1.0 if parameters.is_cover_constant else parameters.sending_share
    expected = rounds * users * parameters.online_share * sending
    require_room("rounds, users, online_share", "packets", expected, PACKETS_MAX)
    online = online_rounds(rounds, users, parameters.online_share, parameters.session_rounds, rng)
    talking = online & (rng.random(online.shape) < parameters.sending_share)
    place, sender = np.nonzero(online if parameters.is_cover_constant else talking)
    writer = int(rng.integers(users))
    is_payload = talking[place, sender]
    receiver = np.where(is_payload, rng.integers(0, users, len(place)), NOBODY)
    receiver[is_payload & (sender == writer)] = users
    sent = place + rng.random(len(place))
    departed = place + 1.0
    if parameters.delay_rounds > 0:
        departed[:] = sent + rng.exponential(parameters.delay_rounds, len(place))
    packets = Packets(
        sent=sent,
        departed=np.where(departed <= rounds, departed, np.inf),
        sender=sender.astype(np.int32),
        receiver=receiver.astype(np.int32),
        genre=np.where(is_payload, Genre.PAYLOAD, Genre.DROP_COVER).astype(np.uint8),
    )
    return Presence(packets_trace(packets, users + 1, rng), writer, users)
