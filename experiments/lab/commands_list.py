"""`hushmill lab list`: the experiments, and what each can be asked."""

from collections.abc import Mapping
from dataclasses import asdict

import click

from experiments.lab.keys import Key, keys_of, shown
from experiments.lab.outcome import AnyExperiment
from experiments.lab.registry import EXPERIMENTS, experiment_named
from experiments.lab.text_table import aligned
from experiments.standard.sweeps import standard_sweeps
from hushmill.runtime import HushmillCommand, Output, pass_output


@click.command("list", cls=HushmillCommand)
@click.argument("name", required=False)
@pass_output
def list_experiments(output: Output, name: str | None) -> None:
    """List the experiments and the sweeps that ship; with NAME, every key of an experiment."""
    known = registry_here()
    if name is not None:
        _show(output, experiment_named(name, known))
        return
    found = [experiment_named(each, known) for each in known]
    records = [
        {"name": one.name, "summary": one.summary, "is_random": one.is_random} for one in found
    ]
    sweeps = standard_sweeps(known)
    lines = aligned([(one.name, one.summary) for one in found])
    hint = "\n\nThe keys of one: hushmill lab list NAME"
    if sweeps:
        questions = aligned([(one.name, one.question) for one in sweeps])
        hint += f"\n\nSweeps that ship, for hushmill lab run NAME:\n\n{questions}"
    record = {"experiments": records, "sweeps": [asdict(one) for one in sweeps]}
    output.result(record, human=lines + hint if lines else "There are none.")


def registry_here() -> Mapping[str, str]:
    """The registry that the caller of the group gave as click's `obj`, or the one that ships."""
    given = click.get_current_context().find_object(dict)
    return EXPERIMENTS if given is None else given


def _show(output: Output, experiment: AnyExperiment) -> None:
    keys = keys_of(experiment)
    record = {
        "experiment": experiment.name,
        "summary": experiment.summary,
        "is_random": experiment.is_random,
        "keys": [_record(key) for key in keys],
    }
    table = [("key", "default", "unit", "limits", "meaning")]
    table += [(key.name, shown(key.default), key.unit, key.limits, key.meaning) for key in keys]
    output.result(record, human=f"{experiment.name}: {experiment.summary}\n\n{aligned(table)}")


def _record(key: Key) -> dict[str, object]:
    return {
        "key": key.name,
        "meaning": key.meaning,
        "unit": key.unit,
        "kind": key.kind,
        "default": key.default,
        "limits": key.limits,
    }
