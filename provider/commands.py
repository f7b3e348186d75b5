"""`hushmill provider init|check|run|status`."""

from pathlib import Path

import click

from hushmill.runtime import HushmillGroup, Output, configure_logging, pass_output

_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path, file_okay=False))


@click.group(cls=HushmillGroup)
def provider() -> None:
    """Run a provider: a node with mailboxes, entry and mailbox of its clients.

    init makes its keys and node-public.toml, which goes to the network's authorities; with the
    network file that they publish, init --network completes the directory.
    """


@provider.command()
@_DIRECTORY
@click.option("--number", type=click.IntRange(0, 65534), help="Its permanent number.")
@click.option("--name", help="Its name: small letters, digits and hyphens.")
@click.option("--operator", help="Who runs it.")
@click.option("--host", help="Where nodes and clients reach it.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port for other nodes.")
@click.option("--client-port", type=click.IntRange(1, 65535), help="The port for clients.")
@click.option("--listen", help="The address of this machine to listen on [default: the host].")
@click.option("--with-code", is_flag=True, hidden=True)  # no client can show a code yet
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
    host: str | None,
    port: int | None,
    client_port: int | None,
    listen: str | None,
    with_code: bool,
    network: Path | None,
) -> None:
    """Make a provider's directory, or give it its network file."""
    from hushmill.runtime import SystemRandomness
    from mixnode import PUBLIC_FILE, install_network
    from provider.provider_directory import CODE_BYTES, SETTINGS_FILE, create_provider_directory

    given = (number, name, operator, host, port, client_port, listen)
    if network is not None:
        if with_code or any(value is not None for value in given):
            raise click.UsageError("--network stands alone: the directory has been made before.")
        genesis = install_network(directory, network.read_bytes())
        record = {"ok": True, "network": genesis.network}
        output.result(record, f"{directory} belongs to the network {genesis.network} now.")
        return
    if (
        number is None
        or name is None
        or operator is None
        or host is None
        or port is None
        or client_port is None
    ):
        raise click.UsageError(
            "Give --number, --name, --operator, --host, --port and --client-port; or --network "
            "alone."
        )
    entry = create_provider_directory(
        directory,
        number=number,
        name=name,
        operator=operator,
        host=host,
        port=port,
        client_port=client_port,
        listen=listen,
        code=SystemRandomness().take(CODE_BYTES) if with_code else None,
    )
    public = directory / PUBLIC_FILE
    code = f" The code for new accounts is in {directory / SETTINGS_FILE}." if with_code else ""
    output.result(
        {"ok": True, "number": entry.number, "public": str(public)},
        f"Made provider {entry.name}.{code} Give {public} to your network's authorities, then run:"
        f"\n  hushmill provider init {directory} --network network.toml",
    )


@provider.command()
@_DIRECTORY
@pass_output
def check(output: Output, directory: Path) -> None:
    """Look for what is wrong before running it; reads all mailboxes unless it is running."""
    from provider.provider_directory import check_provider

    found = check_provider(directory)
    output.result(
        {"ok": True, "number": found.entry.number, "network": found.genesis.network},
        f"Nothing wrong: provider {found.entry.name} of the network {found.genesis.network}.",
    )


@provider.command()
@_DIRECTORY
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning"
)
@click.option("--trace", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
def run(directory: Path, log_level: str, trace: Path | None) -> None:
    """Run it until it is told to stop; prints `ready` once clients can connect."""
    from provider.service import run_provider

    configure_logging(log_level)
    run_provider(directory, trace)


@provider.command()
@_DIRECTORY
@pass_output
def status(output: Output, directory: Path) -> None:
    """Show how it is doing; figures are rounded down."""
    from mixnode import read_status
    from provider.status_file import read_mailbox_status

    node = read_status(directory)
    mailboxes = read_mailbox_status(directory)
    record, text = node.record(), node.text()
    if mailboxes is not None:
        record["mailboxes"] = mailboxes.record()
        text = f"{text}\n{mailboxes.text()}"
    output.result(record, text)
