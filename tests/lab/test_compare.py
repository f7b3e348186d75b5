"""Comparisons: paired where numbers are shared, Welch else, and which of the two is said."""

from pathlib import Path
from typing import Any

import pytest

from experiments.lab.compare import Difference, Method, compare_arms, compare_runs
from experiments.lab.outcome import Quality
from experiments.lab.runs.engine import ThisProcess, run_sweep
from experiments.lab.runs.run_directory import RunDirectory
from experiments.lab.runs.sweep import sweep_of
from hushmill.errors import UserError
from tests.lab.experiments_here import KNOWN


def run_in(folder: Path, **table: Any) -> RunDirectory:
    sweep = sweep_of({"experiment": "coin", "replicates": 12, **table})
    run_sweep(sweep, lambda _plan: folder, ThisProcess(), lambda *_: None, KNOWN)
    return RunDirectory.opened(folder)


def waits(differences: tuple[Difference, ...]) -> list[Difference]:
    return [found for found in differences if found.measure == "wait_seconds"]


def width(found: Difference) -> float:
    assert found.interval is not None
    return found.interval.high - found.interval.low


def test_one_seed_is_paired_and_two_seeds_are_not(tmp_path: Path) -> None:
    """A tenth more waiting is drowned by chance unless the chance is shared."""
    slow = {"parameters": {"mean_delay_seconds": 0.55}}
    first = run_in(tmp_path / "a", seed=3)
    (paired,) = waits(compare_runs(first, run_in(tmp_path / "b", seed=3, **slow)).differences)
    (welch,) = waits(compare_runs(first, run_in(tmp_path / "c", seed=4, **slow)).differences)
    assert (paired.method, welch.method) == (Method.PAIRED, Method.WELCH)
    assert paired.difference == pytest.approx(0.1 * paired.first)
    assert width(paired) < width(welch) / 4
    assert paired.is_clear
    assert paired.replicates == 12


def test_two_replicate_counts_are_paired_over_what_both_have(tmp_path: Path) -> None:
    first, second = run_in(tmp_path / "a"), run_in(tmp_path / "b", replicates=5)
    (found,) = waits(compare_runs(first, second).differences)
    assert (found.method, found.replicates, found.difference) == (Method.PAIRED, 5, 0.0)
    assert not found.is_clear


def test_arms_are_compared_with_the_first_at_the_same_grid_values(tmp_path: Path) -> None:
    run = run_in(
        tmp_path,
        grid={"head_probability": [0.2, 0.5]},
        arms=[
            {"name": "quick"},
            {"name": "slow", "mean_delay_seconds": 1.0},
            {"name": "slower", "mean_delay_seconds": 2.0},
        ],
    )
    found = waits(compare_arms(run).differences)
    assert [one.place for one in found] == [
        "slow less quick, head_probability = 0.2",
        "slow less quick, head_probability = 0.5",
        "slower less quick, head_probability = 0.2",
        "slower less quick, head_probability = 0.5",
    ]
    assert [one.second / one.first for one in found] == pytest.approx([2, 2, 4, 4])
    assert all(one.method is Method.PAIRED for one in found)


def test_a_difference_is_as_good_as_the_worse_side(tmp_path: Path) -> None:
    found = compare_runs(run_in(tmp_path / "a"), run_in(tmp_path / "b", seed=2)).differences
    assert [one.quality for one in found] == [
        Quality.SAMPLED,
        Quality.SAMPLED,
        Quality.EXACT,
        Quality.APPROXIMATE,
    ]


def test_without_chance_the_difference_is_the_interval(tmp_path: Path) -> None:
    first = run_in(tmp_path / "a", experiment="formula")
    second = run_in(tmp_path / "b", experiment="formula", parameters={"side": 3})
    (found,) = compare_runs(first, second).differences
    assert (found.method, found.difference) == (Method.FIXED, 5.0)
    assert width(found) == 0


def test_one_replicate_says_nothing_of_chance(tmp_path: Path) -> None:
    first = run_in(tmp_path / "a", replicates=1)
    second = run_in(tmp_path / "b", replicates=1, seed=9)
    (found,) = waits(compare_runs(first, second).differences)
    assert (found.method, found.interval) == (Method.NONE, None)
    assert found.record()["ci95_low"] is None


def test_points_are_matched_by_their_grid_and_others_are_counted(tmp_path: Path) -> None:
    first = run_in(tmp_path / "a", grid={"throws": [10, 20, 30]})
    second = run_in(tmp_path / "b", grid={"throws": [30, 20, 40]})
    found = compare_runs(first, second)
    assert found.unmatched == 2
    assert [one.place for one in waits(found.differences)] == ["throws = 20", "throws = 30"]
    assert all(one.difference == 0 for one in waits(found.differences))


def test_runs_that_cannot_be_matched_are_refused(tmp_path: Path) -> None:
    plain = run_in(tmp_path / "a")
    grid = run_in(tmp_path / "b", grid={"throws": [10]})
    other = run_in(tmp_path / "c", grid={"throws": [11]})
    with pytest.raises(UserError, match="only one varies: throws"):
        compare_runs(plain, grid)
    with pytest.raises(UserError, match="no point in common"):
        compare_runs(grid, other)
    with pytest.raises(UserError, match="no arms to compare"):
        compare_arms(plain)
