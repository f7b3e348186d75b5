"""The keys of an experiment: what they mean, what they may be, and what is wrong with a value.

They are the fields of the experiment's Struct; msgspec knows their types and limits, and this
file says them in a person's words.
"""

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from experiments.lab.outcome import AnyExperiment
from hushmill.errors import ExitCode, UserError

# A key or column ends with its unit; the first that fits counts.
UNITS = {
    "_per_second": "/s",
    "_seconds": "s",
    "_bits": "bits",
    "_nats": "nats",
    "_bytes": "bytes",
    "_share": "share",
    "_fraction": "share",
    "_probability": "probability",
}
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
EXPECTED = re.compile(r"^Expected `([^`]+)`( [<>]=? [^ ,]+)?")
AT = re.compile(r" - at `\$([^`]*)`$")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an experiment, for `hushmill lab list`. `unit` and `limits` may be empty."""

    name: str
    meaning: str
    unit: str
    kind: str
    default: Any
    limits: str


def unit_of(name: str) -> str:
    """The unit that a name ends with, or nothing."""
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def keys_of(experiment: AnyExperiment) -> list[Key]:
    """Every key of the experiment, in its order."""
    defaults = _plain(experiment.parameters())
    described = msgspec.inspect.type_info(experiment.parameters)
    if not isinstance(described, msgspec.inspect.StructType):
        raise TypeError(f"the parameters of {experiment.name} are no Struct")
    return [_key(field, defaults[field.encode_name]) for field in described.fields]


def _key(field: msgspec.inspect.Field, default: object) -> Key:
    kind, meaning = field.type, ""
    while isinstance(kind, msgspec.inspect.Metadata):
        meaning = str((kind.extra_json_schema or {}).get("description", meaning))
        kind = kind.type
    words = type(kind).__name__.removesuffix("Type").lower()
    name = field.encode_name
    return Key(name, meaning, unit_of(name), WORDS.get(words, words), default, _limits(kind))


def _limits(kind: msgspec.inspect.Type) -> str:
    match kind:
        case msgspec.inspect.EnumType(cls=cls):
            return " | ".join(_choices(cls))
        case msgspec.inspect.LiteralType(values=values):
            return " | ".join(str(value) for value in values)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            signs = ((">", kind.gt), (">=", kind.ge), ("<", kind.lt), ("<=", kind.le))
            return ", ".join(f"{sign} {limit:,.10g}" for sign, limit in signs if limit is not None)
        case (
            msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item)
        ):
            while isinstance(item, msgspec.inspect.Metadata):
                item = item.type
            inner = _limits(item)
            return f"each {inner}" if inner else ""
        case _:
            return ""


def _choices(cls: type[Enum]) -> list[str]:
    return [str(member.value) for member in cls]


def checked(experiment: AnyExperiment, name: str, value: object, where: str) -> object:
    """`value` as plain data (numbers, texts, lists), as the key takes it: a whole number that
    stands for a float is one. Raises UserError(USAGE) with a sentence that begins with `where`.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(experiment.parameters)}
    if name not in fields:
        raise UserError(_no_such(where, name, experiment), ExitCode.USAGE)
    if any(isinstance(one, float) and not math.isfinite(one) for one in _leaves(value)):
        raise UserError(f"{where}: expected a finite number, got {shown(value)}.", ExitCode.USAGE)
    kind = fields[name].type
    try:
        return _plain(msgspec.convert(value, kind))
    except msgspec.ValidationError as error:
        wrong = sentence(str(error), where, value, kind)
        raise UserError(wrong, ExitCode.USAGE) from error


def _plain(value: object) -> Any:
    """As JSON and TOML read it: lists for tuples, texts for enums."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _no_such(where: str, name: str, experiment: AnyExperiment) -> str:
    known = [field.encode_name for field in msgspec.structs.fields(experiment.parameters)]
    near = meant(name, known)
    return (
        f"{where}: the experiment {experiment.name} has no such key{near or '.'} "
        f"`hushmill lab list {experiment.name}` shows all."
    )


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing where no name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def sentence(error: str, where: str, value: object, kind: object = None) -> str:
    """msgspec's words on a wrong value, with the key first and what was given last."""
    inside = AT.search(error)
    text, path = AT.sub("", error), inside.group(1) if inside else ""
    for step in re.findall(r"\[(\d+)\]", path):
        value = value[int(step)] if isinstance(value, list | tuple) else value
    where += path
    if text.startswith("Invalid enum value"):
        choices = ", ".join(_choices_of(kind))
        return f"{where}: expected one of {choices}, got {shown(value)}."
    expected = EXPECTED.match(text)
    if expected is None:
        return f"{where}: {text[:1].lower()}{text[1:]}."
    names = [WORDS.get(name, name) for name in expected.group(1).split(" | ")]
    limit = re.sub(r"\.0$", "", expected.group(2) or "")
    return f"{where}: expected {' or '.join(names)}{limit}, got {shown(value)}."


def _choices_of(kind: object) -> list[str]:
    found = msgspec.inspect.type_info(kind)
    while isinstance(found, msgspec.inspect.Metadata):
        found = found.type
    if isinstance(found, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        found = found.item_type
    return _choices(found.cls) if isinstance(found, msgspec.inspect.EnumType) else []


def shown(value: object) -> str:
    """A value as a person would have written it in TOML, cut short."""
    match value:
        case bool():
            text = str(value).lower()
        case str():
            text = f'"{value}"'
        case dict():
            text = "a table"
        case list() | tuple():
            text = "[" + ", ".join(shown(one) for one in value) + "]"
        case _:
            text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _leaves(value: object) -> Iterable[object]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value
