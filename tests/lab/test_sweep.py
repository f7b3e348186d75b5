"""Sweeps: what they say, what they refuse and in which words."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.lab.keys import keys_of
from experiments.lab.registry import experiment_named
from experiments.lab.runs.plan import Plan, planned, read_plan, seed_of
from experiments.lab.runs.sweep import read_sweep, sweep_of
from experiments.lab.runs.toml_text import written
from hushmill.errors import ExitCode, UserError
from tests.lab.experiments_here import KNOWN

COIN = experiment_named("coin", KNOWN)


def plan_of(**table: Any) -> Plan:
    return planned(sweep_of({"experiment": "coin", **table}), COIN)


def refusal(**table: Any) -> str:
    with pytest.raises(UserError) as caught:
        plan_of(**table)
    assert caught.value.exit_code is ExitCode.USAGE
    return str(caught.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_grid_is_multiplied_out_in_order_and_arms_come_first() -> None:
    plan = plan_of(
        parameters={"throws": 7},
        grid={"head_probability": [0.1, 0.2], "mean_delay_seconds": [1, 2]},
        arms=[{"name": "few", "throws": 3}, {"name": "as given"}],
    )
    seen = [
        (p.arm, p.parameters["head_probability"], p.parameters["mean_delay_seconds"])
        for p in plan.points
    ]
    grid = [(0.1, 1.0), (0.1, 2.0), (0.2, 1.0), (0.2, 2.0)]
    assert seen == [(arm, *pair) for arm in ("few", "as given") for pair in grid]
    assert {(p.arm, p.parameters["throws"]) for p in plan.points} == {("few", 3), ("as given", 7)}
    assert [point.index for point in plan.points] == list(range(8))
    assert plan.points[1].place == (
        "point 1 (arm few, head_probability = 0.1, mean_delay_seconds = 2.0, throws = 3)"
    )


def test_the_plan_says_every_key_and_reads_back_as_the_same_plan(tmp_path: Path) -> None:
    plan = plan_of(
        grid={"throws": [1, 2]},
        parameters={"weights": [1, 2.5]},
        arms=[{"name": 'a "quoted" ☂ name', "head_probability": 1}, {"name": "b"}],
        figure={"x": "throws", "y": ["head_share", "wait_seconds"], "log_x": True},
        replicates=3,
    )
    again = read_plan(write(tmp_path, plan.text))
    assert again == plan
    assert planned(again.sweep, COIN) == plan
    assert set(tomllib.loads(plan.text)["parameters"]) == {
        "head_probability",
        "mean_delay_seconds",
        "weights",
    }
    assert "figure" not in plan.identity


def test_equal_configurations_have_equal_text() -> None:
    assert (
        plan_of(parameters={"mean_delay_seconds": 1}).text
        == plan_of(parameters={"throws": 50, "mean_delay_seconds": 1.0}, replicates=10).text
    )


def test_a_deterministic_experiment_runs_once() -> None:
    formula = experiment_named("formula", KNOWN)
    sweep = sweep_of({"experiment": "formula", "replicates": 40, "grid": {"side": [1, 2]}})
    assert planned(sweep, formula).tasks == 2


def test_replicates_share_their_seed_over_points_and_differ_from_each_other() -> None:
    draws = [np.random.default_rng(seed_of(7, r)).random() for r in range(50)]
    children = np.random.SeedSequence(7).spawn(50)
    assert draws == [np.random.default_rng(child).random() for child in children]
    assert len(set(draws)) == 50


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            {"grid": {"mean_delay_seconds": [1.0, 2, -1]}},
            "grid.mean_delay_seconds[2]: expected a number > 0, got -1.",
        ),
        (
            {"parameters": {"throws": 2.5}},
            "parameters.throws: expected a whole number, got 2.5.",
        ),
        (
            {"parameters": {"throws": 0}},
            "parameters.throws: expected a whole number >= 1, got 0.",
        ),
        (
            {"parameters": {"weights": [1.0, "a"]}},
            'parameters.weights[1]: expected a number, got "a".',
        ),
        (
            {"grid": {"weights": [[1.0], [2.0, -3]]}},
            "grid.weights[1][1]: expected a number > 0, got -3.",
        ),
        (
            {"parameters": {"mean_delay_seconds": float("inf")}},
            "parameters.mean_delay_seconds: expected a finite number, got inf.",
        ),
        ({"grid": {"throws": 5}}, "grid.throws: expected a list of values, got 5."),
        ({"grid": {"throws": []}}, "grid.throws: expected a list of values, got []."),
        ({"grid": {"throws": [5, 5]}}, "grid.throws: has 5 twice."),
        (
            {"grid": {"throws": [5]}, "parameters": {"throws": 4}},
            "grid.throws: stands under [parameters] too.",
        ),
        ({"replicates": 0}, "replicates: expected a whole number >= 1, got 0."),
        ({"seed": "x"}, 'seed: expected a whole number, got "x".'),
        ({"arms": [{"throws": 3}]}, "arms[0].name: every arm has a name (a text)."),
        ({"arms": [{"name": "a"}, {"name": "a"}]}, 'arms: two are called "a".'),
        (
            {"arms": [{"name": "a", "throws": -3}]},
            "arms[0].throws: expected a whole number >= 1, got -3.",
        ),
        (
            {"arms": [{"name": "a", "throws": 3}], "grid": {"throws": [1]}},
            "arms[0].throws: the grid sets this key.",
        ),
        ({"figure": {"log_x": 1}}, "figure.log_x: expected true or false, got 1."),
        ({"figure": [{"y": 3}]}, "figure[0].y: expected a text or a list, got 3."),
    ],
)
def test_a_wrong_value_is_named_in_a_sentence(table: dict[str, Any], sentence: str) -> None:
    assert refusal(**table) == sentence


def test_a_key_that_is_not_there_is_named_with_the_one_that_was_meant() -> None:
    assert refusal(parameters={"throw": 5}) == (
        "parameters.throw: the experiment coin has no such key; did you mean throws? "
        "`hushmill lab list coin` shows all."
    )
    assert "did you mean replicates" in refusal(replicate=5)
    assert "figure" in refusal(figure={"z": 1})


def test_too_many_tasks_are_refused() -> None:
    values = [place + 1 for place in range(1001)]
    assert "100,100,000 tasks" in refusal(grid={"throws": values}, replicates=100_000)


def test_sets_stand_alone_and_speak_toml_or_bare_words() -> None:
    sweep = read_sweep(
        None,
        ["experiment=coin", "throws=5", "replicates=20", "weights=[1, 2.5]", "seed = 3", "a.b=x=y"],
    )
    assert (sweep.experiment, sweep.replicates, sweep.seed) == ("coin", 20, 3)
    assert sweep.parameters == {"throws": 5, "weights": [1, 2.5], "a.b": "x=y"}
    two_lines = read_sweep(None, ["experiment=coin", "topology=5\nseed=9"])
    assert two_lines.parameters == {"topology": "5\nseed=9"}
    assert two_lines.seed == 1


def test_sets_go_over_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'experiment = "coin"\n[parameters]\nthrows = 4\n[grid]\nhead_probability = [0.1, 0.2]\n'
        '[[arms]]\nname = "slow"\nmean_delay_seconds = 9\n',
    )
    sweep = read_sweep(path, ["head_probability=0.7", "grid.throws=[1, 2]", "figure.x=throws"])
    assert sweep.grid == {"throws": [1, 2]}
    assert sweep.parameters == {"head_probability": 0.7}
    assert sweep.looks[0].x == "throws"
    with pytest.raises(UserError, match="the arms of the sweep set mean_delay_seconds"):
        read_sweep(path, ["mean_delay_seconds=1"])


@pytest.mark.parametrize("setting", ["throws", "=5", "  =5"])
def test_a_set_without_key_or_value_is_refused(setting: str) -> None:
    with pytest.raises(UserError, match="write KEY=VALUE"):
        read_sweep(None, [setting])


def test_a_sweep_names_its_experiment_and_is_toml(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="experiment: missing"):
        read_sweep(None, ["throws=5"])
    with pytest.raises(UserError, match="is not TOML"):
        read_sweep(write(tmp_path, "experiment = "))
    with pytest.raises(UserError, match="is a folder"):
        read_sweep(tmp_path)
    with pytest.raises(UserError, match="There is no sweep") as caught:
        read_sweep(tmp_path / "nothing.toml")
    assert caught.value.exit_code is ExitCode.NOT_FOUND
    with pytest.raises(UserError, match="There are: coin, deadly, formula, gaps, network"):
        experiment_named("dice", KNOWN)


def test_keys_say_meaning_unit_default_and_limits() -> None:
    found = {key.name: key for key in keys_of(COIN)}
    head, delay = found["head_probability"], found["mean_delay_seconds"]
    assert (head.meaning, head.unit, head.limits) == (
        "Chance of a head.",
        "probability",
        ">= 0, <= 1",
    )
    assert (delay.unit, delay.default, delay.kind, delay.limits) == ("s", 0.5, "a number", "> 0")
    assert found["weights"].limits == "each > 0"


PLAIN = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20)
)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=4))
KEYS = st.text(min_size=1, max_size=8)


@given(
    st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3)), max_size=5)
)
@settings(max_examples=150, deadline=None)
def test_written_toml_reads_back_as_it_was(table: dict[str, Any]) -> None:
    # Compared as text: a NaN is unlike itself.
    assert repr(sorted(tomllib.loads(written(table)).items())) == repr(sorted(table.items()))
