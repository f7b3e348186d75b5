"""The sweeps that ship, by name: `hushmill lab run delay` runs `delay.toml` of this folder.

Each file begins with a comment `# Question: …?` that says what is asked.
Results and what they mean: experiments/README.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from experiments.lab.runs.sweep import Sweep, read_sweep
from hushmill.errors import ExitCode, UserError

PACKAGE = "experiments.standard"
SUFFIX = ".toml"
QUESTION = "Question: "


@dataclass(frozen=True, slots=True)
class StandardSweep:
    """A sweep that ships. `question` ends with its question mark."""

    name: str
    experiment: str
    question: str


def standard_names() -> list[str]:
    """The names of all, sorted."""
    names = [entry.name for entry in files(PACKAGE).iterdir()]
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


def standard_sweep(name: str, settings: Sequence[str] = ()) -> Sweep:
    """The sweep of that name, with `settings` as `read_sweep` takes them. Raises
    UserError(NOT_FOUND) that names the ones there are, and as `read_sweep` does."""
    _require(name)
    with as_file(files(PACKAGE) / f"{name}{SUFFIX}") as path:
        return read_sweep(path, settings)


def standard_sweeps(known: Mapping[str, str]) -> list[StandardSweep]:
    """What there is to run of the experiments in the registry `known`."""
    found = [
        StandardSweep(name, standard_sweep(name).experiment, question_of(name))
        for name in standard_names()
    ]
    return [one for one in found if one.experiment in known]


def question_of(name: str) -> str:
    """What the sweep's first comment asks, in one line: up to its first question mark."""
    _require(name)
    lines = (files(PACKAGE) / f"{name}{SUFFIX}").read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.removeprefix("#").strip() for line in _comment(lines))
    if not comment.startswith(QUESTION) or "?" not in comment:
        raise ValueError(f"{name}{SUFFIX} does not begin with `# {QUESTION}…?`")
    return comment.removeprefix(QUESTION).partition("?")[0] + "?"


def asked_sweep(given: Path | None, settings: Sequence[str] = ()) -> Sweep:
    """The sweep in the file `given`; where there is no such file and it is a bare name, the one
    that ships under it. Raises UserError as `read_sweep` and `standard_sweep` do."""
    is_bare = given is not None and given.name == str(given) and not given.suffix
    if given is not None and is_bare and not given.is_file():
        return standard_sweep(given.name, settings)
    return read_sweep(given, settings)


def _require(name: str) -> None:
    names = standard_names()
    if name not in names:
        text = f"There is no file and no standard sweep {name!r}. There are: {', '.join(names)}."
        raise UserError(text, ExitCode.NOT_FOUND)


def _comment(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("#"):
            return
        yield line
