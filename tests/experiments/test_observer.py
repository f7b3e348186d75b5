"""The observer's figures against cases that can be worked out by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.demo.observer import report
from experiments.lab.adversaries.tracing import trace_senders
from experiments.lab.sources.rows import Reading, trace_of_rows
from experiments.lab.trace import Floats, observe
from experiments.trace import Kind, Row, read_rows

PROVIDER, MIX, OTHER = 10, 1, 2
LAYERS = {MIX: 0, OTHER: 1}


def entry(time: float, client: int, mix: int = MIX) -> list[Row]:
    return [
        Row(time, PROVIDER, False, mix, Kind.ENTRY, client),
        Row(time, mix, True, PROVIDER, Kind.RELAY),
    ]


def exit_at(time: float, mix: int = MIX) -> list[Row]:
    return [
        Row(time, mix, False, PROVIDER, Kind.RELAY),
        Row(time, PROVIDER, True, mix, Kind.DELIVER),
    ]


def posteriors(rows: Sequence[Row]) -> Floats:
    """Of each delivery over two senders."""
    observation, _ = observe(trace_of_rows(rows, Reading(layers=LAYERS, people=2)))
    return trace_senders(observation).posterior


def test_a_lone_sender_is_known() -> None:
    found = report([*entry(0, 1), *exit_at(1)], LAYERS, senders=2)
    assert (found.sender_entropy_bits, found.max_bits, found.replicates) == (0.0, 1.0, 1)


def test_nothing_sent_is_nothing_hidden() -> None:
    found = report([Row(0, MIX, True, MIX, Kind.START)], LAYERS, senders=2)
    assert (found.sender_entropy_bits, found.replicates, found.packet.packets) == (0.0, 0, 0)
    assert found.packet.best_guess_right is None


def test_two_in_a_pool_hide_each_other_until_one_is_left() -> None:
    first, second = posteriors([*entry(0, 1), *entry(0, 2), *exit_at(1), *exit_at(2)])
    assert first.tolist() == [0.5, 0.5]
    assert second.tolist() == [0.5, 0.5]  # expectation: either may have left first


def test_a_busier_sender_weighs_more() -> None:
    rows = [*entry(0, 1), *entry(0, 1), *entry(0, 1), *entry(0, 2), *exit_at(1)]
    assert posteriors(rows).tolist() == [[0.75, 0.25]]
    assert report(rows, LAYERS, 2).sender_entropy_bits == pytest.approx(0.8113, abs=1e-4)


def test_mass_is_conserved_through_two_mixes() -> None:
    rows = [*entry(0, 1), *entry(0, 2)]
    for time in (1, 2):
        rows += [
            Row(time, MIX, False, OTHER, Kind.RELAY),
            Row(time, OTHER, True, MIX, Kind.RELAY),
        ]
    rows += exit_at(3, OTHER) + exit_at(4, OTHER)
    assert np.sum(posteriors(rows), axis=0).tolist() == [1.0, 1.0]


def test_own_loops_carry_no_client() -> None:
    loop = [
        Row(0.5, MIX, False, OTHER, Kind.OWN_LOOP),
        Row(0.5, OTHER, True, MIX, Kind.LOOP_END),
    ]
    assert posteriors([*entry(0, 2), *loop, *exit_at(1)]).tolist() == [[0.0, 1.0]]


def test_a_packet_from_before_the_trace_is_left_out() -> None:
    rows = [*exit_at(1), *entry(2, 1), *exit_at(3)]
    assert report(rows, LAYERS, senders=2).replicates == 1


def test_a_restart_forgets_what_was_held() -> None:
    start = Row(0.5, MIX, True, MIX, Kind.START)
    assert len(posteriors([*entry(0, 1), start, *exit_at(1)])) == 0


def named(sent: float, left: float, client: int, mix: int = MIX) -> list[Row]:
    """A packet's rows with its names, as nodes write them."""
    here, there = f"in{client}", f"out{client}"
    return [
        Row(sent, PROVIDER, False, mix, Kind.ENTRY, client, here),
        Row(sent, mix, True, PROVIDER, Kind.RELAY, wire=here, onward=there),
        Row(left, mix, False, PROVIDER, Kind.RELAY, wire=there),
        Row(left, PROVIDER, True, mix, Kind.DELIVER, wire=there),
    ]


def test_the_best_guess_of_two_alike_is_right_half_of_the_time() -> None:
    rows = sorted([*named(0, 1, 1), *named(0, 2, 2)], key=lambda row: row.time)
    found = report(rows, LAYERS, senders=2)
    assert found.packet.packets == 2
    assert found.packet.entropy_bits == found.packet.min_entropy_bits == 1.0
    assert found.packet.best_guess_probability == found.packet.truth_probability == 0.5
    assert found.packet.best_guess_right == 0.5
    assert found.packet.mass == 1.0


def test_packets_that_never_ended_are_not_scored() -> None:
    rows = sorted([*named(0, 1, 1), *named(0, 2, 2)[:-2]], key=lambda row: row.time)
    packet = report(rows, LAYERS, senders=2).packet
    assert (packet.packets, packet.truth_probability, packet.best_guess_right) == (1, 1.0, 1.0)
    assert packet.mass == 0.5


def test_a_corrupt_mix_of_the_only_layer_tells_all() -> None:
    rows = sorted([*named(0, 2, 1), *named(0, 1, 2)], key=lambda row: row.time)
    helped = report(rows, {MIX: 0}, senders=2).corrupt
    assert helped.sender_entropy_bits == helped.packet.entropy_bits == 0.0
    assert helped.packet.best_guess_right == helped.packet.best_guess_probability == 1.0


def test_without_names_no_one_says_how_often_the_guess_was_right() -> None:
    rows = [*entry(0, 1), *entry(0, 2), *exit_at(1), *exit_at(2)]
    packet = report(rows, LAYERS, senders=2).packet
    assert packet.entropy_bits == 1.0
    assert packet.best_guess_right is packet.truth_probability is None


def test_reads_files_in_order_of_time_and_skips_a_torn_last_line(tmp_path: Path) -> None:
    late = {"t": 2.0, "at": 1, "dir": "in", "peer": 10, "kind": "relay", "wire": "aa", "next": "bb"}
    early = {"t": 1.0, "at": 10, "dir": "out", "peer": 1, "kind": "entry", "client": 2}
    (tmp_path / "a").write_text(json.dumps(late) + '\n{"t": 3.0, "a')
    (tmp_path / "b").write_text(json.dumps(early) + "\n")
    rows = read_rows([tmp_path / "a", tmp_path / "b"])
    assert [row.time for row in rows] == [1.0, 2.0]
    assert (rows[0].client, rows[0].wire) == (2, "")
    assert (rows[1].wire, rows[1].onward) == ("aa", "bb")


@pytest.mark.parametrize(
    "line", ['{"t": 1.0}', "[1]", '{"t": 1, "at": 1, "dir": "out", "peer": 2, "kind": "deliver"}']
)
def test_refuses_a_malformed_line_in_the_middle(tmp_path: Path, line: str) -> None:
    (tmp_path / "a").write_text(line + '\n{"t": 2.0}\n')
    with pytest.raises(ValueError, match="line 1"):
        read_rows([tmp_path / "a"])
