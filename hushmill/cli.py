"""The command `hushmill`: a root that imports nothing and loads a package when it is called.

Commands are entry points of the group `hushmill.commands`; their one-line help stands here, so
that `hushmill --help` needs no package at all.
"""

import sys
from importlib.metadata import entry_points

import click

from hushmill import __version__

_SECTIONS: dict[str, dict[str, str]] = {
    "See it run": {
        "demo": "Start a local network, send messages both ways, show what leaks.",
        "testnet": "Keep a local network: up, status, down.",
    },
    "People": {
        "init": "Make your profile.",
        "daemon": "Run your messenger; leave it running.",
        "invite": "Make an invitation for one person.",
        "add": "Accept an invitation.",
        "verify": "Compare safety numbers with a contact.",
        "send": "Send a text or a file.",
        "inbox": "Read what has arrived.",
        "contacts": "List your contacts.",
        "status": "Show connection, queue and network.",
    },
    "Operators": {
        "mix": "Run a mix node: init, check, run, status.",
        "provider": "Run a mailbox provider: init, check, run, status.",
        "authority": "Run a directory authority: init, check, run, status.",
        "directory": "The signed directory: fetch, show, verify, publish.",
    },
    "Measure": {
        "lab": "Measure how anonymous a mix network leaves its people.",
        "bench": "Print figures beside the limit they are measured against.",
    },
}


class LazyCommands(click.Group):
    """Finds commands by entry point and imports nothing before one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in _SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for point in entry_points(group="hushmill.commands", name=cmd_name):
            command = point.load()
            if isinstance(command, click.Command):
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A messenger that hides who talks to whom, when and how much. Not audited yet.",
)
@click.version_option(__version__, prog_name="hushmill")
def root() -> None:
    """The root of all commands."""


def main() -> None:
    """The console script's entry."""
    sys.exit(root())
