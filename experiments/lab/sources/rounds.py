"""Conversations over many rounds: who is there, who writes to whom, and one mix between them.

The long-term adversaries need what the network model does not have: people with contacts, people
who come and go, and cover of several kinds. A round is the unit of time. The mix stands for the
whole network, since these adversaries look at its two ends alone. The observer is granted which
packets end unread at a provider, as a provider that works for it would tell.
Spec: docs/spec/laboratory.md (Conversations).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.lab.model import described
from experiments.lab.room import CELLS_MAX, PACKETS_MAX, require_room
from experiments.lab.sources.one_mix import Packets, packets_trace
from experiments.lab.trace import NOBODY, Flags, Floats, Genre, Trace
from hushmill.errors import ExitCode, UserError

Places = NDArray[np.int64]
LONGEST_POOL = 1000  # rounds that a packet stays in the mix, in the mean


class ProfileLaw(StrEnum):
    CONTACTS = "contacts"  # everyone writes to `contacts` people drawn at random, to each alike
    DIRICHLET = "dirichlet"  # everyone's shares are a Dirichlet draw with `concentration`
    TARGET_ALONE = "target_alone"  # person 0 has `contacts`; the others write to everyone alike


class RoundMixing(StrEnum):
    THRESHOLD = "threshold"  # all packets of a round leave together at its end
    POOL = "pool"  # so many as came leave, drawn from them and the `kept` packets before
    POISSON = "poisson"  # each has its own exponential delay, of mean `delay_rounds`


class RoundParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Packets, rates and delays are by the round."""

    users: Annotated[int, described("People who send.", ge=2, le=100_000)] = 50
    receivers: Annotated[int, described("People who may be written to.", ge=2, le=100_000)] = 50
    rounds: Annotated[int, described("How long the observer watches.", ge=2, le=10_000_000)] = 4000
    packets_per_round: Annotated[
        int, described("Packets of all users a round, their cover included.", ge=1, le=100_000)
    ] = 10
    target_packets_per_round: Annotated[
        int, described("So many of them are always person 0's; 0 leaves it to chance.", ge=0)
    ] = 0
    profile_law: Annotated[ProfileLaw, described("Law of the shares in which a person writes.")] = (
        ProfileLaw.DIRICHLET
    )
    contacts: Annotated[int, described("Contacts of a person, where shares are even.", ge=1)] = 5
    concentration: Annotated[float, described("Concentration of Dirichlet shares.", gt=0)] = 0.2
    rate_spread: Annotated[
        float, described("Standard deviation of the log of people's rates.", ge=0, le=3)
    ] = 0.0
    mixing: Annotated[RoundMixing, described("How packets are mixed.")] = RoundMixing.THRESHOLD
    kept: Annotated[int, described("Packets that a pool mix keeps.", ge=0)] = 10
    delay_rounds: Annotated[float, described("Mean delay of the Poisson mix.", gt=0)] = 1.0
    online_share: Annotated[float, described("Share of rounds a person is online.", gt=0, le=1)] = (
        1.0
    )
    session_rounds: Annotated[
        float, described("Mean rounds of a session online; 0 draws every round anew.", ge=0)
    ] = 10.0
    talking_share: Annotated[
        float,
        described("Share of online rounds in which a person has something to send.", ge=0, le=1),
    ] = 1.0
    is_cover_constant: Annotated[
        bool, described("Whether people who are online send alike, talking or not.")
    ] = False
    payload_share: Annotated[
        float, described("Share of a talking person's packets that are payload.", gt=0, le=1)
    ] = 1.0
    mix_cover_per_round: Annotated[
        float, described("Mean packets a round that the mix sends to people drawn at random.", ge=0)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class Conversations:
    """A trace and the truth about its people.

    profiles  [users, receivers] share of a person's payload that goes to each receiver
    weights   [users] relative rates of sending
    """

    trace: Trace
    profiles: Floats
    weights: Floats


def simulate_rounds(parameters: RoundParameters, rng: np.random.Generator) -> Conversations:
    """`parameters.rounds` rounds; round r lasts from time r to r + 1.

    Raises UserError(USAGE) where parameters contradict each other.
    """
    _check(parameters)
    profiles = draw_profiles(parameters, rng)
    weights = np.exp(parameters.rate_spread * rng.standard_normal(parameters.users))
    online = online_rounds(
        parameters.rounds, parameters.users, parameters.online_share, parameters.session_rounds, rng
    )
    talking = online & (rng.random(online.shape) < parameters.talking_share)
    sending = online if parameters.is_cover_constant else talking
    place, sender = _senders(parameters, weights, sending, rng)
    sent = place + rng.random(len(place))
    order = np.lexsort((sent, place))
    place, sender, sent = place[order], sender[order], sent[order]
    is_payload = talking[place, sender] & (rng.random(len(place)) < parameters.payload_share)
    receiver = np.where(is_payload, draw_rows(profiles, sender, rng), NOBODY)
    packets = Packets(
        sent=sent,
        departed=_departures(parameters, place, sent, rng),
        sender=sender.astype(np.int32),
        receiver=receiver.astype(np.int32),
        genre=np.where(is_payload, Genre.PAYLOAD, Genre.DROP_COVER).astype(np.uint8),
    )
    packets = packets.joined(_mix_cover(parameters, packets, rng))
    people = max(parameters.users, parameters.receivers)
    return Conversations(packets_trace(packets, people, rng), profiles, weights)


def _check(parameters: RoundParameters) -> None:
    if parameters.contacts > parameters.receivers:
        raise UserError("contacts: more than there are receivers.", ExitCode.USAGE)
    if parameters.target_packets_per_round > parameters.packets_per_round:
        raise UserError("target_packets_per_round: more than packets_per_round.", ExitCode.USAGE)
    users, receivers, rounds = parameters.users, parameters.receivers, parameters.rounds
    cells = rounds * max(users, receivers)
    require_room("rounds, users, receivers", "people by round", cells, CELLS_MAX)
    require_room("users, receivers", "shares of profiles", users * receivers, CELLS_MAX / 2)
    packets = float(rounds) * parameters.packets_per_round
    require_room("rounds, packets_per_round", "packets", packets, PACKETS_MAX)
    cover = rounds * parameters.mix_cover_per_round
    require_room("mix_cover_per_round, rounds", "packets of the mix", cover, PACKETS_MAX)
    if parameters.mixing is RoundMixing.POOL:
        longest = LONGEST_POOL * parameters.packets_per_round
        require_room("kept, packets_per_round", "packets kept", parameters.kept, longest)
    if parameters.mixing is RoundMixing.POISSON:
        delay = parameters.delay_rounds
        require_room("delay_rounds", "rounds of mean delay", delay, LONGEST_POOL)


def draw_profiles(parameters: RoundParameters, rng: np.random.Generator) -> Floats:
    """[users, receivers] shares of a person's payload; each row adds up to 1."""
    shape = (parameters.users, parameters.receivers)
    match parameters.profile_law:
        case ProfileLaw.DIRICHLET:
            drawn = rng.standard_gamma(parameters.concentration, shape)
            # A tiny concentration can draw a row of zeros: such a person has one contact.
            drawn[drawn.sum(axis=1) == 0, 0] = 1.0
            return np.asarray(drawn / drawn.sum(axis=1, keepdims=True), dtype=np.float64)
        case ProfileLaw.CONTACTS:
            return _even_contacts(parameters.contacts, shape, rng)
        case ProfileLaw.TARGET_ALONE:
            profiles = np.full(shape, 1.0 / parameters.receivers)
            profiles[0] = _even_contacts(parameters.contacts, (1, shape[1]), rng)[0]
            return profiles


def _even_contacts(contacts: int, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    profiles = np.zeros(shape)
    for row in profiles:
        row[rng.choice(shape[1], contacts, replace=False)] = 1.0 / contacts
    return profiles


def online_rounds(
    rounds: int, users: int, share: float, session_rounds: float, rng: np.random.Generator
) -> Flags:
    """[rounds, users]: who is online. Sessions and pauses have geometric lengths, of means
    `session_rounds` (at least 1, or 0 for rounds that are independent) and what makes the share
    right; the start is stationary."""
    if share >= 1.0:
        return np.ones((rounds, users), dtype=np.bool_)
    if session_rounds == 0:
        return rng.random((rounds, users)) < share
    leave = 1.0 / max(session_rounds, 1.0)
    come = min(1.0, leave * share / (1.0 - share))
    # A share too large for the session's length needs pauses of less than a round: sessions are
    # then made longer, and the share holds.
    leave = min(leave, come * (1.0 - share) / share)
    online = np.empty((rounds, users), dtype=np.bool_)
    online[0] = rng.random(users) < share
    for place in range(1, rounds):
        draw = rng.random(users)
        online[place] = np.where(online[place - 1], draw >= leave, draw < come)
    return online


def draw_rows(shares: Floats, rows: Places, rng: np.random.Generator) -> Places:
    """A column for each of `rows`, drawn in proportion to that row of `shares`."""
    ladder = np.cumsum(shares.ravel())
    width = shares.shape[1]
    top = ladder[width - 1 :: width]
    bottom = np.concatenate(([0.0], top[:-1]))
    height = bottom[rows] + rng.random(len(rows)) * (top - bottom)[rows]
    found = np.searchsorted(ladder, height, side="right") - rows * width
    return np.asarray(np.clip(found, 0, width - 1), dtype=np.int64)


def _senders(
    parameters: RoundParameters, weights: Floats, sending: Flags, rng: np.random.Generator
) -> tuple[Places, Places]:
    """The round and the sender of every packet. A round in which nobody sends has none."""
    fixed = parameters.target_packets_per_round
    rounds = parameters.rounds
    many = np.full(rounds, parameters.packets_per_round - fixed)
    if parameters.mixing is RoundMixing.POISSON:
        many = rng.poisson(many)
    shares = weights * sending
    if fixed:
        shares = shares.copy()
        shares[:, 0] = 0.0
    place = np.repeat(np.arange(rounds), np.where(shares.sum(axis=1) > 0, many, 0))
    sender = draw_rows(shares, place, rng)
    if fixed:
        own = np.repeat(np.flatnonzero(sending[:, 0]), fixed)
        place = np.concatenate((place, own))
        sender = np.concatenate((sender, np.zeros(len(own), dtype=np.int64)))
    return place, sender


def _departures(
    parameters: RoundParameters, place: Places, sent: Floats, rng: np.random.Generator
) -> Floats:
    """When each packet leaves; infinite for one that is still held at the end."""
    match parameters.mixing:
        case RoundMixing.POISSON:
            left = sent + rng.exponential(parameters.delay_rounds, len(sent))
            return np.where(left < parameters.rounds, left, np.inf)
        case RoundMixing.THRESHOLD:
            return _flush_times(place, sent)[place]
        case RoundMixing.POOL:
            return _pool_departures(parameters.kept, place, sent, rng)


def _flush_times(place: Places, sent: Floats) -> Floats:
    """A batch leaves when the last packet of its round comes in: by round, 0 if it has none."""
    flush = np.zeros(int(place[-1]) + 1 if len(place) else 0)
    np.maximum.at(flush, place, sent)
    return flush


def _pool_departures(kept: int, place: Places, sent: Floats, rng: np.random.Generator) -> Floats:
    flush = _flush_times(place, sent)
    edges = np.searchsorted(place, np.arange(len(flush) + 1))
    departed = np.full(len(place), np.inf)
    held = np.zeros(0, dtype=np.int64)
    for turn in range(len(flush)):
        held = np.concatenate((held, np.arange(edges[turn], edges[turn + 1])))
        if len(held) > kept and edges[turn + 1] > edges[turn]:
            held = rng.permutation(held)
            departed[held[kept:]] = flush[turn]
            held = held[:kept]
    return departed


def _mix_cover(parameters: RoundParameters, packets: Packets, rng: np.random.Generator) -> Packets:
    """Packets of the mix's own making, which leave at the moments at which others leave."""
    many = rng.poisson(parameters.mix_cover_per_round, parameters.rounds)
    place = np.repeat(np.arange(parameters.rounds), many)
    if parameters.mixing is RoundMixing.POISSON:
        departed = place + rng.random(len(place))
    else:
        leaving = np.unique(packets.departed[np.isfinite(packets.departed)])
        flush = np.full(parameters.rounds, np.inf)
        flush[np.ceil(leaving).astype(np.int64) - 1] = leaving
        departed = flush[place]
    count = len(place)
    return Packets(
        sent=np.full(count, np.inf),
        departed=departed,
        sender=np.full(count, NOBODY, dtype=np.int32),
        receiver=rng.integers(0, parameters.receivers, count).astype(np.int32),
        genre=np.full(count, Genre.UNKNOWN, dtype=np.uint8),
    )


def contact_flags(profiles: Floats, contacts: int) -> Flags:
    """[users, receivers]: the `contacts` receivers to whom each person writes most."""
    best = np.argsort(-profiles, axis=1, kind="stable")[:, :contacts]
    flags = np.zeros(profiles.shape, dtype=np.bool_)
    np.put_along_axis(flags, best, np.True_, axis=1)
    return flags
