"""A local network's folders, before any process runs; and what a fleet may end."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments import commands
from experiments.testnet.build import LocalNetwork
from experiments.testnet.fleet import Fleet, Member, start_ticks
from experiments.testnet.plan import FreePorts, plan_network
from hushmill.errors import ExitCode, UserError


def secrets_of(network: LocalNetwork) -> list[bytes]:
    files = [path for path in network.folder.rglob("*") if path.suffix in {".key", ".sqlite"}]
    assert len(files) >= 2 * (len(network.plan.nodes) + len(network.plan.authorities))
    return [path.read_bytes() for path in files]


def test_two_networks_have_no_key_in_common(tmp_path: Path) -> None:
    first = LocalNetwork.build(tmp_path / "one", "stratified", "xwing")
    second = LocalNetwork.build(tmp_path / "two", "stratified", "xwing")
    keys = secrets_of(first) + secrets_of(second)
    assert len(set(keys)) == len(keys)


def test_only_the_owner_may_look_into_it(tmp_path: Path) -> None:
    network = LocalNetwork.build(tmp_path / "net", "cascade", "x25519")
    assert network.folder.stat().st_mode & 0o077 == 0
    for path in network.folder.rglob("*.key"):
        assert path.stat().st_mode & 0o077 == 0


def test_opens_what_it_built_and_builds_over_nothing(tmp_path: Path) -> None:
    built = LocalNetwork.build(tmp_path / "net", "cascade", "x25519")
    assert LocalNetwork.open(built.folder).plan == built.plan
    with pytest.raises(UserError) as refused:
        LocalNetwork.build(built.folder, "cascade", "x25519")
    assert refused.value.exit_code is ExitCode.CONFIGURATION
    with pytest.raises(UserError) as missing:
        LocalNetwork.open(tmp_path)
    assert missing.value.exit_code is ExitCode.NOT_FOUND


def test_a_network_of_timed_pools_says_so_and_is_not_taken_for_another(tmp_path: Path) -> None:
    built = LocalNetwork.build(tmp_path / "net", "cascade", "x25519", "timed_pool")
    assert LocalNetwork.open(built.folder).mixing == "timed_pool"
    refused = CliRunner().invoke(commands.testnet, ["up", str(built.folder), "--mixing", "poisson"])
    assert isinstance(refused.exception, UserError) or refused.exit_code == ExitCode.USAGE
    assert "timed-pool mixing" in refused.output + str(refused.exception)


def test_a_cascade_has_one_mix_a_layer_and_stratified_two() -> None:
    for topology, width in (("cascade", 1), ("stratified", 2)):
        plan = plan_network("cascade" if topology == "cascade" else "stratified", FreePorts())
        layers = [node.layer for node in plan.mixes]
        assert layers == sorted([1, 2, 3] * width)
        assert len(plan.providers) == 2
        assert len(plan.authorities) == 4


def test_no_port_is_planned_twice() -> None:
    plan = plan_network("stratified", FreePorts())
    ports = [authority.port for authority in plan.authorities]
    ports += [port for node in plan.nodes for port in (node.port, node.client_port) if port]
    assert len(set(ports)) == len(ports)


def test_a_fleet_ends_no_process_that_only_has_the_same_number(tmp_path: Path) -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    stranger = Member("stranger", [], os.getpid(), ticks + 1)
    (tmp_path / "fleet.json").write_text(json.dumps([asdict(stranger)]))
    fleet = Fleet(tmp_path)
    assert fleet.names() == ["stranger"]
    assert not fleet.is_alive("stranger")
    fleet.end()  # would have ended this test
