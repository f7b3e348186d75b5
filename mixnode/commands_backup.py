"""`hushmill mix backup|restore|rotate`."""

from pathlib import Path

import click

from hushmill.runtime import (
    HushmillCommand,
    Output,
    SystemRandomness,
    acting_as_owner,
    now,
    pass_output,
    passphrase_options,
    read_passphrase,
)
from mixnode.backup import (
    collect_backup,
    open_backup,
    read_backup,
    restore_backup,
    seal_backup,
    write_backup,
)
from mixnode.rotation import rotate_keys

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=HushmillCommand)
@click.argument("directory", type=_FOLDER)
@click.argument("file", type=_FILE)
@passphrase_options
@pass_output
def backup(
    output: Output,
    directory: Path,
    file: Path,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Keep what makes the node itself in FILE, under a passphrase.

    Its signing and link keys, settings, network file and what it knows of the directory; never
    packet keys nor replay logs, with which a copy could forward packets again.
    """
    with acting_as_owner(directory):
        collected = collect_backup(directory, "mix")
    passphrase = read_passphrase(passphrase_file, passphrase_fd, is_new=True)
    write_backup(file, seal_backup(collected, passphrase, SystemRandomness()))
    output.result(
        {"ok": True, "file": str(file)},
        f"Kept in {file}. Nobody can open it without the passphrase, you included.",
    )


@click.command(cls=HushmillCommand)
@click.argument("file", type=_FILE)
@click.argument("directory", type=_FOLDER)
@passphrase_options
@pass_output
def restore(
    output: Output,
    file: Path,
    directory: Path,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Make the node's directory again from FILE.

    The node that the backup was made of must never run again: two with one name would each see
    half of what the other must refuse.
    """
    data = read_backup(file)
    passphrase = read_passphrase(passphrase_file, passphrase_fd, is_new=False)
    restored = open_backup(data, passphrase)
    restore_backup(restored, directory)
    output.result(
        {"ok": True, "directory": str(directory)},
        f"{directory} is the node again. Never run the old copy beside it. It makes fresh packet "
        "keys when it starts, and carries packets once a document has them: in one to two epochs.",
    )


@click.command(cls=HushmillCommand)
@click.argument("directory", type=_FOLDER)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_output
def rotate(output: Output, directory: Path, yes: bool) -> None:
    """Destroy the packet keys of a stopped node, with their logs, and make fresh ones.

    For keys that somebody may have seen. Packets made for the old keys are lost, and the node
    carries none until a document has the fresh ones. Its signing and link keys stay: the network's
    genesis names them, and a node whose signing key was seen needs a new entry there.
    """
    if not yes:
        click.confirm("Packets under the old keys are lost. Destroy them?", abort=True, err=True)
    with acting_as_owner(directory):
        count = rotate_keys(directory, "mix", now())
    output.result(
        {"ok": True, "destroyed": count},
        f"{count} packet keys are destroyed, and fresh ones made. Start the node: it publishes "
        "them, and carries packets once a document has them, in one to two epochs.",
    )
