"""`invite`, `add`, `contacts` and `verify`: how people meet."""

import sys
from pathlib import Path

import click

from client.commands_options import connect, profile_option
from client.rpc import JsonObject
from client.views import contact_rows, grouped, shown, table
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, Output, local_time, pass_output

INVITATION_FILE_LIMIT = 64 * 1024  # bytes of text in which an invitation is looked for


@click.command(cls=HushmillCommand)
@click.argument("name", required=False)
@click.option("--qr", is_flag=True, help="Show the invitation as a QR code too.")
@profile_option
@pass_output
def invite(output: Output, name: str | None, qr: bool, folder: Path | None) -> None:
    """Make an invitation for one person, whom you will call NAME.

    Give the text to that person alone, over a channel that you trust: whoever has it can answer in
    their place. It works once, for seven days.
    """
    with connect(folder) as daemon:
        answer = daemon.call("invite", {"name": name})
    name = str(answer["name"])
    lines = [str(answer["link"])]
    if qr and not output.is_json:
        from client.qr_code import invitation_qr

        lines.append(invitation_qr(str(answer["text"])))
    output.result(answer, human="\n".join(lines))
    until = local_time(float(str(answer["expires"])))
    output.note(
        f"Give this line to {shown(name)} alone, over a channel that you trust. "
        f"It works once, until {until}. They run: hushmill add YOUR-NAME INVITATION"
    )


@click.command(cls=HushmillCommand)
@click.argument("name")
@click.argument("invitation", required=False)
@click.option(
    "--file",
    "source",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the invitation from FILE.",
)
@profile_option
@pass_output
def add(
    output: Output, name: str, invitation: str | None, source: Path | None, folder: Path | None
) -> None:
    """Accept the INVITATION of a person, whom you will call NAME.

    INVITATION is the text or the link; `-` reads it from standard input.
    """
    if (invitation is None) == (source is None):
        raise click.UsageError("Give the invitation as an argument, as - or with --file.")
    text = _read_invitation(source) if source else _typed_invitation(invitation or "")
    with connect(folder) as daemon:
        answer = daemon.call("add", {"name": name, "invitation": text})
    output.result(answer, human=f"{shown(name)} is added.")
    output.note(
        f"You can write at once: hushmill send {shown(name)} TEXT. It leaves when the two of you "
        f"have met. Then compare numbers: hushmill verify {shown(name)}"
    )


def _typed_invitation(argument: str) -> str:
    """The argument itself, or what stands on standard input (`-`)."""
    if argument != "-":
        return argument
    return sys.stdin.buffer.read(INVITATION_FILE_LIMIT).decode("utf-8", "replace")


def _read_invitation(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(INVITATION_FILE_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        raise UserError(
            f"The invitation cannot be read from {path}: {error.strerror}.", ExitCode.NOT_FOUND
        ) from error


@click.command(cls=HushmillCommand)
@profile_option
@pass_output
def contacts(output: Output, folder: Path | None) -> None:
    """List your contacts, and where each of them stands."""
    with connect(folder) as daemon:
        answer = daemon.call("contacts")
    rows = contact_rows(answer["contacts"])
    if not rows and not output.is_json:
        output.note("You have no contacts yet. Invite somebody: hushmill invite NAME")
        return
    output.result(answer, human="\n".join(table(("NAME", "STATE", "VERIFIED"), rows)))


@click.command(cls=HushmillCommand)
@click.argument("contact")
@click.option("--confirm", is_flag=True, help="The numbers are the same: mark them as compared.")
@click.option("--qr", is_flag=True, help="Show the number as a QR code too.")
@profile_option
@pass_output
def verify(output: Output, contact: str, confirm: bool, qr: bool, folder: Path | None) -> None:
    """Show the safety number that you share with CONTACT.

    Compare it in person or over a call. If theirs is the same, nobody stands between you: say so
    with --confirm.
    """
    params: JsonObject = {"contact": contact, "confirm": confirm}
    with connect(folder) as daemon:
        answer = daemon.call("verify", params)
    number = str(answer["number"])
    lines = grouped(number)
    if qr and not output.is_json:
        from client.qr_code import invitation_qr

        lines.append(invitation_qr(number))
    output.result(answer, human="\n".join(lines))
    if answer["verified"]:
        output.note(f"{shown(contact)} is verified.")
    else:
        output.note(
            f"Is it the same at {shown(contact)}'s? Then: hushmill verify {shown(contact)} "
            "--confirm. If not, somebody may stand between you: do not write."
        )
