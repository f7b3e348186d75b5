"""A canary put everywhere in a log call but in a listed field never reaches the log."""

import ast
import io
import logging
from pathlib import Path

import pytest

from hushmill.runtime import FieldFormatter
from hushmill.runtime.logs import ALLOWED_FIELDS

CANARY = "canary-9f0c"
ROOT = Path(__file__).parents[2]
PRODUCT = ("hushmill", "mixnode", "provider", "client", "pki")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def logged(record: logging.LogRecord) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FieldFormatter())
    handler.handle(record)
    return stream.getvalue()


def test_writes_the_listed_fields_alone() -> None:
    logger = logging.Logger("hushmill.test", logging.DEBUG)
    record = logger.makeRecord(
        "hushmill.test",
        logging.WARNING,
        "file",
        1,
        "dropped %s",
        (CANARY,),
        None,
        extra={"reason": "frame", "count": 3, "inbox": CANARY, "peer": CANARY},
    )
    line = logged(record)
    assert line.endswith(" WARNING hushmill.test: dropped %s count=3 reason=frame\n")
    assert CANARY not in line


def test_writes_an_exceptions_type_and_place_but_not_its_text() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "file", 1, "failed", (), info)
    text = logged(record)
    assert "exception=ValueError" in text
    assert "test_writes_an_exceptions_type" in text
    assert CANARY not in text


def log_calls(source: str) -> list[ast.Call]:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [
        call
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "_log"
    ]


def fault_of(call: ast.Call) -> str | None:
    """Why the call would say less than its author thought, or more than it may."""
    if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
        return "its message is not one constant"
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            names = [key.value for key in keyword.value.keys if isinstance(key, ast.Constant)]
            if len(names) != len(keyword.value.keys) or not set(names) <= set(ALLOWED_FIELDS):
                return "a field is not listed"
        elif keyword.arg != "exc_info":
            return "what it adds cannot be told"
    return None


@pytest.mark.parametrize("package", PRODUCT)
def test_every_call_gives_a_constant_and_listed_fields(package: str) -> None:
    calls = 0
    for path in sorted((ROOT / package).rglob("*.py")):
        for call in log_calls(path.read_text(encoding="utf-8")):
            calls += 1
            assert (fault := fault_of(call)) is None, f"{path}:{call.lineno} {fault}"
    assert calls > 0


@pytest.mark.parametrize(
    "call",
    [
        '_log.info("from %s", peer)',
        '_log.info(f"from {peer}")',
        '_log.info("came", extra={"peer": peer})',
        '_log.info("came", extra=fields)',
        '_log.info("came", extra={**fields})',
    ],
)
def test_sees_a_call_that_says_more(call: str) -> None:
    assert [fault_of(found) for found in log_calls(call)] != [None]
