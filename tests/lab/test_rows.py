"""Rows of nodes and imported logs become traces that say what happened, in the order of cause."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from experiments.lab.runs.plan import planned
from experiments.lab.runs.sweep import sweep_of
from experiments.lab.sources.cause import cause_fault
from experiments.lab.sources.rows import Reading, layers_of, senders_of, trace_of_rows
from experiments.lab.sources.trace_log import LINE_LIMIT, read_trace, write_trace
from experiments.lab.studies.rows import EXPERIMENT, RowsParameters, run
from experiments.lab.trace import NOBODY, Event, Genre, Trace, observe
from experiments.trace import Kind, Row
from hushmill.errors import ExitCode, UserError

PROVIDER, FIRST, SECOND = 10, 3, 4
LAYERS = {FIRST: 0, SECOND: 1}
READING = Reading(layers=LAYERS, people=2)
LOOP_B = replace(READING, genres={"b0": Genre.LOOP})
SEED = np.random.SeedSequence(0)


def journey(name: str, times: Sequence[float], client: int = 1) -> list[Row]:
    """A packet's rows over both mixes, from the provider to the provider."""
    sent, here, on, there, out, end = times
    return [
        Row(sent, PROVIDER, False, FIRST, Kind.ENTRY, client, f"{name}0"),
        Row(here, FIRST, True, PROVIDER, Kind.RELAY, 0, f"{name}0", f"{name}1"),
        Row(on, FIRST, False, SECOND, Kind.RELAY, 0, f"{name}1"),
        Row(there, SECOND, True, FIRST, Kind.RELAY, 0, f"{name}1", f"{name}2"),
        Row(out, SECOND, False, PROVIDER, Kind.RELAY, 0, f"{name}2"),
        Row(end, PROVIDER, True, SECOND, Kind.DELIVER, 0, f"{name}2"),
    ]


def two_that_overtake() -> list[Row]:
    rows = [
        *journey("a", (5, 5.1, 8, 8.1, 9, 9.1), 1),
        *journey("b", (6, 6.1, 7, 7.1, 10, 10.1), 2),
    ]
    return sorted(rows, key=lambda row: row.time)


def traced(rows: Sequence[Row], reading: Reading = READING) -> Trace:
    trace = trace_of_rows(rows, reading)
    assert cause_fault(trace) is None
    return trace


def kinds(trace: Trace) -> list[str]:
    return [Event(kind).name.lower() for kind in trace.kind]


def test_a_packet_is_one_message_from_its_entry_to_its_end() -> None:
    trace = traced(two_that_overtake())
    assert (trace.messages, trace.mixes, trace.people) == (2, 2, 2)
    assert trace.message.tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1]
    assert trace.time[0] == 0.0
    assert trace.mix[trace.message == 0].tolist() == [NOBODY, 0, 0, 1, 1, NOBODY]
    assert trace.layer[trace.message == 0].tolist() == [NOBODY, 0, 0, 1, 1, NOBODY]
    assert trace.label[trace.kind == Event.SEND].tolist() == [0, 1]
    assert trace.label[trace.kind == Event.DELIVER].tolist() == [NOBODY, NOBODY]


def test_without_names_every_link_begins_a_message_and_is_first_in_first_out() -> None:
    bare = [replace(row, wire="", onward="") for row in two_that_overtake()]
    trace = traced(bare)
    assert trace.messages == 6
    named, _ = observe(traced(two_that_overtake()))
    seen, ends = observe(trace)
    assert seen.wire.tolist() == named.wire.tolist()
    assert (ends.delivered[ends.sent >= 0] == NOBODY).all()


def test_a_label_is_whoever_the_reader_is_told() -> None:
    trace = traced(two_that_overtake(), replace(READING, receiver_of=lambda row: row.at - PROVIDER))
    assert trace.label[trace.kind == Event.DELIVER].tolist() == [0, 0]


def test_genres_are_of_the_packets_that_enter() -> None:
    trace = traced(two_that_overtake(), LOOP_B)
    assert trace.genre.tolist() == [Genre.UNKNOWN, Genre.LOOP]


def test_a_packet_from_before_the_rows_has_no_send() -> None:
    rows = two_that_overtake()[2:]  # the first entry is not in them
    trace = traced(rows)
    assert kinds(trace)[:2] == ["send", "arrive"]
    left = [event for event, kind in enumerate(trace.kind) if kind == Event.DEPART]
    assert trace.message[left[1]] not in trace.message[trace.kind == Event.SEND]
    assert (trace.kind == Event.DELIVER).sum() == 2


def test_what_a_restart_took_does_not_leave() -> None:
    rows = two_that_overtake()
    rows.insert(6, Row(7.5, FIRST, True, FIRST, Kind.START))
    trace = traced(rows)
    (place,) = np.flatnonzero(trace.kind == Event.RESTART)
    assert trace.message[place] == NOBODY
    assert trace.mix[place] == 0
    after = trace.message[trace.time > trace.time[place]]
    assert 0 not in after  # message 0 was inside


def test_without_names_a_restart_takes_what_was_under_way_too() -> None:
    """Else every later packet of the link would be taken for the one before it."""
    rows = [
        Row(0, PROVIDER, False, FIRST, Kind.ENTRY, 1),
        Row(1, FIRST, True, FIRST, Kind.START),
        Row(2, PROVIDER, False, FIRST, Kind.ENTRY, 2),
        Row(3, FIRST, True, PROVIDER, Kind.RELAY),
    ]
    assert traced(rows).message.tolist() == [0, NOBODY, 1, 1]


def test_a_doubled_frame_comes_in_once() -> None:
    rows = two_that_overtake()
    rows.insert(2, replace(rows[1], time=5.2))
    assert kinds(traced(rows)).count("arrive") == 4


def test_an_arrival_that_two_clocks_show_too_early_comes_right_after_its_departure() -> None:
    rows = two_that_overtake()
    early = next(row for row in rows if row.at == SECOND and row.wire == "a1" and row.arriving)
    rows.remove(early)
    left = next(place for place, row in enumerate(rows) if row.wire == "a1")
    rows.insert(left, replace(early, time=7.999))
    trace = traced(rows)
    (at,) = np.flatnonzero((trace.message == 0) & (trace.mix == 1) & (trace.kind == Event.ARRIVE))
    assert trace.kind[at - 1] == Event.DEPART
    assert trace.time[at] == trace.time[at - 1] == 3.0


def test_what_a_provider_holds_is_a_mix_loop_that_ends_and_begins() -> None:
    rows = [
        Row(0, FIRST, False, SECOND, Kind.OWN_LOOP, wire="l0"),
        Row(1, SECOND, True, FIRST, Kind.RELAY, wire="l0", onward="l1"),
        Row(2, SECOND, False, PROVIDER, Kind.RELAY, wire="l1"),
        Row(3, PROVIDER, True, SECOND, Kind.RELAY, wire="l1", onward="l2"),
        Row(4, PROVIDER, False, FIRST, Kind.RELAY, wire="l2"),
        Row(5, FIRST, True, PROVIDER, Kind.LOOP_END, wire="l2"),
    ]
    trace = traced(rows)
    expected = ["loop_send", "arrive", "depart", "loop_end", "loop_send", "loop_end"]
    assert kinds(trace) == expected
    assert trace.genre.tolist() == [Genre.MIX_LOOP, Genre.MIX_LOOP]
    assert trace.mix.tolist() == [0, 1, 1, 2, 2, 0]
    assert trace.layer.tolist() == [0, 1, 1, 2, 2, 0]


def test_layers_are_told_by_the_way_of_packets() -> None:
    assert layers_of(two_that_overtake()) == LAYERS
    back = Row(11, SECOND, False, FIRST, Kind.RELAY)
    with pytest.raises(UserError, match="layers: node 3"):
        layers_of([*two_that_overtake(), back])


def test_clients_of_different_providers_are_different_people() -> None:
    other = Row(20, 11, False, FIRST, Kind.ENTRY, 1)
    assert senders_of([*two_that_overtake(), other]) == {(10, 1): 0, (10, 2): 1, (11, 1): 2}


# -- imported logs


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_a_written_trace_reads_as_it_was(tmp_path: Path, name: str) -> None:
    rows = two_that_overtake()
    rows.insert(6, Row(7.5, FIRST, True, FIRST, Kind.START))
    trace = replace(traced(rows, LOOP_B), mixes=5, people=9)
    write_trace(tmp_path / name, trace)
    read = read_trace(tmp_path / name)
    for column in ("time", "kind", "mix", "layer", "message", "label", "genre"):
        assert getattr(read, column).tolist() == getattr(trace, column).tolist(), column
        assert getattr(read, column).dtype == getattr(trace, column).dtype
    assert (read.mixes, read.people) == (5, 9)


HEAD = "time,kind,mix,layer,message,label\n"
SENT = "0,send,-1,-1,0,2\n"


def test_a_plain_log_counts_its_own_mixes_and_people(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEAD + SENT + "1,arrive,3,0,0,-1\n")
    trace = read_trace(path)
    assert (trace.mixes, trace.people, trace.messages) == (4, 3, 1)
    assert trace.genre.tolist() == [Genre.UNKNOWN]


@pytest.mark.parametrize(
    ("lines", "line", "column"),
    [
        ("x,send,-1,-1,0,0\n", 2, "time"),
        ("nan,send,-1,-1,0,0\n", 2, "time"),
        ("0,enter,-1,-1,0,0\n", 2, "kind"),
        ("0,send,-1,-1,0.5,0\n", 2, "message"),
        ("0,send,-1,-1,20000000,0\n", 2, "message"),
        ("0,send,-1,-1,7,0\n", 2, "message"),
        ("0,send,-1,-1,0,10000000\n", 2, "label"),
        ("0,send,-1,-2,0,0\n", 2, "layer"),
        ("0,send,0,-1,0,0\n", 2, "mix"),
        ("0,restart,0,0,0,-1\n", 2, "message"),
        (SENT + "1,arrive,-1,0,0,-1\n", 3, "mix"),
        (SENT + "1,arrive,100000,0,0,-1\n", 3, "mix"),
        (SENT + "1,arrive,0,0,0,1\n", 3, "label"),
        (SENT + "\n1,arrive,0,0,0,-1\n0.5,depart,0,0,0,-1\n", 5, "time"),
        (SENT + SENT, 3, "kind"),
        (SENT + "1,depart,0,0,0,-1\n", 3, "kind"),
        (SENT + "1,arrive,0,0,0,-1\n2,depart,1,0,0,-1\n", 4, "kind"),
        (SENT + "1,arrive,0,0,0,-1\n2,deliver,-1,-1,0,0\n", 4, "kind"),
        (SENT + "1,deliver,-1,-1,0,0\n2,deliver,-1,-1,0,0\n", 4, "kind"),
        (SENT + "1,arrive,0,0,0,-1\n2,restart,0,0,-1,-1\n3,depart,0,0,0,-1\n", 5, "kind"),
    ],
)
def test_a_wrong_log_is_refused_by_file_line_and_column(
    tmp_path: Path, lines: str, line: int, column: str
) -> None:
    (tmp_path / "log.csv").write_text(HEAD + lines)
    with pytest.raises(UserError, match=rf"^log\.csv line {line}: column `{column}`") as refused:
        read_trace(tmp_path / "log.csv")
    assert refused.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("log.csv", "time,kind,mix\n", 1),
        ("log.csv", HEAD.replace("label", "label,colour"), 1),
        ("log.csv", HEAD + "0,send\n", 2),
        ("log.csv", HEAD + " " * LINE_LIMIT + "\n", 2),
        ("log.jsonl", "[]\n", 1),
        ("log.jsonl", '{"mixes": 3}\n{"time": 0}\n', 2),
        ("log.jsonl", "{\n", 1),
        ("log.jsonl", "[" * 4000 + "\n", 1),
        ("log.csv", HEAD + "1.1e12,send,-1,-1,0,0\n", 2),
        (
            "log.jsonl",
            '{"time": 1' + "0" * 400 + ', "kind": "send", "mix": -1, "layer": -1, '
            '"message": 0, "label": 0}\n',
            1,
        ),
        ("log.jsonl", '{"mixes": true}\n', 1),
    ],
)
def test_a_file_of_another_shape_is_refused_by_line(
    tmp_path: Path, name: str, text: str, line: int
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=rf"line {line}: "):
        read_trace(tmp_path / name)


def test_another_ending_or_no_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("")
    with pytest.raises(UserError, match=r"\.csv or \.jsonl"):
        read_trace(tmp_path / "log.txt")
    with pytest.raises(UserError) as missing:
        read_trace(tmp_path / "log.csv")
    assert missing.value.exit_code is ExitCode.NOT_FOUND
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_trace(tmp_path / "folder.csv")


# -- the experiment


def in_folder(folder: Path, rows: Sequence[Row]) -> str:
    """A recording as the nodes of a local network leave it."""
    (folder / "traces").mkdir()
    for node in {row.at for row in rows}:
        lines = [
            json.dumps(
                {
                    "t": row.time,
                    "at": row.at,
                    "dir": "in" if row.arriving else "out",
                    "peer": row.peer,
                    "kind": row.kind,
                    **({"client": row.client} if row.client else {}),
                    "wire": row.wire,
                    "next": row.onward,
                }
            )
            for row in rows
            if row.at == node
        ]
        (folder / "traces" / f"node{node}.jsonl").write_text("\n".join(lines) + "\n")
    return str(folder)


def stream(packets: int) -> list[Row]:
    """Packets every second, each inside each mix for a second and a half."""
    rows: list[Row] = []
    for number in range(packets):
        times = [number + after for after in (0, 0.01, 1.51, 1.52, 3.02, 3.03)]
        rows += journey(f"p{number}-", times, number % 2 + 1)
    return sorted(rows, key=lambda row: row.time)


def test_a_recording_and_its_export_give_the_same_figures(tmp_path: Path) -> None:
    rows = stream(40)
    recording = run(RowsParameters(folder=in_folder(tmp_path, rows)), SEED)
    write_trace(tmp_path / "log.csv", traced(rows))
    log = run(RowsParameters(file=str(tmp_path / "log.csv")), SEED)
    assert recording == log
    measures = recording.measures
    assert measures["latency_mean_seconds"].value == pytest.approx(3.03)
    assert measures["packets_held_mean"].value == pytest.approx(1.5, abs=0.02)
    assert (
        measures["packets_traced"].value == 36
    )  # those 3.03 s away from the first and from the end
    assert 0 < measures["entropy_bits"].value < 5
    corrupt = RowsParameters(file=str(tmp_path / "log.csv"), corrupt_per_layer=1)
    assert run(corrupt, SEED).measures["entropy_bits"].value == 0.0


def test_what_cannot_be_run_names_the_key(tmp_path: Path) -> None:
    write_trace(tmp_path / "log.csv", traced(two_that_overtake()))
    log = str(tmp_path / "log.csv")
    for parameters, key in (
        (RowsParameters(), "folder, file"),
        (RowsParameters(folder="a", file="b"), "folder, file"),
        (RowsParameters(folder=str(tmp_path)), "folder"),
        (RowsParameters(file=log, settling_seconds=100), "settling_seconds"),
    ):
        with pytest.raises(UserError, match=f"^{key}: "):
            run(parameters, SEED)


def test_a_run_belongs_to_what_the_recording_holds(tmp_path: Path) -> None:
    """Another recording under the same name is another configuration; a worker refuses it."""
    log = tmp_path / "log.csv"
    write_trace(log, traced(stream(40)))
    sweep = sweep_of({"experiment": "rows", "parameters": {"file": str(log)}})
    first = planned(sweep, EXPERIMENT)
    assert planned(sweep, EXPERIMENT).identity == first.identity
    write_trace(log, traced(stream(41)))
    assert planned(sweep, EXPERIMENT).identity != first.identity
    with pytest.raises(UserError, match="another than the one"):
        planned(first.sweep, EXPERIMENT)
    with pytest.raises(UserError, match="another than the one"):
        run(msgspec.convert(first.points[0].parameters, RowsParameters), SEED)
    varied = sweep_of({"experiment": "rows", "grid": {"file": [str(log), "other.csv"]}})
    with pytest.raises(UserError, match="a run is of one recording"):
        planned(varied, EXPERIMENT)


def test_a_log_that_claims_more_people_than_fit_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    write_trace(log, replace(traced(stream(40)), people=10_000_000))
    with pytest.raises(UserError, match="people by deliveries"):
        run(RowsParameters(file=str(log)), SEED)
