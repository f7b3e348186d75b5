"""The `--trace` file of a local network: what an observer of this node's links sees, as JSON lines.

Never for a real network: it records times of packets and, by the names of what comes in and of what
will leave, each packet's way. Its reader and schema are the experiments' (docs/spec/observer.md).
Times are of the machine's one monotonic clock, so that the rows of several processes are in one
order.
"""

import json
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from hushmill.errors import ExitCode, UserError
from hushmill.identifiers import NodeNumber
from hushmill.runtime import monotonic
from mixnode.wire import wire_of

TraceKind = Literal["entry", "relay", "own_loop", "loop_end", "deliver", "drop", "start"]


def require_loopback(listen: str) -> None:
    """Raises UserError(CONFIGURATION) unless the node listens where this machine alone can reach
    it: a trace is the record of times that hushmill exists not to make."""
    try:
        is_local = ip_address(listen).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise UserError(
            f"--trace is for local test networks alone: this node listens on {listen}, and a file "
            "of when its packets come and go would betray people. Run it without --trace.",
            ExitCode.CONFIGURATION,
        )


class TraceFile:
    """Appends to `path`, a line at a time, so that a kill costs one line at most."""

    def __init__(self, path: Path, at: NodeNumber) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._at = at
        # A kill may have left half a line: an empty line after it tells the reader so.
        if self._file.tell() > 0:
            self._file.write("\n\n")
        self._write("in", at, "start", {})

    def arrived(
        self, source: NodeNumber, kind: TraceKind, packet: bytes = b"", onward: bytes = b""
    ) -> None:
        """`packet` came in from `source`; `onward` is what will leave, if it will."""
        names = {"wire": packet, "next": onward}
        self._write("in", source, kind, {name: wire_of(raw) for name, raw in names.items() if raw})

    def left(self, to: NodeNumber, kind: TraceKind, packet: bytes, client: int = 0) -> None:
        """`packet` went out to `to`; `client` counts from 1 on an entry."""
        more: dict[str, object] = {"wire": wire_of(packet)}
        if client:
            more["client"] = client
        self._write("out", to, kind, more)

    def close(self) -> None:
        self._file.close()

    def _write(
        self, direction: str, peer: NodeNumber, kind: TraceKind, more: Mapping[str, object]
    ) -> None:
        row = {
            "t": round(monotonic(), 6),
            "at": self._at,
            "dir": direction,
            "peer": peer,
            "kind": kind,
            **more,
        }
        self._file.write(json.dumps(row) + "\n")
