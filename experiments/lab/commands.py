"""`hushmill lab`: a group that imports nothing of a command before it is called.

numba, matplotlib and Dask take seconds to import; `hushmill lab --help` and a mistyped command
need none of them.
"""

import importlib
import importlib.util
import os

import click

from hushmill.runtime import HushmillGroup

# Before numpy is loaded: on matrices of an experiment's size, threads of the linear algebra cost
# many times the time that they save, and their number would show in the last bits of a sum.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Name → where it is, and its line of help. A command whose module is not there is not offered.
COMMANDS: dict[str, tuple[str, str]] = {
    "list": (
        "experiments.lab.commands_list:list_experiments",
        "List the experiments, or the keys of one.",
    ),
    "run": ("experiments.lab.commands_run:run", "Run an experiment or a sweep; resumable."),
    "reproduce": (
        "experiments.lab.commands_reproduce:reproduce",
        "Check published figures, from fresh seeds.",
    ),
    "compare": (
        "experiments.lab.commands_views:compare",
        "Show in what two runs, or the arms of one, differ.",
    ),
    "plot": ("experiments.lab.commands_views:plot", "Draw a run's figures."),
    "report": ("experiments.lab.commands_views:report", "Write a run as one page."),
    "profile": (
        "experiments.lab.commands_profile:profile",
        "Say what a network gives against whom.",
    ),
}


class _Lab(HushmillGroup):
    """Knows its commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        modules = {name: where.partition(":")[0] for name, (where, _) in COMMANDS.items()}
        return [name for name in COMMANDS if importlib.util.find_spec(modules[name])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_Lab)
def lab() -> None:
    """Measure how anonymous a mix network leaves its people."""
