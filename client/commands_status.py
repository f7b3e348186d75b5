"""`status`: whether this client is connected, what waits, and what its cover costs."""

from pathlib import Path

import click

from client.commands_options import connect, profile_option
from client.views import STALE, status_lines
from hushmill.errors import ExitCode
from hushmill.runtime import HushmillCommand, Output, pass_output


@click.command(cls=HushmillCommand)
@profile_option
@pass_output
def status(output: Output, folder: Path | None) -> None:
    """Show connection, queue and network; exit 5 while the directory is out of date."""
    with connect(folder) as daemon:
        answer = daemon.call("status")
    output.result(answer, human="\n".join(status_lines(answer)))
    if answer["document_stale"] and answer["document_epoch"] is not None:
        output.note(STALE)
        click.get_current_context().exit(ExitCode.NO_CONSENSUS)
