"""The bench's rows, and that unwrapping stays near what its public keys cost."""

from typing import Any

import pytest
from click.testing import CliRunner

from experiments.bench_packet import UNWRAP_TARGETS, packet, packet_rows

ATTEMPTS = 5


def test_has_a_row_for_each_operation_and_suite() -> None:
    result = CliRunner().invoke(packet, ["--json", "--rounds", "1"])
    assert result.exit_code == 0
    assert result.stdout.startswith('{"v":1,"bench":"packet","rows":[')
    rows: list[dict[str, Any]] = packet_rows(rounds=1, calls=2)
    assert {(row["what"], row["suite"]) for row in rows} == {
        ("unwrap", "x25519"),
        ("unwrap", "xwing"),
        ("wrap", "x25519"),
        ("wrap", "xwing"),
        ("classical_hop", "x25519"),
    }
    for row in rows:
        assert row["us"] > 0
        assert row["ratio"] == pytest.approx(row["us"] / row["limit_us"], rel=0.01)


def test_people_get_a_table() -> None:
    result = CliRunner().invoke(packet, ["--rounds", "1"])
    assert result.exit_code == 0
    assert "unwrap xwing" in result.stdout
    assert "at most 1.75" in result.stdout


@pytest.mark.soak
@pytest.mark.parametrize("suite", ["x25519", "xwing"])
def test_unwraps_within_its_multiple_of_the_floor(suite: str) -> None:
    """A busy machine may disturb an attempt; no machine makes a slow unwrap fast. Not in
    `make test`, whose workers keep both cores busy: `hushmill bench packet` prints the ratio."""
    seen = []
    for _ in range(ATTEMPTS):
        rows = packet_rows(rounds=15, calls=20)
        ratio = next(
            float(str(row["ratio"]))
            for row in rows
            if (row["what"], row["suite"]) == ("unwrap", suite)
        )
        seen.append(ratio)
        if ratio <= UNWRAP_TARGETS[suite]:
            return
    pytest.fail(f"unwrap is {seen} times its public-key floor, not {UNWRAP_TARGETS[suite]}")
