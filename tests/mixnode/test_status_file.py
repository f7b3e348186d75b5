"""A node's status on disk. Spec: docs/spec/mixing.md (Counters)."""

from pathlib import Path

import pytest

from hushmill.errors import UserError
from hushmill.runtime import now
from mixnode import NodeStatus, read_status
from mixnode.status_file import StatusWriter


def _status(links_up: int, alarm: bool = False) -> NodeStatus:
    return NodeStatus(
        state="running",
        role="mix",
        written_at=int(now()),
        epoch=7,
        links_up=links_up,
        links_wanted=2,
        alarm=alarm,
        counters={},
    )


def test_the_alarm_is_told_in_words_and_to_machines() -> None:
    assert "ALARM" not in _status(2).text()
    assert "own loops come back" in _status(2, alarm=True).text()
    assert _status(2).record()["alarm"] is False
    assert _status(2, alarm=True).record()["alarm"] is True


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


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[" * 100_000, b'{"role": "\xff"}', b"\x00" * 100],
    ids=["empty", "cut off", "deep", "not UTF-8", "zeros"],
)
def test_a_damaged_status_is_said_to_be_damaged(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "status.json").write_bytes(damage)
    with pytest.raises(UserError, match="damaged"):
        read_status(tmp_path)


def test_a_status_of_no_possible_time_is_damaged(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path)
    writer.write(_status(1))
    path = tmp_path / "status.json"
    written = str(read_status(tmp_path).written_at).encode()
    for time in (b"-1", b"9" * 400):
        path.write_bytes(path.read_bytes().replace(written, time))
        with pytest.raises(UserError, match="damaged"):
            read_status(tmp_path)
        writer.write(_status(1))
        written = str(read_status(tmp_path).written_at).encode()
