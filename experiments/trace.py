"""What an observer of every link sees: one row a packet on a link, whoever recorded it.

The simulator writes these rows directly; real nodes of a local network write them as JSON lines
(`--trace`), each node its own links. Rows hold times, ends of links and packets' short names, never
a packet's content. The names are the truth that scores an adversary, which gets none of them.
Schema and its use: docs/spec/observer.md.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """What a node does with the packet of a row. An observer of links infers `ENTRY`, since an
    entry provider adds no delay; it is *granted* `OWN_LOOP` and `LOOP_END`, which it could not see,
    so that the measured anonymity is a lower bound for this adversary."""

    ENTRY = "entry"  # a provider passes on a client's packet
    RELAY = "relay"  # a packet enters a node that holds it, or leaves after holding
    OWN_LOOP = "own_loop"  # a node sends a loop of its own
    LOOP_END = "loop_end"  # a node's own loop has come back
    DELIVER = "deliver"  # a provider receives a packet that ends there: payload or cover
    DROP = "drop"  # refused on arrival
    START = "start"  # the node has (re)started and holds nothing


_LEAVING = {Kind.ENTRY, Kind.RELAY, Kind.OWN_LOOP}
_COMING = {Kind.RELAY, Kind.LOOP_END, Kind.DELIVER, Kind.DROP, Kind.START}


@dataclass(frozen=True, slots=True)
class Row:
    """`time` in seconds on one clock; `at` is the node that saw it; `arriving` says whether it came
    in or went out; `peer` is the other end's node number; `client` counts from 1 on an entry.

    `wire` names the packet on this link (`mixnode.wire_of`), `onward`, at an arrival that will be
    held, the packet that it leaves as. Empty where whoever wrote the row did not know."""

    time: float
    at: int
    arriving: bool
    peer: int
    kind: Kind
    client: int = 0
    wire: str = ""
    onward: str = ""


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """The rows of several nodes' trace files in order of time. A last line that a killed process
    left half-written is skipped; any other malformed line raises ValueError."""
    rows = []
    for path in paths:
        lines = path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines):
            if not line:
                continue
            try:
                rows.append(_row(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                if number < len(lines) - 1 and lines[number + 1]:
                    raise ValueError(f"{path.name} line {number + 1}: not a trace row") from error
    rows.sort(key=lambda row: row.time)
    return rows


def _row(record: dict[str, Any]) -> Row:
    row = Row(
        time=float(record["t"]),
        at=int(record["at"]),
        arriving=record["dir"] == "in",
        peer=int(record["peer"]),
        kind=Kind(record["kind"]),
        client=int(record.get("client", 0)),
        wire=str(record.get("wire", "")),
        onward=str(record.get("next", "")),
    )
    if row.kind not in (_COMING if row.arriving else _LEAVING):
        raise ValueError(f"no packet goes {record['dir']} as {row.kind}")
    return row
