"""The genesis file: canonical, signed by all, and refused when it makes an unsound network."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushmill.errors import ExitCode, UserError
from hushmill.parameters import Parameters, local_parameters
from pki import (
    GenesisNode,
    assemble_genesis,
    read_genesis,
    read_public,
    sign_genesis,
    with_signatures,
    write_genesis,
    write_public,
)
from tests.pki.network import parties, signing_key, small_network

NETWORK = small_network()
TEXT = write_genesis(NETWORK.genesis)


def exit_of(data: bytes) -> ExitCode:
    with pytest.raises(UserError) as refused:
        read_genesis(data)
    return refused.value.exit_code


def test_reads_back_what_was_written() -> None:
    genesis = read_genesis(TEXT)
    assert genesis == NETWORK.genesis
    assert write_genesis(genesis) == TEXT
    assert (genesis.faults, genesis.quorum) == (1, 3)
    assert genesis.network_id == NETWORK.genesis.network_id


def test_public_file_reads_back() -> None:
    public = parties(2, 2)[0][0]
    assert read_public(write_public(public)) == public


def test_any_change_of_the_body_is_a_security_stop() -> None:
    changed = TEXT.replace(b"payload_rate = 1.0", b"payload_rate = 2.0")
    assert changed != TEXT
    assert exit_of(changed) is ExitCode.SECURITY_STOP


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"format = 1\n", b"format = 1 \n"),
        (b"format = 1\n", b"# mine\nformat = 1\n"),
        (b"payload_rate = 1.0", b"payload_rate = 1"),
        (b"loop_rate = 0.2\n", b"loop_rate = 2e-1\n"),
    ],
)
def test_equal_but_not_canonical_is_refused(old: bytes, new: bytes) -> None:
    assert exit_of(TEXT.replace(old, new, 1)) is ExitCode.SECURITY_STOP


def test_a_missing_key_is_refused_and_never_defaulted() -> None:
    assert exit_of(TEXT.replace(b'suite = "x25519"\n', b"")) is ExitCode.SECURITY_STOP


def test_unknown_key_is_named() -> None:
    with pytest.raises(UserError, match="colour") as refused:
        read_genesis(TEXT.replace(b"format = 1\n", b"format = 1\ncolour = 3\n"))
    assert refused.value.exit_code is ExitCode.CONFIGURATION


def test_needs_every_authority_once() -> None:
    genesis = NETWORK.genesis
    three = with_signatures(genesis, genesis.signatures[:3])
    twice = with_signatures(genesis, [*genesis.signatures[:3], genesis.signatures[2]])
    assert exit_of(write_genesis(three)) is ExitCode.SECURITY_STOP
    assert exit_of(write_genesis(twice)) is ExitCode.SECURITY_STOP


@pytest.mark.parametrize("position", [0, 63, 64, 3372])
def test_needs_both_kinds_of_signature(position: int) -> None:
    signatures = list(NETWORK.genesis.signatures)
    broken = bytearray(signatures[1].signature)
    broken[position] ^= 1
    signatures[1] = msgspec.structs.replace(signatures[1], signature=bytes(broken))
    data = write_genesis(with_signatures(NETWORK.genesis, signatures))
    assert exit_of(data) is ExitCode.SECURITY_STOP


def test_refuses_another_ones_signature() -> None:
    signatures = list(NETWORK.genesis.signatures)
    signatures[0] = sign_genesis(NETWORK.genesis, 0, signing_key("stranger"))
    data = write_genesis(with_signatures(NETWORK.genesis, signatures))
    assert exit_of(data) is ExitCode.SECURITY_STOP


def refused(nodes: list[GenesisNode], parameters: Parameters, authorities: int = 4) -> str:
    with pytest.raises(UserError) as error:
        assemble_genesis("test", parameters, parties(2, 2)[0][:authorities], nodes)
    assert error.value.exit_code is ExitCode.CONFIGURATION
    return str(error.value)


PARAMETERS = Parameters(suite="x25519", layers=2)
POOLING = msgspec.structs.replace(PARAMETERS, mixing="timed_pool")
NODES = parties(2, 2)[1]


def changed(index: int, **fields: object) -> list[GenesisNode]:
    nodes = list(NODES)
    nodes[index] = msgspec.structs.replace(nodes[index], **fields)
    return nodes


@pytest.mark.parametrize(
    ("nodes", "because"),
    [
        (changed(3, operator="operator0"), "two layers"),
        (changed(4, operator="operator0"), "two layers"),
        (changed(3, layer=1), "fewer mixes"),
        (changed(1, number=1), "do not rise"),
        (changed(1, verify_key=NODES[0].verify_key), "same key"),
        (changed(1, key_hash=NODES[0].key_hash), "same key"),
        (changed(1, layer=3), "needs a layer"),
        (changed(0, client_port=5), "needs a layer"),
        (changed(4, client_port=0), "client_port"),
        (changed(0, name='x"y'), "not valid"),
        (changed(0, host="a b"), "not valid"),
        (changed(0, host="h\n"), "not valid"),
        (NODES[:4], "no provider"),
        (NODES[1:], "fewer mixes"),
    ],
)
def test_refuses_an_unsound_network(nodes: list[GenesisNode], because: str) -> None:
    assert because in refused(nodes, PARAMETERS)


def test_cascade_of_one_node_a_layer_is_sound() -> None:
    authorities, nodes = parties(3, 1)
    assert assemble_genesis("test", local_parameters(), authorities, nodes).nodes


def test_refuses_five_authorities() -> None:
    assert "3f + 1" in refused(NODES, PARAMETERS, authorities=3)


@pytest.mark.parametrize(
    ("parameters", "because"),
    [
        (msgspec.structs.replace(PARAMETERS, epoch_seconds=260), "grace"),
        (msgspec.structs.replace(PARAMETERS, epoch_seconds=0), "epoch_seconds"),
        (msgspec.structs.replace(PARAMETERS, delay_mean_seconds=0.0), "delay_mean_seconds"),
        (msgspec.structs.replace(PARAMETERS, delay_mean_seconds=float("inf")), "delay_mean"),
        (msgspec.structs.replace(PARAMETERS, loop_rate=-1.0), "loop_rate"),
        (msgspec.structs.replace(PARAMETERS, payload_rate=1.7e308), "payload_rate must be at most"),
        (msgspec.structs.replace(PARAMETERS, mix_loop_rate=1.7e308), "mix_loop_rate must be at"),
        (msgspec.structs.replace(PARAMETERS, layers=0), "layers"),
        (msgspec.structs.replace(PARAMETERS, payload_bytes=255), "payload_bytes"),
        (msgspec.structs.replace(PARAMETERS, suite="xwing", payload_bytes=12_687), "TLS record"),
        (msgspec.structs.replace(PARAMETERS, delay_mean_seconds=0.0099), "delay_mean_seconds"),
        (
            msgspec.structs.replace(PARAMETERS, delay_mean_seconds=400.1, epoch_seconds=10**6),
            "delay_mean_seconds",
        ),
        (msgspec.structs.replace(PARAMETERS, mix_loop_rate=100.1), "mix_loop_rate"),
        (msgspec.structs.replace(PARAMETERS, pool_packets=0), "pool_packets"),
        (msgspec.structs.replace(PARAMETERS, pool_packets=10_001), "pool_packets"),
        (msgspec.structs.replace(PARAMETERS, pool_interval_seconds=0.04), "pool_interval"),
        (msgspec.structs.replace(PARAMETERS, pool_interval_seconds=float("nan")), "pool_interval"),
        (msgspec.structs.replace(POOLING, mix_loop_rate=0.0), "for ever"),
        (msgspec.structs.replace(POOLING, mix_loop_rate=1e-300), "grace"),
        (msgspec.structs.replace(POOLING, pool_interval_seconds=1e300), "grace"),
        (msgspec.structs.replace(PARAMETERS, alarm_window_loops=0), "alarm_window_loops"),
        (msgspec.structs.replace(PARAMETERS, alarm_window_loops=1001), "alarm_window_loops"),
        (msgspec.structs.replace(PARAMETERS, alarm_window_loops=1), "longer window"),
        (msgspec.structs.replace(PARAMETERS, loss_per_link=1.0), "loss_per_link"),
        (msgspec.structs.replace(PARAMETERS, loss_per_link=-0.1), "loss_per_link"),
        (msgspec.structs.replace(PARAMETERS, loss_per_link=float("nan")), "loss_per_link"),
    ],
)
def test_refuses_parameters_that_cannot_work(parameters: Parameters, because: str) -> None:
    assert because in refused(NODES, parameters)


def test_grace_of_just_under_half_an_epoch_is_taken() -> None:
    grace = PARAMETERS.key_grace_seconds  # 130 s
    at_limit = msgspec.structs.replace(PARAMETERS, epoch_seconds=int(grace * 2) + 1)
    assert assemble_genesis("test", at_limit, *parties(2, 2)).parameters == at_limit


def test_a_pool_that_the_old_keys_grace_just_covers_is_taken_and_one_packet_more_is_not() -> None:
    pools = [msgspec.structs.replace(POOLING, pool_packets=number) for number in range(1, 200)]
    sound = [pool for pool in pools if pool.key_grace_seconds < pool.epoch_seconds / 2]
    assert 20 < len(sound) < 150
    for pool in (POOLING, sound[-1]):
        assert assemble_genesis("test", pool, *parties(2, 2)).parameters == pool
    assert "rounds of the pool" in refused(NODES, pools[len(sound)])


@pytest.mark.parametrize("window", [4, 1000])
def test_a_window_in_which_all_lost_loops_tell_something_is_taken(window: int) -> None:
    told = msgspec.structs.replace(PARAMETERS, alarm_window_loops=window, loss_per_link=0.05)
    assert assemble_genesis("test", told, *parties(2, 2)).parameters == told


@pytest.mark.parametrize("layers", range(1, 4))
def test_a_local_networks_pool_is_sound(layers: int) -> None:
    local = local_parameters("x25519", layers, "timed_pool")
    assert assemble_genesis("test", local, *parties(layers, 2)).parameters == local


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(UserError):
        read_genesis(data)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, flip: int) -> None:
    data = bytearray(TEXT)
    data[position] ^= flip
    with pytest.raises(UserError):
        read_genesis(bytes(data))
