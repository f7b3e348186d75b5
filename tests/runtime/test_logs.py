"""A canary put everywhere in a log call but in a listed field never reaches the log."""

import io
import logging

from hushmill.runtime import FieldFormatter

CANARY = "canary-9f0c"


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
