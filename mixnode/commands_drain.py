"""`hushmill mix drain`."""

from pathlib import Path

import click

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, Output, acting_as_owner, pass_output
from mixnode.node_directory import require_directory
from mixnode.node_lock import RunningNode
from mixnode.status_file import NodeStatus, last_status

PROGRESS_SECONDS = 2.0
PATIENCE_SECONDS = 60.0  # 30 s for what is held, and then its links and its disk


@click.command(cls=HushmillCommand)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@pass_output
def drain(output: Output, directory: Path) -> None:
    """End a running node in order, and wait for it.

    It takes nothing new; what it holds leaves when it is due, for 30 s at most. Ctrl-C ends the
    waiting alone.
    """
    require_directory(directory)
    with acting_as_owner(directory):
        status = _ended(output, directory)
    output.result(status.record(), f"The node has ended.\n{status.text()}")


def _ended(output: Output, directory: Path) -> NodeStatus:
    """Its last status, once it has ended."""
    node = RunningNode(directory)
    try:
        node.terminate()
        output.note("Draining: it takes nothing new, and what it holds leaves when it is due.")
        waited = 0.0
        while not node.has_ended(PROGRESS_SECONDS):
            waited += PROGRESS_SECONDS
            if waited >= PATIENCE_SECONDS:
                raise UserError(
                    f"The node has been told to end and still runs after {waited:.0f} s. See its "
                    "log; to end it at once, send it a second SIGTERM.",
                    ExitCode.TIMEOUT,
                )
            output.note(f"Draining, {waited:.0f} s: {_progress(last_status(directory))}")
    finally:
        node.close()
    status = last_status(directory)
    if status is None or status.state != "ended":
        raise UserError(
            "The node has ended, but not in order: what it held is lost and was not counted. Its "
            "log says why.",
            ExitCode.DAEMON_DOWN,
        )
    return status


def _progress(status: NodeStatus | None) -> str:
    if status is None:
        return "no status"
    return f"{status.state}, {status.links_up} of {status.links_wanted} links up"
