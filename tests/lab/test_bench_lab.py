"""`hushmill bench lab`: the shape of its rows. Speed is for the bench itself, not for a test."""

import json

from click.testing import CliRunner

from experiments.bench_lab import LIMITS, lab, rows_of_all


def test_rows_say_what_was_measured_and_what_is_asked() -> None:
    done = CliRunner().invoke(lab, ["--json", "--messages", "2000", "--targets", "50"])
    assert done.exit_code == 0, done.output
    record = json.loads(done.output)
    assert (record["v"], record["bench"]) == (1, "lab")
    assert [row["what"] for row in record["rows"]] == ["simulate", "order", "posterior"]
    for row in record["rows"]:
        assert row["limit_per_second"] == LIMITS[row["what"]]
        assert abs(row["ratio"] - row["per_second"] / row["limit_per_second"]) < 0.01
        assert row["per_second"] > 0
        assert row["wall_seconds"] >= 0
        assert row["rss_mib"] > 0
        assert (row["messages"], row["layers"], row["width"]) == (2000, 3, 10)
        assert row["count"] == (50 if row["what"] == "posterior" else 2000)


def test_growth_goes_over_messages_mixes_and_layers() -> None:
    arguments = ["--json", "--grow", "--messages", "1000", "--targets", "4"]
    rows = json.loads(CliRunner().invoke(lab, arguments).output)["rows"]
    shapes = {(row["messages"], row["layers"], row["width"]) for row in rows}
    assert {shape[0] for shape in shapes} == {10, 100, 1000}
    assert {shape[1] for shape in shapes} >= {1, 3, 5, 10}
    assert {shape[2] for shape in shapes} >= {1, 10, 100}


def test_a_person_gets_a_table() -> None:
    done = CliRunner().invoke(lab, ["--messages", "500", "--targets", "5"])
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == 5


def test_all_messages_are_targets_of_some_process() -> None:
    (row,) = rows_of_all(300, processes=1)
    assert row.record()["count"] == 300
