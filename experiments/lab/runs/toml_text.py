"""Canonical TOML: the one text of a table, by which two configurations are compared.

Only what sweeps hold: texts, whole numbers, floats, booleans, lists of these and tables of them.
"""

import json
import math
from collections.abc import Mapping, Sequence


def written(table: Mapping[str, object]) -> str:
    """`table` as TOML that reads back as the same: values first, then tables, then lists of
    tables, each in the order given. Raises TypeError for what TOML has no word for."""
    return "\n".join(_lines(table, ())) + "\n"


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    lines = []
    for key, value in table.items():
        if not _is_table(value) and not _is_tables(value):
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in table.items():
        here = (*path, key)
        title = ".".join(_key(step) for step in here)
        if isinstance(value, Mapping):
            lines += ["", f"[{title}]", *_lines(value, here)]
        elif _is_tables(value) and isinstance(value, Sequence):
            for entry in value:
                lines += ["", f"[[{title}]]", *_lines(entry, here)]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_table, value))


def _key(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else _text(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case str():
            return _text(value)
        case list() | tuple():
            return "[" + ", ".join(_value(one) for one in value) + "]"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")


def _text(text: str) -> str:
    # JSON's escapes are TOML's too, but for DEL, which only TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
