"""`hushmill mix`."""

from pathlib import Path

import click

from hushmill.runtime import (
    HushmillGroup,
    Output,
    acting_as_owner,
    configure_logging,
    pass_output,
)
from mixnode.checks import check_node
from mixnode.commands_backup import backup, restore, rotate
from mixnode.commands_drain import drain
from mixnode.node_directory import (
    PUBLIC_FILE,
    create_node_directory,
    install_network,
    require_directory,
)
from mixnode.status_file import read_status

_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path, file_okay=False))


@click.group(cls=HushmillGroup)
def mix() -> None:
    """Run a mix node.

    init makes its keys and node-public.toml, which goes to the network's authorities; with the
    network file that they publish, init --network completes the directory.
    """


@mix.command()
@_DIRECTORY
@click.option("--number", type=click.IntRange(0, 65534), help="Its permanent number.")
@click.option("--name", help="Its name: small letters, digits and hyphens.")
@click.option("--operator", help="Who runs it; all nodes of one operator are in one layer.")
@click.option("--layer", type=click.IntRange(1, 16), help="Its layer, from 1.")
@click.option("--host", help="Where other nodes reach it.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port for other nodes.")
@click.option("--listen", help="The address of this machine to listen on [default: the host].")
@click.option(
    "--network",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The network file, for a directory that init has made.",
)
@pass_output
def init(
    output: Output,
    directory: Path,
    number: int | None,
    name: str | None,
    operator: str | None,
    layer: int | None,
    host: str | None,
    port: int | None,
    listen: str | None,
    network: Path | None,
) -> None:
    """Make a mix's directory, or give it its network file."""
    given = (number, name, operator, layer, host, port, listen)
    if network is not None:
        if any(value is not None for value in given):
            raise click.UsageError("--network stands alone: the directory has been made before.")
        text = network.read_bytes()
        with acting_as_owner(directory):
            genesis = install_network(directory, text)
        record = {"ok": True, "network": genesis.network}
        output.result(record, f"{directory} belongs to the network {genesis.network} now.")
        return
    if (
        number is None
        or name is None
        or operator is None
        or layer is None
        or host is None
        or port is None
    ):
        raise click.UsageError(
            "Give --number, --name, --operator, --layer, --host and --port; or --network alone."
        )
    entry = create_node_directory(
        directory,
        number=number,
        name=name,
        operator=operator,
        role="mix",
        layer=layer,
        host=host,
        port=port,
        listen=listen,
    )
    public = directory / PUBLIC_FILE
    output.result(
        {"ok": True, "number": entry.number, "public": str(public)},
        f"Made mix {entry.name}. Give {public} to your network's authorities, then run:\n"
        f"  hushmill mix init {directory} --network network.toml",
    )


@mix.command()
@_DIRECTORY
@pass_output
def check(output: Output, directory: Path) -> None:
    """Look for what is wrong before running it."""
    with acting_as_owner(directory):
        checked = check_node(directory, "mix")
    found = checked.directory
    output.result(
        {
            "ok": True,
            "number": found.entry.number,
            "layer": found.entry.layer,
            "network": found.genesis.network,
            "running": checked.is_running,
            "start_seconds": round(checked.start_seconds, 1),
            "disk_needed_bytes": checked.disk_needed_bytes,
        },
        f"Nothing wrong: mix {found.entry.name}, layer {found.entry.layer} of the network "
        f"{found.genesis.network}{', and it is running' if checked.is_running else ''}.\n"
        f"Its replay logs may grow by {checked.disk_needed_bytes // 2**20} MiB, and a start reads "
        f"them in about {checked.start_seconds:.0f} s.",
    )


@mix.command()
@_DIRECTORY
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning"
)
@click.option("--trace", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
def run(directory: Path, log_level: str, trace: Path | None) -> None:
    """Run it until it is told to stop; prints `ready` once it takes part."""
    from mixnode.extension import PlainMix
    from mixnode.service import run_node

    configure_logging(log_level)
    run_node(directory, "mix", lambda _directory: PlainMix(), trace)


@mix.command()
@_DIRECTORY
@pass_output
def status(output: Output, directory: Path) -> None:
    """Show how it is doing; counters are rounded down."""
    require_directory(directory)
    with acting_as_owner(directory):
        found = read_status(directory)
    output.result(found.record(), found.text())


for command in (drain, backup, restore, rotate):
    mix.add_command(command)
