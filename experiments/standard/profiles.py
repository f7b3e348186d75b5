"""What each profile costs and gives, in one table: waiting, bandwidth and anonymity, by how many
people are on.

The figures are those of `hushmill lab profile` for a network with the constants that a genesis has
by default and three mixes a layer, one of which is corrupt where mixes are. No chance is in them.
Spec: docs/spec/laboratory.md (Profiles).
"""

from collections.abc import Iterator

from experiments.lab.profile import Adversary, ProfileRow, profile_network
from experiments.lab.runs.summary import csv_bytes, number_text
from experiments.lab.situation import supposed_clients
from experiments.simnet.world import World, WorldPlan
from hushmill.parameters import Parameters
from pki import Genesis

MIXES_A_LAYER = 3
PEOPLE = (1, 10, 100, 1000, 10_000)
# Column → whose figure it is, and what it is called there.
FIGURES = {
    "delivery_mean_seconds": (Adversary.NOBODY, "delivery_mean"),
    "delivery_p90_seconds": (Adversary.NOBODY, "delivery_90_percent"),
    "megabytes_a_day_each_way": (Adversary.NOBODY, "traffic_each_way"),
    "packet_bits": (Adversary.GLOBAL_PASSIVE, "packet_bits"),
    "sender_bits": (Adversary.GLOBAL_PASSIVE, "sender_bits"),
    "packet_bits_one_corrupt_a_layer": (Adversary.CORRUPT_MIXES, "packet_bits"),
    "route_corrupt_probability": (Adversary.CORRUPT_MIXES, "route_corrupt"),
    "disclosure_days": (Adversary.LONG_TERM, "disclosure"),
}
COLUMNS = ("profile", "is_available", "people", *FIGURES)


def profiles_csv() -> bytes:
    """The table: a line for each profile and number of people."""
    genesis = standard_genesis()
    lines = [line for people in PEOPLE for line in _lines(genesis, people)]
    order = list(dict.fromkeys(line[0] for line in lines))
    return csv_bytes([COLUMNS, *sorted(lines, key=lambda line: order.index(line[0]))])


def standard_genesis() -> Genesis:
    """A network of `MIXES_A_LAYER` mixes a layer with default constants. Its keys are drawn anew
    each time, and no figure depends on them."""
    plan = WorldPlan(seed=1, clients=0, parameters=Parameters(), mixes_a_layer=MIXES_A_LAYER)
    return World(plan).genesis


def _lines(genesis: Genesis, people: int) -> Iterator[list[str]]:
    rows = profile_network(genesis, supposed_clients(genesis, people))
    for profile in dict.fromkeys(row.profile for row in rows):
        found = {(row.adversary, row.figure): row for row in rows if row.profile == profile}
        values = [number_text(found[figure].value) for figure in FIGURES.values()]
        yield [profile, _availability(found), str(people), *values]


def _availability(rows: dict[tuple[Adversary, str], ProfileRow]) -> str:
    return "yes" if all(row.available for row in rows.values()) else "not yet"
