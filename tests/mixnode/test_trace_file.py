"""What a node's trace of a local network holds: times, ends, and packets' names."""

import json
from pathlib import Path

from experiments.trace import Kind, Row, read_rows
from hushmill.identifiers import NodeNumber
from mixnode import wire_of
from mixnode.trace_file import TraceFile

NODE, OTHER = NodeNumber(3), NodeNumber(4)
PACKET, ONWARD = b"came" * 300, b"leaves" * 200


def written(path: Path) -> list[Row]:
    trace = TraceFile(path, NODE)
    trace.arrived(OTHER, "relay", PACKET, ONWARD)
    trace.left(OTHER, "entry", ONWARD, client=2)
    trace.close()
    return read_rows([path])


def test_a_packet_has_one_name_where_it_comes_in_and_where_it_will_leave(tmp_path: Path) -> None:
    start, came, left = written(tmp_path / "trace")
    assert (start.kind, start.wire, start.peer) == (Kind.START, "", NODE)
    assert (came.wire, came.onward) == (wire_of(PACKET), wire_of(ONWARD))
    assert (left.wire, left.onward, left.client) == (came.onward, "", 2)
    assert came.wire != came.onward


def test_a_name_is_short_and_no_content(tmp_path: Path) -> None:
    written(tmp_path / "trace")
    text = (tmp_path / "trace").read_text()
    names = [json.loads(line).get("wire", "") for line in text.split("\n") if line]
    assert [len(name) for name in names] == [0, 16, 16]
    for packet in (PACKET, ONWARD):
        assert packet[:8].hex() not in text
        assert packet[:8].decode() not in text


def test_half_a_line_of_a_killed_node_is_skipped(tmp_path: Path) -> None:
    first = written(tmp_path / "trace")
    with (tmp_path / "trace").open("a") as file:
        file.write('{"t": 5, "at"')
    assert written(tmp_path / "trace")[: len(first)] == first
    assert len(read_rows([tmp_path / "trace"])) == 2 * len(first)
