"""The standard sweeps: what they ask, and that the committed figures are what the code gives."""

import csv
import io
import itertools
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from experiments.lab.commands import lab
from experiments.lab.compiled import require_compiler
from experiments.lab.drawing import Drawing, Kind, drawing_csv, read_drawing
from experiments.lab.formula_line import formula_line
from experiments.lab.outcome import Quality
from experiments.lab.plot import draw
from experiments.lab.plot_data import drawings_of
from experiments.lab.registry import EXPERIMENTS, experiment_named
from experiments.lab.runs.engine import ThisProcess, run_sweep
from experiments.lab.runs.plan import planned
from experiments.lab.runs.processes import Processes
from experiments.lab.runs.sweep import sweep_of
from experiments.standard.make_figures import FIGURES, figure_csvs, make, make_figures
from experiments.standard.profiles import COLUMNS, PEOPLE, profiles_csv
from experiments.standard.sweeps import (
    asked_sweep,
    question_of,
    standard_names,
    standard_sweep,
    standard_sweeps,
)
from hushmill.errors import ExitCode, UserError
from pki import packet_entropy_bits, sender_entropy_bits
from tests.lab.experiments_here import KNOWN

README = FIGURES.parent / "README.md"
NAMES = standard_names()
CHEAP = ("cover_share", "topologies")  # seconds each; `make soak` runs all
LONGEST_TASKS = 1000


def quiet(_title: str, _done: int, _of: int) -> None:
    """Nobody watches."""


def committed(figure: str) -> bytes:
    return (FIGURES / f"{figure}.csv").read_bytes()


def figures_of(name: str) -> list[str]:
    return [look.name for look in standard_sweep(name).looks]


def every_figure() -> list[str]:
    return [figure for name in NAMES for figure in figures_of(name)]


def drawing_of(figure: str) -> Drawing:
    return read_drawing(committed(figure), figure)


def measured(figure: str, series: str, panel: int = 0) -> dict[str, float]:
    """x → y of one series in one panel."""
    found = {
        mark.x: mark.y
        for mark in drawing_of(figure).marks
        if (mark.panel, mark.series, mark.kind) == (panel, series, Kind.MEASURED)
    }
    assert found, (figure, series)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_each_sweep_asks_a_question_and_is_a_plan(name: str) -> None:
    assert re.fullmatch(r"[A-Z][^?]{10,110}\?", question_of(name))
    sweep = standard_sweep(name)
    plan = planned(sweep, experiment_named(sweep.experiment))
    assert len(plan.points) > 1
    assert plan.tasks <= LONGEST_TASKS
    assert sweep.replicates >= 3


def test_each_sweep_draws_of_its_own_seed_and_figures_of_its_own_names() -> None:
    seeds = [standard_sweep(name).seed for name in NAMES]
    assert len(set(seeds)) == len(seeds)
    figures = every_figure()
    assert len(set(figures)) == len(figures)


def test_every_question_of_the_set_has_its_sweep() -> None:
    asked = {standard_sweep(name).experiment for name in NAMES}
    assert asked >= {
        "tracing", "cores", "strategies", "unobservability", "disclosure", "intersection",
        "blending", "loop_alarm", "correlation", "trilemma",
    }  # fmt: skip


def test_what_is_committed_is_what_the_sweeps_ask_for() -> None:
    expected = {f"{figure}{end}" for figure in every_figure() for end in (".csv", ".svg")}
    assert {path.name for path in FIGURES.iterdir()} == expected | {"profiles.csv"}


def drawn(figure: str) -> bytes:
    return draw(drawing_of(figure)).svg


@pytest.mark.parametrize("figure", CHEAP)
def test_a_committed_figure_is_drawn_from_its_csv(figure: str) -> None:
    assert drawn(figure) == (FIGURES / f"{figure}.svg").read_bytes()


@pytest.mark.soak
@pytest.mark.parametrize("figure", [one for one in every_figure() if one not in CHEAP])
def test_every_committed_figure_is_drawn_from_its_csv(figure: str) -> None:
    assert drawn(figure) == (FIGURES / f"{figure}.svg").read_bytes()


@pytest.mark.parametrize("figure", every_figure())
def test_each_mark_that_is_measured_has_its_interval(figure: str) -> None:
    drawing = drawing_of(figure)
    assert drawing_csv(drawing) == committed(figure)
    for mark in drawing.marks:
        if mark.kind is Kind.MEASURED:
            assert mark.low is not None
            assert mark.high is not None
            assert mark.low <= mark.y <= mark.high
    assert {mark.quality for mark in drawing.marks} <= set(Quality)


def test_no_committed_file_says_where_it_was_made() -> None:
    texts = [*FIGURES.iterdir(), README, *(FIGURES.parent / "notebooks").iterdir()]
    for path in texts:
        found = re.search(rb"/(home|root|tmp|work|Users|mnt|var)/|localhost", path.read_bytes())
        assert found is None, (path.name, found)


@pytest.mark.parametrize("name", CHEAP)
def test_a_cheap_sweep_gives_the_committed_bytes(name: str) -> None:
    require_compiler()
    made = figure_csvs(standard_sweep(name), ThisProcess(), quiet)
    assert made == {figure: committed(figure) for figure in figures_of(name)}


def test_one_point_of_the_shipped_programs_gives_the_committed_bytes(tmp_path: Path) -> None:
    """One client alone: the same code, seeds and replicates as the whole sweep."""
    sweep = standard_sweep("users", ["grid.clients=[1]"])
    run, _ = run_sweep(sweep, lambda _plan: tmp_path, ThisProcess(), quiet)
    (drawing,) = drawings_of(run).values()
    lines = drawing_csv(drawing).splitlines()[2:]
    assert len(lines) == 3
    assert set(lines) <= set(committed("users").splitlines())


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHEAP])
def test_every_sweep_gives_the_committed_bytes(name: str) -> None:
    made = figure_csvs(standard_sweep(name), Processes(2), quiet)
    assert made == {figure: committed(figure) for figure in figures_of(name)}


def test_a_seed_of_its_own_gives_other_figures_within_their_intervals() -> None:
    sweep = standard_sweep("cover_share", ["seed=99", "replicates=6"])
    (made,) = figure_csvs(sweep, ThisProcess(), quiet).values()
    ours, theirs = read_drawing(made, "made").marks, drawing_of("cover_share").marks
    assert made != committed("cover_share")
    for one, other in zip(ours, theirs, strict=True):
        if one.kind is Kind.MEASURED and one.panel == 0:
            assert one.y == pytest.approx(other.y, abs=0.35)


def test_profiles_are_what_the_code_gives() -> None:
    assert committed("profiles") == profiles_csv()
    rows = list(csv.DictReader(io.StringIO(committed("profiles").decode())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * len(PEOPLE)
    for row in rows:
        mean = {"default": 0.5, "strong": 20.0}[row["profile"]]
        people = int(row["people"])
        bits = sender_entropy_bits(people, people * 1.4, mean, 3, 3)
        assert float(row["sender_bits"]) == pytest.approx(bits, abs=0.02)
        assert (row["is_available"] == "yes") == (row["profile"] == "default")


def test_the_readme_shows_the_table_of_profiles() -> None:
    text = README.read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(committed("profiles").decode())):
        cells = (
            row["profile"],
            f"{int(row['people']):,}",
            f"{float(row['delivery_mean_seconds']):.1f}",
            f"{float(row['delivery_p90_seconds']):.1f}",
            f"{float(row['megabytes_a_day_each_way']):.0f}",
            f"{float(row['packet_bits']):.1f}",
            f"{float(row['sender_bits']):.1f}",
            f"{float(row['packet_bits_one_corrupt_a_layer']):.1f}",
            f"{float(row['disclosure_days']):,.0f}",
        )
        assert f"| {' | '.join(cells)} |" in text


def test_the_readme_shows_every_sweep_its_command_and_its_figures() -> None:
    text = README.read_text(encoding="utf-8")
    for name in NAMES:
        assert f"hushmill lab run {name}\n" in text, name
        for figure in figures_of(name):
            assert f"](figures/{figure}.svg)" in text, figure
            assert f"](figures/{figure}.csv)" in text, figure
    linked = set(re.findall(r"\]\(([^)#]+)\)", text))
    assert [link for link in linked if not (README.parent / link).exists()] == []


def test_a_formula_over_arms_has_each_arms_own_parameters() -> None:
    lines = [m for m in drawing_of("cover_share").marks if m.kind is Kind.CLOSED_FORM]
    rates = (20.0, 40.0, 80.0, 160.0, 320.0)
    assert [m.y for m in lines] == pytest.approx(
        [packet_entropy_bits(rate, 0.5, 3, 3) for rate in rates]
    )


def test_the_programs_own_keys_give_the_formula_its_rate_and_width() -> None:
    plan = planned(standard_sweep("users"), experiment_named("cores"))
    keys = plan.points[-1].parameters
    form, places = "sender_entropy_bits", [2, 16]
    line = formula_line(form, "clients", keys, places, is_dense=False, is_log=False)
    expected = [sender_entropy_bits(clients, 1.4 * clients, 0.5, 3, 2) for clients in places]
    assert [y for _, y in line] == pytest.approx(expected)
    drawn_line = [m for m in drawing_of("users").marks if m.kind is Kind.CLOSED_FORM]
    assert {m.x: m.y for m in drawn_line}["16"] == pytest.approx(expected[1])
    silent = {**keys, "cover": False}
    with pytest.raises(UserError, match="needs rate_per_second"):
        formula_line(form, "clients", silent, places, is_dense=False, is_log=False)


def test_the_closed_form_stays_below_what_is_measured() -> None:
    for figure in ("users", "delay", "cover_share"):
        marks = [mark for mark in drawing_of(figure).marks if mark.panel == 0]
        for line in (mark for mark in marks if mark.kind is Kind.CLOSED_FORM):
            layers = line.series.partition(":")[0] if ":" in line.series else None
            for mark in marks:
                is_same = mark.kind is Kind.MEASURED and mark.x == line.x
                if is_same and mark.series != "sender max" and layers in (None, mark.series):
                    assert line.y <= (mark.high or mark.y) + 0.05, (figure, mark)


def test_what_the_readme_says_of_cover_is_so() -> None:
    for panel in (0, 1):  # doubt and rate: whatever is written
        assert len(set(measured("cover", "cover on", panel).values())) == 1
    on, off = measured("cover", "cover on"), measured("cover", "cover off")
    assert all(on[x] > off[x] + 0.3 for x in on)
    for slots in (
        measured("correlation", "cover at both"),
        measured("silence", "messages in cover's slots"),
    ):
        assert all(abs(area - 0.5) < 0.05 for area in slots.values())
    assert measured("correlation", "no cover")["1800"] == 1
    arms = ("no cover", "users' constant cover", "both ends' cover")
    found = [measured("disclosure", arm) for arm in arms]
    assert all(fast > slow for fast, slow in itertools.pairwise(one["1021"] for one in found))


def test_what_the_readme_says_of_traffic_and_mixes_is_so() -> None:
    people = list(measured("users", "sender entropy").values())
    assert people[0] == 0
    assert people == sorted(people)
    poisson = measured("batching", "Poisson", 1)
    for other in ("timed", "threshold", "pool, 4 kept", "binomial", "Cottrell, 4 kept"):
        assert all(poisson[x] > y for x, y in measured("batching", other, 1).items())
    assert measured("low_load", "threshold")["1"] == 1
    assert not any(measured("low_load", "Poisson").values())
    layers = measured("topologies", 'topology "stratified"')
    for other in ("cascades", "free_route"):
        assert all(layers[x] > y for x, y in measured("topologies", f'topology "{other}"').items())
    for strategy in ("poisson", "timed"):
        linked = measured("blending", f'linked share, strategy "{strategy}"')
        forms = measured("blending", f'closed form, strategy "{strategy}"')
        assert all(abs(linked[x] - forms[x]) < 0.06 for x in forms)


def test_no_network_breaks_the_trilemmas_bound() -> None:
    for layers in (1, 3, 5):
        most = measured("trilemma", f"most anonymity, layers {layers}")
        for mark in drawing_of("trilemma").marks:
            if mark.series == f"anonymity, layers {layers}":
                assert (mark.low or 0.0) <= most[mark.x]


def test_a_bare_name_runs_the_sweep_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ["--set", "replicates=1", "--set", "targets=5", "--set", "layers=1"]
    done = CliRunner().invoke(lab, ["run", "delay", *few, "--json"])
    assert done.exit_code == 0, done.output
    record: dict[str, Any] = msgspec.json.decode(done.stdout)
    assert record["experiment"] == "tracing"
    assert Path(record["run"]).name.startswith("delay-")
    (tmp_path / "delay").write_text('experiment = "coin"\n')
    assert asked_sweep(Path("delay")).experiment == "coin"
    with pytest.raises(
        UserError, match=r"no file and no standard sweep 'delays'.*trilemma"
    ) as told:
        asked_sweep(Path("delays"))
    assert told.value.exit_code == ExitCode.NOT_FOUND
    with pytest.raises(UserError, match="There is no sweep delay"):
        asked_sweep(Path("delay.toml"))


def test_list_shows_what_can_be_run_by_name() -> None:
    record = msgspec.json.decode(CliRunner().invoke(lab, ["list", "--json"]).stdout)
    assert [one["name"] for one in record["sweeps"]] == NAMES
    assert question_of("delay") in CliRunner().invoke(lab, ["list"]).stdout
    assert standard_sweeps(KNOWN) == []
    assert len(standard_sweeps(EXPERIMENTS)) == len(NAMES)


def test_figures_are_made_by_one_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(make_figures, ["profiles", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "profiles.csv").read_bytes() == committed("profiles")
    with pytest.raises(UserError, match="no standard sweep 'delays'"):
        make(["delays"], tmp_path, ThisProcess(), quiet)


def test_a_mix_that_delays_by_another_law_moves_the_figure() -> None:
    sweep = standard_sweep("delay")
    table = msgspec.to_builtins(sweep) | {"replicates": 4}
    table["grid"] = {"layers": [3], "mean_delay_seconds": [0.5]}
    usual = sweep_of(table)
    table["parameters"] = table["parameters"] | {"delay_law": "constant"}
    changed = sweep_of(table)
    (one,) = figure_csvs(usual, ThisProcess(), quiet).values()
    (other,) = figure_csvs(changed, ThisProcess(), quiet).values()
    ours, theirs = read_drawing(one, "one").marks[0], read_drawing(other, "other").marks[0]
    assert ours.y > theirs.y + 3
