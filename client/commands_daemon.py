"""`daemon`: the process that holds a person's store and their link to the network."""

from pathlib import Path

import click

from client.commands_options import chosen_profile, profile_option
from hushmill.runtime import (
    HushmillCommand,
    Output,
    pass_output,
    passphrase_options,
    read_passphrase,
)


@click.command(cls=HushmillCommand)
@profile_option
@passphrase_options
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="What is written to stderr; never who or what.",
)
@click.option("--no-cover", "cover", flag_value=False, default=True, type=bool, hidden=True)
@pass_output
def daemon(
    output: Output,
    folder: Path | None,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
    log_level: str,
    cover: bool,
) -> None:
    """Run your messenger in the foreground, until it is told to stop.

    Prints `ready` once it answers commands. Leave it running: cover traffic and mail flow only
    while it does.
    """
    from client.service import hold_profile, run_daemon
    from hushmill.runtime import configure_logging

    profile = chosen_profile(folder)
    profile.require()
    profile.make_folders()
    with hold_profile(profile):
        passphrase = read_passphrase(passphrase_file, passphrase_fd, is_new=False)
        configure_logging(log_level)
        run_daemon(profile, passphrase, cover=cover)
