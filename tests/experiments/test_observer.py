"""The observer's figures against cases that can be worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.observer import entropy_bits, report, trace_senders
from experiments.trace import Kind, Row, read_rows

PROVIDER, MIX, OTHER = 10, 1, 2


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


def test_a_lone_sender_is_known() -> None:
    found = report([*entry(0, 1), *exit_at(1)], senders=2)
    assert (found.sender_entropy_bits, found.max_bits, found.replicates) == (0.0, 1.0, 1)


def test_two_in_a_pool_hide_each_other_until_one_is_left() -> None:
    rows = [*entry(0, 1), *entry(0, 2), *exit_at(1), *exit_at(2)]
    first, second = trace_senders(rows, senders=2)
    assert first.tolist() == [0.5, 0.5]
    assert second.tolist() == [0.5, 0.5]  # expectation: either may have left first


def test_a_busier_sender_weighs_more() -> None:
    rows = [*entry(0, 1), *entry(0, 1), *entry(0, 1), *entry(0, 2), *exit_at(1)]
    (posterior,) = trace_senders(rows, senders=2)
    assert posterior.tolist() == [0.75, 0.25]
    assert entropy_bits(posterior) == pytest.approx(0.8113, abs=1e-4)


def test_mass_is_conserved_through_two_mixes() -> None:
    rows = [*entry(0, 1), *entry(0, 2)]
    for time in (1, 2):
        rows += [
            Row(time, MIX, False, OTHER, Kind.RELAY),
            Row(time, OTHER, True, MIX, Kind.RELAY),
        ]
    rows += exit_at(3, OTHER) + exit_at(4, OTHER)
    assert np.sum(trace_senders(rows, senders=2), axis=0).tolist() == [1.0, 1.0]


def test_own_loops_carry_no_client() -> None:
    loop = [
        Row(0.5, MIX, False, OTHER, Kind.OWN_LOOP),
        Row(0.5, OTHER, True, MIX, Kind.LOOP_END),
    ]
    (posterior,) = trace_senders([*entry(0, 2), *loop, *exit_at(1)], senders=2)
    assert posterior.tolist() == [0.0, 1.0]


def test_a_packet_from_before_the_trace_is_left_out() -> None:
    assert report([*exit_at(1), *entry(2, 1), *exit_at(3)], senders=2).replicates == 1


def test_a_restart_forgets_what_was_held() -> None:
    start = Row(0.5, MIX, True, MIX, Kind.START)
    assert trace_senders([*entry(0, 1), start, *exit_at(1)], senders=2) == []


def test_reads_files_in_order_of_time_and_skips_a_torn_last_line(tmp_path: Path) -> None:
    late = {"t": 2.0, "at": 1, "dir": "in", "peer": 10, "kind": "relay"}
    early = {"t": 1.0, "at": 10, "dir": "out", "peer": 1, "kind": "entry", "client": 2}
    (tmp_path / "a").write_text(json.dumps(late) + '\n{"t": 3.0, "a')
    (tmp_path / "b").write_text(json.dumps(early) + "\n")
    rows = read_rows([tmp_path / "a", tmp_path / "b"])
    assert [row.time for row in rows] == [1.0, 2.0]
    assert rows[0].client == 2


def test_refuses_a_malformed_line_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"t": 1.0}\n{"t": 2.0}\n')
    with pytest.raises(ValueError, match="line 1"):
        read_rows([tmp_path / "a"])
