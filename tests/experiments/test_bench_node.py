"""The bench of a whole node: its rows, its counting, its search, and its figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.bench_node import node
from experiments.bench_node_packets import PACKET
from experiments.bench_node_peers import ARRIVAL, schedule
from experiments.bench_node_search import CLOSE_ENOUGH, breaks, find_breaking
from experiments.bench_node_sweep import latency_drawing, load_drawing, write_figure
from experiments.bench_node_trial import Outcome, match_arrivals
from experiments.lab.plot import plot_csv
from hushmill.errors import ExitCode

KEYS = {
    "what",
    "suite",
    "cores",
    "workers",
    "packets_per_second",
    "us_per_packet",
    "limit_us",
    "ratio",
    "cpu_us_per_packet",
    "cpu_ratio",
    "loss",
    "added_p50_ms",
    "added_p99_ms",
    "limit_added_p99_ms",
    "node_cpu",
    "generator_cpu",
    "sink_cpu",
    "drops",
    "rss_mib",
}


def outcome(offered: float, sent: int = 1000, lost: int = 0, late: int = 0) -> Outcome:
    """A trial of `sent` packets, in which those that were not late took 5 to 15 ms."""
    added = np.concatenate([np.linspace(5, 15, sent - lost - late), np.full(late, 400.0)])
    return Outcome(
        offered_per_second=offered,
        served_per_second=min(offered, 1000.0),
        sent=sent,
        received=sent - lost,
        late=late,
        repeated=0,
        own_loops=0,
        refused_at_link=0,
        behind_ms=0.0,
        seconds=1.0,
        node_cpu_seconds=0.5,
        node_cpu=0.5,
        generator_cpu=0.1,
        sink_cpu=0.1,
        rss_bytes=1,
        processes=1,
        drops={},
        added_ms=added,
    )


def test_measures_a_real_node_between_real_links() -> None:
    result = CliRunner().invoke(node, ["--quick", "--json"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert (printed["v"], printed["bench"]) == (1, "node")
    (row,) = printed["rows"]
    assert set(row) >= KEYS
    assert (row["what"], row["suite"], row["sent"]) == ("node", "x25519", 300)
    assert row["sent"] == row["received"] + row["lost"]
    assert row["received"] > 0
    assert row["repeated"] == 0
    assert row["ratio"] == pytest.approx(row["us_per_packet"] / row["limit_us"], rel=0.01)
    assert row["rss_mib"] > 10
    assert row["cpu_us_per_packet"] > row["limit_us"]  # no packet is opened for less


def test_figures_want_a_folder_before_anything_is_measured() -> None:
    for words in (["--sweep"], ["--out", "x"], ["--sweep", "--out", "x", "--quick"]):
        assert CliRunner().invoke(node, words).exit_code == ExitCode.USAGE


def test_counts_what_came_what_came_twice_and_what_is_strange() -> None:
    packets = np.array([(0.5, 11), (0.25, 7), (1.0, 9)], PACKET)
    sent = np.array([100.0, 101.0, 102.0])
    arrivals = np.array([(101.5, 7), (100.51, 11), (101.6, 7), (103.0, 1)], ARRIVAL)
    matched = match_arrivals(packets, sent, arrivals)
    assert matched.added == pytest.approx([0.01, 0.25])
    assert (matched.repeated, matched.strange) == (1, 1)
    assert len(match_arrivals(packets, sent, arrivals[:0]).added) == 0


def test_sends_at_the_rate_that_was_asked_for() -> None:
    due = schedule(10_000, 500.0, seed=1)
    assert due[-1] == pytest.approx(20.0, rel=0.05)
    assert (np.diff(due) > 0).all()


@pytest.mark.parametrize(
    ("lost", "late", "is_broken"), [(10, 0, False), (0, 11, True), (6, 5, True)]
)
def test_breaks_above_one_packet_in_a_hundred(lost: int, late: int, is_broken: bool) -> None:
    assert breaks(outcome(100.0, 1000, lost, late)) is is_broken


@pytest.mark.parametrize("first", [200.0, 1300.0, 9000.0])
def test_closes_in_on_the_rate_that_breaks(first: float) -> None:
    """A node that carries 1,000 packets a second, guessed too low and too high."""

    def trial(rate: float, _has_drops: bool) -> Outcome:
        return outcome(rate, late=500 if rate > 1000 else 0)

    found = find_breaking(trial, first, trials=6)
    assert found.broke_at is not None
    assert 1000 * (1 - CLOSE_ENOUGH) <= found.held.offered_per_second <= 1000 <= found.broke_at
    assert breaks(found.overload)


def test_a_rate_that_broke_once_is_tried_again() -> None:
    tried: list[float] = []

    def trial(rate: float, _has_drops: bool) -> Outcome:
        tried.append(rate)
        is_disturbed = len(tried) == 2
        return outcome(rate, late=500 if rate > 1000 or is_disturbed else 0)

    found = find_breaking(trial, 1300.0, trials=1)
    assert tried[1] == tried[2] == found.held.offered_per_second


SWEPT = [outcome(500.0), outcome(1000.0, late=20), outcome(2000.0, lost=500, late=400)]


def test_a_figure_of_a_sweep_is_drawn_from_its_csv_alone(tmp_path: Path) -> None:
    first, alone = tmp_path / "first.csv", tmp_path / "alone.csv"
    svg, _ = write_figure(first, latency_drawing("A mix", SWEPT))
    alone.write_bytes(first.read_bytes())
    again, _ = plot_csv(alone)
    assert again.read_bytes() == svg.read_bytes()
    columns, *rows = alone.read_text().splitlines()[1:]
    assert columns == "panel,series,kind,quality,x,y,low,high"
    assert len(rows) == 2 * len(SWEPT)


def test_a_sweep_shows_what_came_in_time_and_what_did_not() -> None:
    marks = load_drawing("A mix", SWEPT).marks
    assert [mark.y for mark in marks if mark.panel == 0] == pytest.approx([500.0, 980.0, 200.0])
    assert [mark.y for mark in marks if mark.series == "lost"] == [0.0, 0.0, 0.5]
    assert sum(mark.y for mark in marks if mark.series.startswith("later")) == pytest.approx(0.42)
