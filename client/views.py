"""What a person reads: lines of text from the daemon's records, with nothing a peer can forge.

Names, messages and file names come from other people. `shown` makes control characters, text
direction marks and invisible characters visible, so that no peer can clear a screen, turn a line
around or imitate our own output. Light: only the standard library.
"""

import unicodedata
from collections.abc import Iterable, Iterator

from client.rpc import Json, JsonObject

# Joiners that real scripts and emoji need; they cannot reorder or hide a line.
_KEPT_FORMATS = frozenset("\u200c\u200d")
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
INDENT = "  "
QUIET_BITS = 3.0  # a sender among fewer than eight, in effect
STALE = (
    "The network has published no directory for hours, so messages are held back. There is nothing "
    "for you to do but to leave the daemon running."
)


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


def objects(value: Json) -> list[JsonObject]:
    """The objects in what the daemon sent as a list of them."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def contact_rows(value: Json) -> list[tuple[str, ...]]:
    """Name, state and verification of each contact."""
    rows: list[tuple[str, ...]] = []
    for contact in objects(value):
        name = shown(str(contact["name"]))
        if contact["their_name"]:
            name += f" (calls themselves {shown(str(contact['their_name']))})"
        verified = "yes" if contact["verified"] else "no"
        rows.append((name, str(contact["state"]), verified))
    return rows


def message_text(message: JsonObject, sent_at: str) -> str:
    """A received message: one line of who and when, then the words, indented."""
    marks = ""
    if message["gap"]:
        marks += "  [an earlier message is still missing]"
    if message["late"]:
        marks += "  [came late]"
    head = f"{shown(str(message['contact']))}  {sent_at}{marks}"
    if message["kind"] == "file":
        size = size_text(float(str(message["size"])))
        line = f"file {shown(str(message['file_name']))}, {size}"
        if "saved" in message:
            line += f", saved as {shown(str(message['saved']))}"
        else:
            line += "; get it with: hushmill inbox --save DIR"
        return f"{head}\n{INDENT}{line}"
    return "\n".join([head, *(INDENT + line for line in shown_lines(str(message["text"])))])


def sent_text(message: JsonObject, sent_at: str) -> str:
    """An own message: one line of to whom, when and how far it is, then the words, indented."""
    head = f"to {shown(str(message['contact']))}  {sent_at}  {message['state']} ({message['id']})"
    if message["kind"] == "file":
        size = size_text(float(str(message["size"])))
        return f"{head}\n{INDENT}file {shown(str(message['file_name']))}, {size}"
    return "\n".join([head, *(INDENT + line for line in shown_lines(str(message["text"])))])


def anonymity_line(figures: Json) -> str:
    """What the network's traffic hides, in words; never more hopeful than the figures."""
    if not isinstance(figures, dict):
        return "How busy the network is, it has not said yet; until then, count on being seen."
    bits = float(str(figures["sender_bits"]))
    clients = int(str(figures["clients_estimated"]))
    people = {0: "hardly anybody", 1: "about 1 person"}.get(clients, f"about {clients} people")
    measured = f"{figures['load_packets_per_second']} packets/s, {people} on"
    if bits < QUIET_BITS:
        return (
            f"The network is quiet: {measured}; with so few people an observer who sees every link "
            "can often tell who you write to."
        )
    return (
        f"The network carries {measured}, by its mixes' word. To an observer who sees every link "
        f"each of your packets could be from any of about {int(2**bits)} people ({bits:.1f} bits); "
        "one who watches for weeks learns more."
    )


def status_lines(status: JsonObject) -> Iterator[str]:
    """The daemon's status, a line a fact."""
    name, network = shown(str(status["name"])), shown(str(status["network"]))
    yield f"{name or 'You'} in {network}, at {shown(str(status['provider_name']))}"
    if status["link_refused"]:
        yield "The provider refused your account. Ask its operator for a code, or choose another."
    elif not status["link_up"]:
        yield "Not connected: what you write stays queued and leaves when there is a network."
    elif status["document_epoch"] is None:
        yield "Connected; the directory of the network is on its way."
    elif status["document_stale"]:
        yield "Connected, but the network's directory is out of date: messages are held back."
    else:
        yield "Connected."
    counts = status["messages"]
    if isinstance(counts, dict):
        parts = [f"{count} {state}" for state, count in counts.items() if count]
        yield f"Your messages: {', '.join(parts) or 'none yet'}."
    yield f"Contacts: {status['contacts']}."
    yield f"Own loops: {status['loops_returned']} of {status['loops_sent']} came back."
    yield anonymity_line(status.get("anonymity"))
    yield f"Cover costs about {size_text(float(str(status['bytes_a_day'])))} a day each way."
