"""The demo's end as a person reads it."""

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.demo.outcome import Outcome, Sent

if TYPE_CHECKING:
    from experiments.demo.observer import ObserverReport
    from experiments.lab.intervals import Interval
    from experiments.lab.observer import PacketDoubt

TEXT_COLUMNS = 56
PROSE_COLUMNS = 100


def show(outcome: Outcome, console: Console) -> None:
    """A table of messages, then three lines on what was on the wire and what it gave away."""
    messages = Table(title="What was said", title_justify="left", expand=False)
    for column in ("from", "message"):
        messages.add_column(column)
    for column in ("bytes", "packets", "delay"):
        messages.add_column(column, justify="right")
    messages.add_column("arrived")
    for sent in [*outcome.messages, outcome.file]:
        messages.add_row(*_cells(sent))
    console.print(messages)
    _traffic(outcome, console)
    _observer(outcome, console)
    _say(console, _verdict(outcome))


def _cells(sent: Sent) -> tuple[str, ...]:
    text = sent.text if len(sent.text) <= TEXT_COLUMNS else sent.text[: TEXT_COLUMNS - 1] + "…"
    delay = f"{sent.shown_at[0] - sent.sent_at:.1f} s" if sent.shown_at else "—"
    arrived = {0: "NO", 1: "once"}.get(len(sent.shown_at), f"{len(sent.shown_at)} TIMES")
    return (sent.sender, escape(text), f"{sent.bytes:,}", str(sent.packets), delay, arrived)


def _traffic(outcome: Outcome, console: Console) -> None:
    kinds = outcome.packets
    cover = kinds["loop"] + kinds["drop"]
    _say(
        console,
        "The first two lines were written before the two had met, and waited for that; the others "
        "waited behind the file where it went before them.",
        f"Of what the two clients sent, {kinds['payload']:,} packets carried words or the file, "
        f"{kinds['acknowledgement']:,} acknowledged, and {cover:,} were cover: loops back to the "
        "sender, and drops that end unread. On the wire they are of one size and one kind.",
        f"All links carried {outcome.frames:,} frames, {outcome.bytes_on_wire / 1e6:,.1f} MB.",
    )


def _observer(outcome: Outcome, console: Console) -> None:
    found = outcome.observer
    _say(
        console,
        "Somebody who saw every link of this run, and each packet's time on it, is left with "
        f"{found.sender_entropy_bits:.2f} of {found.max_bits:.2f} bits of doubt about who sent a "
        f"packet (mean of {found.replicates:,} that ended at a provider). 0 would be certainty, "
        f"{found.max_bits:.2f} a guess: two people have only each other to hide among.",
        *_packets(found),
        "That says nothing of watching for weeks, or of what a quieter network would leave: see "
        "docs/threat-model.md.",
    )


def _packets(found: "ObserverReport") -> list[str]:
    """The search for one packet among all, if any was traced."""
    packet, helped = found.packet, found.corrupt
    if not packet.packets:
        return ["The run was too short to follow single packets through it."]
    text = (
        "Asked which of all packets that ended was a certain one that somebody sent, they are left "
        f"with {packet.entropy_bits:.1f} bits of doubt{_between(packet.interval)}: as if it hid "
        f"among {packet.effective_set_size:.0f} alike. To their best guess they give "
        f"{packet.best_guess_probability:.0%}{_right(packet)} ({packet.packets:,} packets traced)."
    )
    whose = "one mix" if helped.mixes_a_layer == 1 else f"{helped.mixes_a_layer} mixes"
    more = (
        f"With the help of {whose} of each layer: {helped.packet.entropy_bits:.1f} bits, the best "
        f"guess {helped.packet.best_guess_probability:.0%}{_right(helped.packet)}, and "
        f"{helped.sender_entropy_bits:.2f} bits about the sender. All of these figures are "
        f"{packet.quality.value}: real mixes send at ticks, and with loops of their own."
    )
    return [text, more]


def _between(interval: "Interval | None") -> str:
    return f" (95 %: {interval.low:.1f} to {interval.high:.1f})" if interval else ""


def _right(packet: "PacketDoubt") -> str:
    if packet.best_guess_right is None:
        return ""
    return f", and are right in {packet.best_guess_right:.0%} of cases"


def _say(console: Console, *paragraphs: str) -> None:
    """Prose as wide as the table, without the spaces that would fill its lines."""
    for paragraph in paragraphs:
        lines = wrap(paragraph, min(console.width, PROSE_COLUMNS))
        console.print("\n".join(lines), highlight=False, markup=False)


def _verdict(outcome: Outcome) -> str:
    times = f"ready after {outcome.ready_seconds:.0f} s, done after {outcome.total_seconds:.0f} s"
    if outcome.ok:
        return f"Every message and the file arrived once, in order ({times})."
    return f"FAILED: not every message arrived once, in order and whole ({times})."
