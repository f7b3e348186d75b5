"""What a person reads: lines of text from the daemon's records, with nothing a peer can forge.

Names, messages and file names come from other people. `shown` makes control characters, text
direction marks and invisible characters visible, so that no peer can clear a screen, turn a line
around or imitate our own output. Light: only the standard library.
"""

import unicodedata
from collections.abc import Iterable, Iterator

# Joiners that real scripts and emoji need; they cannot reorder or hide a line.
_KEPT_FORMATS = frozenset("\u200c\u200d")
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
INDENT = "  "


def shown(text: str) -> str:
    """`text` on one line, with everything that could act on a terminal written as `\\u{…}`."""
    return "".join(_shown_character(character) for character in text)


def shown_lines(text: str) -> list[str]:
    """`text` as lines of `shown`; only a newline breaks a line, and a tab is four spaces."""
    return [shown(line.replace("\t", "    ")) for line in text.split("\n")]


def _shown_character(character: str) -> str:
    if character in _KEPT_FORMATS or unicodedata.category(character) not in _ESCAPED_CATEGORIES:
        return character
    return f"\\u{{{ord(character):x}}}"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a plain table, its columns as wide as they need to be."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield INDENT.join(padded).rstrip()


def size_text(count: float) -> str:
    """A number of bytes in decimal units, as networks are paid for."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def span_text(seconds: float) -> str:
    """A duration in its two largest units: `3 min 20 s`."""
    whole = max(0, round(seconds))
    parts = []
    for name, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, length)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def grouped(digits: str) -> list[str]:
    """A safety number as lines of four groups of five digits."""
    groups = [digits[start : start + 5] for start in range(0, len(digits), 5)]
    return [" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4)]
