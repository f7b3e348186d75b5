"""What a network gives its people against whom: a table from its parameters and its load.

Every figure is a closed form of `pki` or arithmetic on the genesis, the same that `status` shows.
No simulation runs here; tests/lab/test_closed_forms.py holds the forms to simulations.
Spec: docs/spec/laboratory.md (Profiles).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from client import cover_bytes_a_day
from experiments.lab.delivery import quantile_seconds, waits_of
from experiments.lab.outcome import Quality
from experiments.lab.situation import Situation
from hushmill.errors import ExitCode, UserError
from hushmill.parameters import Parameters
from pki import (
    Genesis,
    anonymity_with,
    blending_probability,
    hold_seconds,
    layer_compromise_probability,
    least_squares_error,
    pool_packet_entropy_bits,
    pool_share,
    single_mix_entropy_bits,
    timed_blending_probability,
)

QUIET_BITS = 3.0  # as `status` has it
STRONG_MIXING_SECONDS = 60.0  # all hops together
DAY_SECONDS = 86400
THINNING = 10.0  # an n-1 attacker who lets one in ten of other packets through
CONTACTS = 5  # to whom the long-term model's person writes alike, or all others if fewer
MESSAGES_A_DAY = 50  # that everybody writes, one packet each
CLEAR_ERRORS = 2.0  # standard errors on either side of half a contact's share
QUIET = " The network is quiet, and a quiet network protects nobody."


class Adversary(StrEnum):
    NOBODY = "nobody"  # what it costs
    GLOBAL_PASSIVE = "global_passive"
    CORRUPT_MIXES = "corrupt_mixes"
    N_MINUS_1 = "n_minus_1"
    LOCAL_OBSERVER = "local_observer"
    OWN_PROVIDER = "own_provider"
    LONG_TERM = "long_term"


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One figure. `available` is False for a profile that cannot be sent with yet."""

    profile: str
    available: bool
    adversary: Adversary
    figure: str
    value: float
    unit: str
    quality: Quality
    words: str


@dataclass(frozen=True, slots=True)
class _Case:
    """One profile's constants in one situation; `figures` are recomputed for them."""

    name: str
    available: bool
    parameters: Parameters
    situation: Situation
    corrupt_mixes: int

    @property
    def clients(self) -> int:
        return self.situation.figures.clients_estimated

    @property
    def is_pool(self) -> bool:
        return self.parameters.mixing == "timed_pool"

    @property
    def hold_seconds(self) -> float:
        """At each mix in the mean."""
        return hold_seconds(self.clients, self.situation.widths, self.parameters)

    @property
    def quiet(self) -> str:
        """What the words end with where there is little traffic."""
        return QUIET if self.situation.figures.sender_bits < QUIET_BITS else ""


def profile_network(
    genesis: Genesis, situation: Situation, corrupt_mixes: int = 1
) -> list[ProfileRow]:
    """The rows of both profiles, `default` (the genesis' own delays) and `strong` (a minute of
    mixing, were everybody to send so), against every adversary, `corrupt_mixes` in each layer.
    With timed pools there is no `strong`: a sender's delay says nothing to them.

    Raises UserError(USAGE) for more corrupt mixes than a layer has.
    """
    narrowest = min(situation.widths)
    if not 0 <= corrupt_mixes <= narrowest:
        raise UserError(
            f"`corrupt-mixes` must be from 0 to {narrowest}, the mixes of the narrowest layer.",
            ExitCode.USAGE,
        )
    default = _Case("default", True, genesis.parameters, situation, corrupt_mixes)
    if default.is_pool:
        return list(_rows(default))
    longer = STRONG_MIXING_SECONDS / genesis.parameters.layers
    slow = msgspec.structs.replace(genesis.parameters, delay_mean_seconds=longer)
    figures = anonymity_with(
        default.clients,
        list(situation.widths),
        slow,
        situation.figures.load_packets_per_second,
    )
    strong = _Case("strong", False, slow, replace(situation, figures=figures), corrupt_mixes)
    return [row for case in (default, strong) for row in _rows(case)]


def _rows(case: _Case) -> Iterator[ProfileRow]:
    yield from _cost(case)
    yield from _global_passive(case)
    if case.corrupt_mixes:
        yield from _corrupt_mixes(case)
    yield from _n_minus_1(case)
    yield from _local_observer(case)
    yield from _own_provider(case)
    yield from _long_term(case)


def _row(
    case: _Case,
    adversary: Adversary,
    figure: str,
    value: float,
    unit: str,
    quality: Quality,
    words: str,
) -> ProfileRow:
    return ProfileRow(case.name, case.available, adversary, figure, value, unit, quality, words)


def _cost(case: _Case) -> Iterator[ProfileRow]:
    waits = waits_of(case.parameters, case.hold_seconds)
    mean, most = sum(waits), quantile_seconds(waits, 0.9)
    later = "" if case.available else " This profile is not built yet: nobody can send with it."
    yield _row(
        *(case, Adversary.NOBODY, "delivery_mean", mean, "s", Quality.APPROXIMATE),
        f"A packet takes {mean:.1f} s on average, waits and mixes together.{later}",
    )
    yield _row(
        *(case, Adversary.NOBODY, "delivery_90_percent", most, "s", Quality.APPROXIMATE),
        f"Nine packets in ten are there within {most:.1f} s, if none is lost.",
    )
    megabytes = cover_bytes_a_day(case.parameters) / 1e6
    yield _row(
        *(case, Adversary.NOBODY, "traffic_each_way", megabytes, "MB/day", Quality.EXACT),
        f"A client that is on sends and receives about {megabytes:.0f} MB a day each way.",
    )


def _global_passive(case: _Case) -> Iterator[ProfileRow]:
    """The closed forms; they are made to say too little rather than too much."""
    figures, who = case.situation.figures, Adversary.GLOBAL_PASSIVE
    people = 2**figures.sender_bits
    yield _row(
        *(case, who, "packet_bits", figures.packet_bits, "bits", Quality.APPROXIMATE),
        "Who sees every link is left in this doubt about where one packet went among other "
        f"people's.{case.quiet}",
    )
    yield _row(
        *(case, who, "sender_bits", figures.sender_bits, "bits", Quality.APPROXIMATE),
        f"… and in this doubt about who sent it; {_people(case.clients)} on.{case.quiet}",
    )
    yield _row(
        *(case, who, "sender_set", people, "people", Quality.APPROXIMATE),
        (
            f"One packet could be from any of about {int(people)}, were all as likely.{case.quiet}"
            if people >= 2
            else f"Who sent a packet is as good as known.{case.quiet}"
        ),
    )


def _corrupt_mixes(case: _Case) -> Iterator[ProfileRow]:
    """Of a route with one honest mix or more, its first one hides what a single mix hides, and no
    later mix takes from that: a bound from below."""
    widths, many = case.situation.widths, case.corrupt_mixes
    chance = math.prod(layer_compromise_probability(width, [many]) for width in widths)
    others = max(0, case.clients - 1) * case.parameters.client_rate
    if case.is_pool:
        one = pool_packet_entropy_bits(*pool_share(others, case.clients, widths, case.parameters))
    else:
        one = single_mix_entropy_bits(others * case.hold_seconds / max(widths))
    bits = min((1 - chance) * one, case.situation.figures.packet_bits)
    yield _row(
        *(case, Adversary.CORRUPT_MIXES, "route_corrupt", chance, "probability", Quality.EXACT),
        f"With {many} corrupt of each layer's mixes, one packet in {_one_in(chance)} meets only "
        "those and is followed.",
    )
    yield _row(
        *(case, Adversary.CORRUPT_MIXES, "packet_bits", bits, "bits", Quality.APPROXIMATE),
        f"The others keep at least what one honest mix hides; this is the mean.{case.quiet}",
    )


def _n_minus_1(case: _Case) -> Iterator[ProfileRow]:
    parameters, widths = case.parameters, case.situation.widths
    width = max(widths)
    loops = (sum(widths) - width) * parameters.mix_loop_rate / width
    others = case.clients * parameters.client_rate / width + loops
    for name, thinning, how in (
        ("picked_out_all_held_back", math.inf, "holds back everybody else's packets"),
        (
            "picked_out_most_held_back",
            THINNING,
            f"lets one in {THINNING:.0f} of others' packets pass",
        ),
    ):
        rates = (parameters.mix_loop_rate, others, thinning)
        if case.is_pool:
            chance = timed_blending_probability(parameters.pool_interval_seconds, *rates)
        else:
            chance = blending_probability(parameters.delay_mean_seconds, *rates)
        yield _row(
            *(case, Adversary.N_MINUS_1, name, chance, "probability", Quality.APPROXIMATE),
            f"Who {how} before a mix picks yours out of it with this probability. Loops of mixes "
            "then do not return, and those mixes raise the alarm; clients have none yet.",
        )


def _local_observer(case: _Case) -> Iterator[ProfileRow]:
    rate = case.parameters.client_rate
    yield _row(
        *(case, Adversary.LOCAL_OBSERVER, "frames", rate, "frames/s", Quality.EXACT),
        "Who sees your cable sees that hushmill is on, its provider, and frames at this rate, the "
        "same whether you write or not.",
    )


def _own_provider(case: _Case) -> Iterator[ProfileRow]:
    bits = math.log2(case.clients - 1) if case.clients > 1 else 0.0
    yield _row(
        *(case, Adversary.OWN_PROVIDER, "arrivals_seen", 1.0, "share", Quality.EXACT),
        "Your provider sees when you are on, and when and how much arrives for you: all of it.",
    )
    yield _row(
        *(case, Adversary.OWN_PROVIDER, "sender_bits", bits, "bits", Quality.APPROXIMATE),
        "Watching nothing else, it is left with everybody else as the sender of what arrives."
        f"{case.quiet}",
    )


def _long_term(case: _Case) -> Iterator[ProfileRow]:
    """Least-squares disclosure by who sees every link *and* what arrives in each mailbox."""
    days = _days_to_disclosure(case)
    told = "at once" if days == 0 else f"after about {_span(days)}"
    yield _row(
        *(case, Adversary.LONG_TERM, "disclosure", days, "days", Quality.APPROXIMATE),
        f"Who sees every link and has the providers finds the {CONTACTS} people to whom you write "
        f"{MESSAGES_A_DAY} packets a day {told}, if everybody is on all the time and writes as "
        "much. Contacts of people who are off at times are found much sooner; more people who are "
        f"on do not put it off.{case.quiet}",
    )


def _days_to_disclosure(case: _Case) -> float:
    """Until a contact's estimated share stands CLEAR_ERRORS standard errors above half of itself
    and another person's as many below; 0 with fewer than two clients.

    A round is the time that mixing takes: what comes out in it was sent in it or just before. Of
    everybody's packets `written` are no cover; a mailbox gets its even part of those, which is the
    noise, and from its contact a part of the contact's, which is the signal.
    """
    if case.clients < 2:
        return 0.0
    parameters, rate = case.parameters, case.parameters.client_rate
    round_seconds = parameters.layers * case.hold_seconds
    batch = max(1.0, case.clients * rate * round_seconds)
    written = min(1.0, MESSAGES_A_DAY / DAY_SECONDS / rate)
    noise = written / case.clients
    signal = written / min(CONTACTS, case.clients - 1)
    # The form sums over the ends "this mailbox" and "anywhere else", whose errors are equal.
    error = least_squares_error(1, batch, 1 / case.clients, [noise, 1 - noise]) / 2
    rounds = error * (2 * CLEAR_ERRORS / signal) ** 2
    return rounds * batch / (case.clients * rate) / DAY_SECONDS


def _people(count: int) -> str:
    return {0: "hardly anybody", 1: "about 1 person"}.get(count, f"about {count} people")


def _one_in(chance: float) -> str:
    return "no number of them" if chance == 0 else f"{1 / chance:,.0f}"


def _span(days: float) -> str:
    """In the largest unit that is not above it."""
    if days >= 365:
        return f"{days / 365:,.0f} years"
    if days >= 1:
        return f"{days:.0f} days"
    return f"{days * 24:.1f} hours"
