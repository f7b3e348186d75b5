"""Rows from a query, one or none."""

from typing import Any

import apsw


def one_row(
    connection: apsw.Connection, statement: str, bindings: tuple[Any, ...] = ()
) -> tuple[Any, ...] | None:
    """The first row, the rest not read."""
    for row in connection.execute(statement, bindings):
        return tuple(row)
    return None
