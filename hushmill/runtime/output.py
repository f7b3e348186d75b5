"""How every command speaks: data on stdout, the rest on stderr, `--json` for machines.

    @click.group(cls=HushmillGroup)
    def mix() -> None: ...

    @mix.command()                     # a HushmillCommand: it has --json already
    @click.argument("folder")
    @pass_output                       # the first argument is the Output
    def status(output: Output, folder: str) -> None:
        output.result({"epoch": 12}, human="Epoch 12.")

A command outside a group is `@click.command(cls=HushmillCommand)`. A command prints either one
`result` or any number of `row`s; with --json these are one object or JSON Lines, each with "v": 1.
`note` is for the person and goes to stderr. To fail, raise UserError: its text goes to stderr, its
exit code is the command's, and with --json stdout carries {"v":1,"ok":false,"error":…,"exit":N}.
An interrupt exits with 130, and any other exception is our bug: a short line and exit 1 (with
HUSHMILL_TRACEBACK set, the traceback too). Nothing here imports Twisted.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import msgspec

from hushmill.errors import ExitCode, UserError

OUTPUT_VERSION = 1
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Output:
    """Where a command's words go."""

    __slots__ = ("is_json",)

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json

    def result(self, record: Mapping[str, object], human: str) -> None:
        """The command's one answer: `record` for machines or `human` for people, on stdout."""
        if self.is_json:
            # ASCII only: what a peer wrote must not act on a terminal, in JSON either.
            plain = msgspec.to_builtins({"v": OUTPUT_VERSION, **record})
            click.echo(json.dumps(plain, separators=(",", ":")), color=False)
        else:
            click.echo(human, color=_color())

    def row(self, record: Mapping[str, object], human: str) -> None:
        """One of many answers; written out at once, so that a pipe sees it."""
        self.result(record, human)

    def note(self, text: str) -> None:
        """A word to the person, on stderr."""
        click.echo(text, err=True, color=_color())

    def failure(
        self, text: str, exit_code: int, record: Mapping[str, object] | None = None
    ) -> None:
        """Why the command did not do what it was asked, and what there is to know all the same."""
        self.note(text)
        if self.is_json:
            known = dict(record or {})
            self.result({**known, "ok": False, "error": text, "exit": exit_code}, human="")


def _color() -> bool | None:
    """None lets click decide by whether the stream is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


class HushmillCommand(click.Command):
    """A command with --json and the project's exit codes."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # click's own signature
        super().__init__(*arguments, **settings)
        json_option = click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_keep_json,
            is_eager=True,
            help="Print JSON for machines.",
        )
        self.params.append(json_option)

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        """As click does; an error of usage is told to machines as well."""
        words = list(arguments[1] if len(arguments) > 1 else settings["args"])
        try:
            return super().make_context(*arguments, **settings)
        except click.UsageError as error:
            if "--json" in words:
                record = {"ok": False, "error": error.format_message(), "exit": ExitCode.USAGE}
                Output(is_json=True).result(record, human="")
            raise

    def invoke(self, ctx: click.Context) -> Any:
        output = _output(ctx)
        try:
            return super().invoke(ctx)
        except UserError as error:
            output.failure(str(error), error.exit_code, error.record)
            ctx.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            output.failure("Interrupted.", ExitCode.INTERRUPTED)
            ctx.exit(ExitCode.INTERRUPTED)
        except click.UsageError as error:
            if output.is_json:
                record = {"ok": False, "error": error.format_message(), "exit": error.exit_code}
                output.result(record, human="")
            raise
        except (click.exceptions.Exit, click.ClickException, BrokenPipeError):
            raise
        except OSError as error:
            exit_code = _OS_EXITS.get(type(error), ExitCode.CONFIGURATION)
            what = error.filename or "Something that this needs"
            output.failure(f"{what} cannot be used: {error.strerror or error}.", exit_code)
            ctx.exit(exit_code)
        except Exception as error:
            if os.environ.get("HUSHMILL_TRACEBACK"):
                traceback.print_exc(file=sys.stderr)
            text = f"hushmill made a mistake ({type(error).__name__}). Please report it as a bug."
            output.failure(text, ExitCode.BUG)
            ctx.exit(ExitCode.BUG)


# What the machine refused, where no command has said it better.
_OS_EXITS: dict[type[OSError], ExitCode] = {
    FileNotFoundError: ExitCode.NOT_FOUND,
    PermissionError: ExitCode.PERMISSION,
}


class HushmillGroup(click.Group):
    """A group whose commands are HushmillCommands."""

    command_class = HushmillCommand
    group_class = type


_JSON_KEY = "hushmill.json"


def _keep_json(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.meta[_JSON_KEY] = value


def _output(ctx: click.Context) -> Output:
    return Output(is_json=bool(ctx.meta.get(_JSON_KEY)))


def pass_output(
    command: Callable[Concatenate[Output, Parameters], Result],
) -> Callable[Parameters, Result]:
    """Gives a command its Output as the first argument."""

    def called(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        return command(_output(click.get_current_context()), *arguments, **options)

    return update_wrapper(called, command)
