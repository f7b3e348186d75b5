"""`hushmill lab profile`: the product's closed forms in a table that falls with the traffic."""

import json
import math
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from client.views import QUIET_BITS as STATUS_QUIET_BITS
from experiments.lab.commands_profile import profile
from experiments.lab.delivery import quantile_seconds, share_within, waits_of
from experiments.lab.outcome import Quality
from experiments.lab.profile import QUIET, QUIET_BITS, Adversary, ProfileRow, profile_network
from experiments.lab.situation import measured_in, supposed_clients, supposed_load
from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import Epoch
from hushmill.parameters import Parameters
from pki import (
    anonymity_of,
    packet_entropy_bits,
    pool_mix_entropy_bits,
    sender_entropy_bits,
    write_genesis,
)
from pki.store import AuthorityStore
from tests.pki.documents import body_of, chain, signed
from tests.pki.network import FIRST, small_network

NETWORK = small_network(layers=3, width=3)
GENESIS = NETWORK.genesis
LOADS = dict.fromkeys(range(1, 10), 64)
PEOPLE = (1000, 100, 10, 3, 1, 0)


def rows_of(clients: int, corrupt: int = 1) -> dict[tuple[str, Adversary, str], ProfileRow]:
    rows = profile_network(GENESIS, supposed_clients(GENESIS, clients), corrupt)
    found = {(row.profile, row.adversary, row.figure): row for row in rows}
    assert len(found) == len(rows)
    return found


def value(clients: int, adversary: Adversary, figure: str, name: str = "default") -> float:
    return rows_of(clients)[name, adversary, figure].value


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    path.write_bytes(write_genesis(GENESIS))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(profile, [str(argument) for argument in arguments])


def test_the_figures_are_the_products_closed_forms() -> None:
    rows = rows_of(100)
    for name, mean in (("default", 0.5), ("strong", 20.0)):
        passive = Adversary.GLOBAL_PASSIVE
        bits = sender_entropy_bits(100, 140.0, mean, 3, 3)
        assert rows[name, passive, "sender_bits"].value == pytest.approx(bits)
        assert rows[name, passive, "sender_set"].value == pytest.approx(2**bits)
        packet = packet_entropy_bits(99 * 1.4, mean, 3, 3)
        assert rows[name, passive, "packet_bits"].value == pytest.approx(packet)


def test_a_quiet_network_protects_nobody_and_says_so() -> None:
    for adversary, figure in (
        (Adversary.GLOBAL_PASSIVE, "packet_bits"),
        (Adversary.GLOBAL_PASSIVE, "sender_bits"),
        (Adversary.CORRUPT_MIXES, "packet_bits"),
        (Adversary.OWN_PROVIDER, "sender_bits"),
    ):
        for name in ("default", "strong"):
            falling = [value(clients, adversary, figure, name) for clients in PEOPLE]
            assert falling == sorted(falling, reverse=True)
            assert falling[0] > 3
            assert falling[-2:] == [0, 0]
    hidden = [
        value(clients, Adversary.N_MINUS_1, "picked_out_most_held_back") for clients in PEOPLE
    ]
    assert hidden == sorted(hidden)
    days = [value(clients, Adversary.LONG_TERM, "disclosure") for clients in (100, 3, 2, 1)]
    assert days == sorted(days, reverse=True)
    assert days[-1] == 0
    quiet, busy = rows_of(2), rows_of(1000)
    assert not [row for row in busy.values() if QUIET in row.words]
    assert {row.adversary for row in quiet.values() if QUIET in row.words} == {
        *(Adversary.GLOBAL_PASSIVE, Adversary.CORRUPT_MIXES),
        *(Adversary.OWN_PROVIDER, Adversary.LONG_TERM),
    }
    assert QUIET_BITS == STATUS_QUIET_BITS


def test_corrupt_mixes_follow_a_share_of_routes_and_take_from_the_rest() -> None:
    whole = rows_of(100)["default", Adversary.GLOBAL_PASSIVE, "packet_bits"].value
    followed, kept = [], []
    for corrupt in (1, 2, 3):
        rows = rows_of(100, corrupt)
        followed.append(rows["default", Adversary.CORRUPT_MIXES, "route_corrupt"].value)
        kept.append(rows["default", Adversary.CORRUPT_MIXES, "packet_bits"].value)
    assert followed == pytest.approx([1 / 27, 8 / 27, 1])
    assert whole > kept[0] > kept[1] > kept[2] == 0
    assert ("default", Adversary.CORRUPT_MIXES, "route_corrupt") not in rows_of(100, 0)
    for wrong in (-1, 4):
        with pytest.raises(UserError, match="corrupt-mixes") as refused:
            rows_of(100, wrong)
        assert refused.value.exit_code is ExitCode.USAGE


def test_strong_takes_a_minute_hides_more_and_is_not_there_yet() -> None:
    rows = rows_of(300)
    nobody, passive = Adversary.NOBODY, Adversary.GLOBAL_PASSIVE
    assert rows["default", nobody, "delivery_mean"].value == pytest.approx(1.5 + 1 + 1 / 1.4)
    assert rows["strong", nobody, "delivery_mean"].value > 60
    assert "not built yet" in rows["strong", nobody, "delivery_mean"].words
    for figure in ("packet_bits", "sender_bits"):
        assert rows["strong", passive, figure].value > rows["default", passive, figure].value
    assert {row.available for row in rows.values() if row.profile == "strong"} == {False}
    assert {row.available for row in rows.values() if row.profile == "default"} == {True}


def test_timed_pools_have_one_profile_with_their_own_forms() -> None:
    pooling = msgspec.structs.replace(GENESIS.parameters, mixing="timed_pool")
    genesis = replace(GENESIS, parameters=pooling)
    rows = profile_network(genesis, supposed_clients(genesis, 100))
    assert {row.profile for row in rows} == {"default"}
    found = {(row.adversary, row.figure): row.value for row in rows}
    # 140 + 1.8 packets a second over three mixes, rounds of 2 s, 10 kept.
    wait = 2 * (0.5 + 10 / (141.8 * 2 / 3))
    mean = 1 + 3 * wait + 1 / 1.4
    assert found[Adversary.NOBODY, "delivery_mean"] == pytest.approx(mean)
    assert found[Adversary.GLOBAL_PASSIVE, "packet_bits"] == pool_mix_entropy_bits(92, 9)
    met = 0.2 * 2
    picked = found[Adversary.N_MINUS_1, "picked_out_all_held_back"]
    assert picked == pytest.approx((1 - math.exp(-met)) / met)
    assert found[Adversary.CORRUPT_MIXES, "packet_bits"] == pytest.approx(
        26 / 27 * pool_mix_entropy_bits(92, 9)
    )


def test_the_long_term_model_by_hand_does_not_gain_by_more_people() -> None:
    """For many people: 16 (contacts)² over the share of packets that are no cover, in rounds of
    the time that mixing takes."""
    written = 50 / 86400 / 1.4
    expected = 16 * 25 / written * 1.5 / 86400
    for clients in (300, 3000):
        days = value(clients, Adversary.LONG_TERM, "disclosure")
        assert days == pytest.approx(expected, rel=0.01)


def test_every_row_says_how_it_was_come_by_and_what_it_means() -> None:
    for clients in PEOPLE:
        for row in rows_of(clients).values():
            assert math.isfinite(row.value)
            assert row.quality in (Quality.EXACT, Quality.APPROXIMATE)
            assert row.words.endswith(".")


def test_delivery_time_is_the_law_of_the_sum() -> None:
    """A closed form where all waits are equal (Gamma), draws where they are not."""
    within = 1 - math.exp(-2) * (1 + 2 + 2)
    assert share_within([1.0, 1.0, 1.0], 2.0) == pytest.approx(within, abs=1e-9)
    assert quantile_seconds([1.0], 0.9) == pytest.approx(math.log(10))
    waits = waits_of(Parameters(payload_rate=0.3), hold_seconds=2.0)
    rng = np.random.default_rng(np.random.SeedSequence(4))
    drawn = sum(rng.exponential(wait, 200_000) for wait in waits)
    assert quantile_seconds(waits, 0.9) == pytest.approx(float(np.quantile(drawn, 0.9)), rel=0.01)
    assert share_within(waits, 0.0) == pytest.approx(0)
    # A wait that is nothing beside another costs no work, and leaves the time as it is.
    for short in (1e-300, 1e-6):
        assert quantile_seconds([short, 1.0, short], 0.9) == pytest.approx(math.log(10), abs=1e-5)


def test_the_command_gives_json_and_words(network_file: Path) -> None:
    answer = json.loads(run(network_file, "--clients", 100, "--json").stdout)
    assert (answer["ok"], answer["network"]) == (True, "test")
    assert answer["load"]["clients_estimated"] == 100
    assert len(answer["rows"]) == len(rows_of(100))
    assert set(answer["rows"][0]) == set(ProfileRow.__dataclass_fields__)
    text = run(network_file, "--load", 3).output
    assert "Profile strong, not available yet" in text
    assert "quiet network protects nobody" in " ".join(text.split())


def test_the_command_says_what_to_give(network_file: Path, tmp_path: Path) -> None:
    asked = run(network_file)
    assert asked.exit_code == ExitCode.USAGE
    assert "Give --document FILE" in asked.output
    assert "--clients N or --load" in asked.output
    assert run(network_file, "--clients", 3, "--load", 3).exit_code == ExitCode.USAGE
    for option in ("--clients", "--load"):
        assert run(network_file, option, 2**40 + 1).exit_code == ExitCode.USAGE
        assert run(network_file, option, 2**40).exit_code == 0
    assert run(network_file, "--clients", -3).exit_code == ExitCode.USAGE
    assert run(tmp_path / "absent", "--clients", 3).exit_code == ExitCode.NOT_FOUND
    assert run(network_file, "--document", tmp_path / "absent").exit_code == ExitCode.NOT_FOUND


def test_a_document_gives_the_measured_load(network_file: Path, tmp_path: Path) -> None:
    ((consensus, data),) = chain(NETWORK, 1, loads=LOADS)
    file = tmp_path / "document"
    file.write_bytes(data)
    figures = anonymity_of(consensus, GENESIS.parameters)
    assert figures is not None
    answer = json.loads(run(network_file, "--document", file, "--json").stdout)
    assert answer["load"]["load_packets_per_second"] == 3 * 64
    assert answer["load"]["sender_bits"] == figures.sender_bits
    assert "measured" in answer["load"]["source"]
    file.write_bytes(data[:-1])
    assert run(network_file, "--document", file).exit_code == ExitCode.SECURITY_STOP
    file.write_bytes(signed(NETWORK, body_of(NETWORK)))
    unknown = run(network_file, "--document", file)
    assert unknown.exit_code == ExitCode.NO_CONSENSUS
    assert "have not said a load yet" in unknown.output


def test_a_local_networks_folder_gives_its_newest_document(network_file: Path) -> None:
    folder = network_file.parent
    documents = chain(NETWORK, 2, loads=LOADS)
    for number, (consensus, data) in enumerate(documents, 1):
        (folder / f"authority{number}").mkdir()
        store = AuthorityStore(
            folder / f"authority{number}" / "authority.sqlite", GENESIS.network_id
        )
        store.keep_document(consensus.epoch, data)
        store.close()
    (folder / "authority3").mkdir()
    assert f"epoch {FIRST + 1}" in measured_in(GENESIS, folder).source
    assert run(folder, "--json").exit_code == 0
    store = AuthorityStore(folder / "authority3" / "authority.sqlite", GENESIS.network_id)
    store.keep_document(Epoch(FIRST + 9), b"forged")
    store.close()
    assert run(folder).exit_code == ExitCode.SECURITY_STOP


def test_an_old_document_is_called_old() -> None:
    start = 1000.0 * GENESIS.parameters.epoch_seconds
    supposed = supposed_clients(GENESIS, 5)
    assert supposed.epochs_old(GENESIS, start) is None
    measured = replace(supposed, epoch=Epoch(998))
    assert measured.epochs_old(GENESIS, start) == 2
    assert measured.epochs_old(GENESIS, start - 1.0) == 1


def test_a_supposed_load_counts_loops_out() -> None:
    """Nine mixes of 0.2 loops a second are 1.8 of the load."""
    assert supposed_load(GENESIS, 143).figures.clients_estimated == 100
    assert supposed_clients(GENESIS, 100).figures.load_packets_per_second == 141
    with pytest.raises(UserError):
        supposed_load(GENESIS, -1)
