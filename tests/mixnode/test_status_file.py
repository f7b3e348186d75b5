"""A node's status on disk. Spec: docs/spec/mixing.md (Counters)."""

from pathlib import Path

import pytest

from hushmill.runtime import now
from mixnode import NodeStatus, read_status
from mixnode.status_file import StatusWriter


def _status(links_up: int) -> NodeStatus:
    return NodeStatus(
        state="running",
        role="mix",
        written_at=int(now()),
        epoch=7,
        links_up=links_up,
        links_wanted=2,
        counters={},
    )


def test_a_status_that_cannot_be_written_costs_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = StatusWriter(tmp_path)
    writer.write(_status(1))
    last = tmp_path / "last"
    (tmp_path / "status.json").rename(last)
    for name in ("status.json", "status.json.new"):
        (tmp_path / name).mkdir()
    writer.write(_status(2))
    writer.write(_status(2))
    assert len(caplog.records) == 1
    for name in ("status.json", "status.json.new"):
        (tmp_path / name).rmdir()
    last.rename(tmp_path / "status.json")
    assert read_status(tmp_path).links_up == 1
    writer.write(_status(2))
    assert read_status(tmp_path).links_up == 2
