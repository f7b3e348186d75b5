"""`send` and `inbox`: what people say to each other."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from client.commands_options import connect, profile_option
from client.rpc import JsonObject
from client.rpc_client import DaemonConnection
from client.saving import save_file
from client.views import STALE, message_text, objects, sent_text
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, Output, local_time, pass_output

CONTENT_LIMIT = 2 * 1024 * 1024  # bytes; what `client.content` allows a file, and not imported
FOLLOW_SECONDS = 30.0
INBOX_PAGE = 8  # messages in one answer: so many of the longest fit its line


@click.command(cls=HushmillCommand)
@click.argument("contact")
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--file",
    "attachment",
    metavar="PATH",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Send this file.",
)
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(0, 86400),
    help="Wait so long for the message to be delivered; exit 9 if it was not.",
)
@profile_option
@pass_output
def send(
    output: Output,
    contact: str,
    words: tuple[str, ...],
    attachment: Path | None,
    wait: float | None,
    folder: Path | None,
) -> None:
    """Send TEXT, or a file, to CONTACT.

    TEXT `-` reads standard input; words that begin with a dash go behind ` -- `. The message is
    safe in your daemon's store when the command returns; it leaves whenever there is a network.
    """
    params: JsonObject = {"contact": contact}
    if attachment is not None and words:
        raise click.UsageError("Give a text or --file PATH, not both: they are two messages.")
    if attachment is not None:
        name = attachment.name.encode("utf-8", "replace").decode()
        params["file"] = {"name": name, "data": _base64(_file_bytes(attachment))}
    else:
        params["text"] = _text(words)
    with connect(folder) as daemon:
        sent = daemon.call("send", params)
        if wait is not None:
            _wait(daemon, sent, wait)
    output.result(sent, human=f"{sent['state']} ({sent['id']})")


def _wait(daemon: DaemonConnection, sent: JsonObject, seconds: float) -> None:
    """Brings `sent` up to date once it is delivered. Raises UserError: 9 if it was not in time, 5
    if that is for want of a directory of the network."""
    sent |= daemon.call("wait", {"id": sent["id"], "seconds": seconds}, seconds=seconds)
    if sent["state"] == "delivered":
        return
    status = daemon.call("status")
    if status["document_stale"] and status["document_epoch"] is not None:
        raise UserError(f"Not delivered. {STALE}", ExitCode.NO_CONSENSUS, sent)
    raise UserError(
        f"Not delivered within {seconds:g} s. The message is kept ({sent['state']}) and goes on by "
        "itself; see it with: hushmill inbox --sent",
        ExitCode.TIMEOUT,
        sent,
    )


def _text(words: tuple[str, ...]) -> str:
    """The words, or what stands on standard input (`-`), without the newline that ends it."""
    text = _standard_input().removesuffix("\n") if words == ("-",) else " ".join(words)
    if not text:
        raise click.UsageError("There is nothing to send: give a text, - or --file PATH.")
    return text


def _file_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(CONTENT_LIMIT + 1)
    except OSError as error:
        raise UserError(
            f"The file {path} cannot be read: {error.strerror}.", ExitCode.NOT_FOUND
        ) from error
    return _bounded(data)


def _standard_input() -> str:
    data = _bounded(sys.stdin.buffer.read(CONTENT_LIMIT + 1))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            "Standard input is not UTF-8 text. Send it as a file: --file PATH", ExitCode.USAGE
        ) from error


def _bounded(data: bytes) -> bytes:
    if len(data) > CONTENT_LIMIT:
        raise UserError(
            f"That is more than {CONTENT_LIMIT} bytes, the most that one message holds. "
            "Cut it into parts.",
            ExitCode.USAGE,
        )
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@click.command(cls=HushmillCommand)
@click.option("--follow", is_flag=True, help="Go on showing what arrives, until interrupted.")
@click.option("--contact", metavar="NAME", help="Only what this contact sent.")
@click.option(
    "--after", metavar="ORDER", type=click.IntRange(0), default=0, help="Only later than ORDER."
)
@click.option(
    "--save",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write received files into DIR; nothing there is replaced.",
)
@click.option(
    "--sent", "own", is_flag=True, help="Show your own newest messages, and how far each is."
)
@profile_option
@pass_output
def inbox(
    output: Output,
    own: bool,
    follow: bool,
    contact: str | None,
    after: int,
    save: Path | None,
    folder: Path | None,
) -> None:
    """Show what has arrived, in its order."""
    if own and (follow or after or save is not None):
        raise click.UsageError("--sent goes with --contact alone.")
    with connect(folder) as daemon:
        if own:
            for message in objects(daemon.call("sent", {"contact": contact})["messages"]):
                sent_at = local_time(float(str(message["sent_at"])))
                output.row(message, human=sent_text(message, sent_at))
            return
        for message in _arrivals(daemon, contact, after, follow):
            if save is not None and message["kind"] == "file":
                held = daemon.call("attachment", {"id": message["id"]})
                data = base64.b64decode(str(held["data"]))
                message["saved"] = str(save_file(save, str(message["file_name"]), data))
            sent_at = local_time(float(str(message["sent_at"])))
            output.row(message, human=message_text(message, sent_at))


def _arrivals(
    daemon: DaemonConnection, contact: str | None, after: int, follow: bool
) -> Iterator[JsonObject]:
    """Received messages in their order; with `follow`, without an end."""
    while True:
        seconds = FOLLOW_SECONDS if follow else 0.0
        params: JsonObject = {"after": after, "seconds": seconds, "limit": INBOX_PAGE}
        answer = daemon.call("inbox", params | {"contact": contact}, seconds=seconds)
        messages = objects(answer["messages"])
        for message in messages:
            after = max(after, int(str(message["order"])))
            yield message
        if not messages and not follow:
            return
