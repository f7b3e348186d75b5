"""What commands print, where, and with which exit code."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillGroup, Output, pass_output


@click.group(cls=HushmillGroup)
def tool() -> None:
    """Commands that end in every way."""


@tool.command()
@click.argument("name")
@pass_output
def greet(output: Output, name: str) -> None:
    output.note("thinking")
    output.result({"greeting": f"hello {name}"}, human=f"Hello, {name}!")


@tool.command()
@pass_output
def count(output: Output) -> None:
    for number in range(2):
        output.row({"number": number}, human=f"number {number}")


@tool.command()
@click.argument("how")
def fail(how: str) -> None:
    raise {
        "user": UserError("Start the daemon first.", ExitCode.DAEMON_DOWN),
        "interrupt": KeyboardInterrupt(),
        "abort": click.Abort(),
        "missing": FileNotFoundError(2, "No such file", "/none"),
        "forbidden": PermissionError(13, "Not yours", "/shut"),
        "disk": OSError(28, "No space left"),
        "bug": ZeroDivisionError("secret detail"),
        "usage": click.BadParameter("no such way"),
    }[how]


def run(*words: str) -> Result:
    return CliRunner().invoke(tool, words)


def test_prints_data_on_stdout_and_the_rest_on_stderr() -> None:
    result = run("greet", "Ann")
    assert (result.stdout, result.stderr, result.exit_code) == ("Hello, Ann!\n", "thinking\n", 0)


def test_prints_one_versioned_object_for_machines() -> None:
    result = run("greet", "--json", "Ann")
    assert json.loads(result.stdout) == {"v": 1, "greeting": "hello Ann"}
    assert result.stderr == "thinking\n"


def test_json_holds_no_character_that_acts_on_a_terminal() -> None:
    name = "A\u009b2J\u202e\U0001f600"
    result = run("greet", "--json", name)
    assert result.stdout.isascii()
    assert json.loads(result.stdout)["greeting"] == f"hello {name}"


def test_prints_json_lines_for_many() -> None:
    lines = run("count", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"v": 1, "number": 0}, {"v": 1, "number": 1}]
    assert run("count").stdout == "number 0\nnumber 1\n"


@pytest.mark.parametrize(
    ("how", "exit_code", "says"),
    [
        ("user", 4, "Start the daemon first."),
        ("interrupt", 130, "Interrupted."),
        ("abort", 130, "Interrupted."),
        ("missing", 7, "/none cannot be used: No such file."),
        ("forbidden", 10, "/shut cannot be used: Not yours."),
        ("disk", 3, "Something that this needs cannot be used: No space left."),
        ("bug", 1, "hushmill made a mistake (ZeroDivisionError). Please report it as a bug."),
    ],
)
def test_says_why_it_failed(how: str, exit_code: int, says: str) -> None:
    result = run("fail", how)
    assert (result.stdout, result.stderr, result.exit_code) == ("", says + "\n", exit_code)
    result = run("fail", "--json", how)
    assert json.loads(result.stdout) == {"v": 1, "ok": False, "error": says, "exit": exit_code}
    assert (result.stderr, result.exit_code) == (says + "\n", exit_code)


@pytest.mark.parametrize("words", [["fail", "usage"], ["greet"], ["greet", "a", "b"]])
def test_tells_machines_of_a_usage_error_too(words: list[str]) -> None:
    plain = run(*words)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert "Usage:" in plain.stderr
    result = run(*words, "--json")
    record = json.loads(result.stdout)
    assert (record["v"], record["ok"], record["exit"], result.exit_code) == (1, False, 2, 2)
    assert record["error"]


def test_shows_a_traceback_only_to_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "secret detail" not in run("fail", "bug").stderr
    monkeypatch.setenv("HUSHMILL_TRACEBACK", "1")
    assert "secret detail" in run("fail", "bug").stderr


def test_prints_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    @tool.command()
    @pass_output
    def paint(output: Output) -> None:
        output.result({}, human=click.style("red", fg="red"))

    assert CliRunner().invoke(tool, ["paint"], color=True).stdout == "red\n"
    monkeypatch.delenv("NO_COLOR")
    assert CliRunner().invoke(tool, ["paint"], color=True).stdout == "\x1b[31mred\x1b[0m\n"


def test_is_loaded_without_twisted_or_cryptography() -> None:
    program = (
        "import sys; from hushmill.runtime import HushmillCommand, Output, load_configuration, now;"
        "print([name for name in ('twisted', 'cryptography', 'OpenSSL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_exports_every_name_that_it_lists() -> None:
    import hushmill.runtime

    for name in hushmill.runtime.__all__:
        assert getattr(hushmill.runtime, name) is not None
    assert not hasattr(hushmill.runtime, "no_such_name")
