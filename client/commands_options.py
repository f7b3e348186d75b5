"""What several of a person's commands share: the profile and its daemon."""

import os
from pathlib import Path

import click

from client.profile import PRIVATE_UMASK, PROFILE_VARIABLE, Profile, find_profile
from client.rpc_client import DaemonConnection

profile_option = click.option(
    "--profile",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"The profile's folder (else {PROFILE_VARIABLE}, else the usual place).",
)


def chosen_profile(folder: Path | None) -> Profile:
    """The profile of this command. From here on, whatever is written is its user's alone."""
    os.umask(PRIVATE_UMASK)
    return find_profile(folder, os.environ)


def connect(folder: Path | None) -> DaemonConnection:
    """A connection to the profile's daemon. Raises UserError (3, 4, 10)."""
    return DaemonConnection(chosen_profile(folder))
