"""`hushmill authority init|check|run|status`: the operator of a directory authority.

`hushmill directory …` stands in `directory_commands.py`. Twisted and the database are imported by
`run` alone.
"""

from pathlib import Path

import click
import msgspec

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillGroup, Output, configure_logging, now, pass_output
from pki.directory_commands import directory

__all__ = ["authority", "directory"]

_STATUS_AGE_SECONDS = 30.0
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(cls=HushmillGroup)
def authority() -> None:
    """Run a directory authority."""


@authority.command()
@click.argument("folder", type=_FOLDER)
@click.option("--name", required=True, help="Short name, a-z 0-9 and hyphens.")
@click.option("--host", required=True, help="Address or name that others connect to.")
@click.option("--port", required=True, type=click.IntRange(1, 65535))
@click.option("--listen", default=None, help="Local address, if it is not the host.")
@pass_output
def init(output: Output, folder: Path, name: str, host: str, port: int, listen: str | None) -> None:
    """Make keys, settings and the public file to hand out."""
    from pki.authority_folder import PUBLIC_FILE, create_authority

    create_authority(folder, name, host, port, listen)
    public = folder / PUBLIC_FILE
    output.result(
        {"ok": True, "public": str(public)},
        human=f"Made {folder}. Hand out {public} for the network file; keep the rest to yourself.",
    )


@authority.command()
@click.argument("folder", type=_FOLDER)
@pass_output
def check(output: Output, folder: Path) -> None:
    """Check keys, settings and network file."""
    from pki.authority_folder import open_authority

    opened = open_authority(folder)
    output.result(
        {"ok": True, "network": opened.genesis.network, "number": opened.number},
        human=f"Sound: authority {opened.number} of network {opened.genesis.network}.",
    )


@authority.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--log-level",
    default="info",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is written to stderr.",
)
@pass_output
def run(output: Output, folder: Path, log_level: str) -> None:
    """Run until stopped; prints `ready` when it listens."""
    from hushmill.runtime import Reactor, notify_ready, private_umask, run_service
    from pki.authority_folder import open_authority
    from pki.service_authority import AuthorityService

    private_umask()
    configure_logging(log_level)
    opened = open_authority(folder)

    def start(reactor: Reactor) -> None:
        service = AuthorityService(reactor, opened)
        reactor.addSystemEventTrigger("before", "shutdown", service.stop)
        service.start()
        notify_ready()

    run_service(start)


@authority.command()
@click.argument("folder", type=_FOLDER)
@pass_output
def status(output: Output, folder: Path) -> None:
    """Show what the running authority last said of itself."""
    from pki.authority_folder import STATUS_FILE

    try:
        record = msgspec.json.decode((folder / STATUS_FILE).read_bytes(), type=dict[str, object])
    except FileNotFoundError:
        record = {}
    except (msgspec.MsgspecError, OSError) as error:
        raise UserError(
            f"{folder / STATUS_FILE} cannot be read.", ExitCode.CONFIGURATION
        ) from error
    written = record.get("written_at")
    if not isinstance(written, float) or now() - written > _STATUS_AGE_SECONDS:
        raise UserError(
            f"The authority in {folder} is not running. Start it: hushmill authority run {folder}",
            ExitCode.DAEMON_DOWN,
        )
    output.result(
        {"ok": True, **record},
        human=(
            f"Epoch {record['epoch']}: {record['state']} (target {record['target_epoch']}), newest "
            f"document {record['document_epoch']}, {record['descriptors']} descriptors, "
            f"{record['authorities_reached']} of {record['authorities_others']} other authorities "
            "reached."
        ),
    )
