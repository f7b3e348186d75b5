"""`hushmill bench packet`: what a packet costs, beside the least that its public keys cost.

Every figure is the fastest of many short rounds, and one round measures all of them one after the
other, so that a slow moment of the machine is nobody's alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import get_args

import click

from hushmill.crypto import kem_named, public_key_floor
from hushmill.identifiers import DepositId, Epoch, InboxId, NodeNumber
from hushmill.packet import Hop, NodeKey, PacketFormat, Route, deposit_payload
from hushmill.parameters import SuiteName
from hushmill.runtime import HushmillCommand, Output, SystemRandomness, pass_output

HOPS = 4
PAYLOAD_BYTES = 3608
ROUNDS = 60
CALLS_A_ROUND = 50
# What the project holds itself to, as multiples of the public-key floor.
UNWRAP_TARGETS: Mapping[str, float] = {"x25519": 2.0, "xwing": 1.75}
SUITES: tuple[SuiteName, ...] = get_args(SuiteName)
Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class SuiteCalls:
    """What one suite times: whole operations, and the raw calls of their floors."""

    unwrap: Call
    wrap: Call
    opening: tuple[Call, ...]
    making: tuple[Call, ...]


def suite_calls(suite: SuiteName) -> SuiteCalls:
    """A route of four fresh nodes, one packet on it, and the floor."""
    rng = SystemRandomness()
    kem = kem_named(suite)
    form = PacketFormat(kem, HOPS, PAYLOAD_BYTES)
    epoch = Epoch(1)
    keys = [NodeKey(NodeNumber(number), epoch, kem.generate()) for number in range(HOPS)]
    route = Route(tuple(Hop(key.node, key.secret.public, 0.5) for key in keys), epoch)
    body = rng.take(form.geometry.body_bytes)
    payload = deposit_payload(InboxId(rng.take(32)), DepositId(rng.take(16)), body, form.geometry)
    packet = form.wrap(route, payload, rng)
    own = {epoch & 0xFF: keys[0]}
    floor = public_key_floor(suite)
    return SuiteCalls(
        unwrap=lambda: form.unwrap(packet, own),
        wrap=lambda: form.wrap(route, payload, rng),
        opening=floor.opening,
        making=floor.making,
    )


def microseconds(call: Call, calls: int) -> float:
    """The mean of `calls` calls."""
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls * 1e6


def packet_rows(rounds: int = ROUNDS, calls: int = CALLS_A_ROUND) -> list[dict[str, object]]:
    """Rows for unwrap and wrap of each suite (`us`, the floor as `limit_us`, `ratio`), and one for
    a classical hop, which opens a packet with a second X25519 for blinding."""
    suites = {suite: suite_calls(suite) for suite in SUITES}
    small = suites["x25519"]

    def classical_hop() -> None:
        small.unwrap()
        small.opening[0]()

    timed: dict[tuple[str, str], Call] = {("classical_hop", "x25519"): classical_hop}
    for suite, whole in suites.items():
        timed["unwrap", suite] = whole.unwrap
        timed["wrap", suite] = whole.wrap
        for kind, raw in (("opening", whole.opening), ("making", whole.making)):
            timed.update({(f"{kind} {number}", suite): call for number, call in enumerate(raw)})

    best = dict.fromkeys(timed, float("inf"))
    for _ in range(rounds):
        for name, call in timed.items():
            best[name] = min(best[name], microseconds(call, calls))

    def floor(kind: str, suite: str) -> float:
        return sum(us for (what, of), us in best.items() if of == suite and what.startswith(kind))

    classical = best["classical_hop", "x25519"]
    rows = []
    for suite in SUITES:
        limit = floor("opening", suite)
        opened = row("unwrap", suite, best["unwrap", suite], limit)
        opened["target_ratio"] = UNWRAP_TARGETS[suite]
        opened["over_classical_hop"] = round(classical / best["unwrap", suite], 3)
        rows.append(opened)
        rows.append(row("wrap", suite, best["wrap", suite], HOPS * floor("making", suite)))
    rows.append(row("classical_hop", "x25519", classical, 2 * floor("opening", "x25519")))
    return rows


def row(what: str, suite: str, us: float, limit_us: float) -> dict[str, object]:
    return {
        "what": what,
        "suite": suite,
        "us": round(us, 2),
        "limit_us": round(limit_us, 2),
        "ratio": round(us / limit_us, 3),
    }


def as_table(rows: list[dict[str, object]]) -> str:
    lines = [
        f"Packets of {HOPS} hops and {PAYLOAD_BYTES} bytes of payload, one core.",
        f"{'':24}{'time':>10}{'public-key floor':>20}{'ratio':>8}",
    ]
    for each in rows:
        name = f"{each['what']} {each['suite']}".replace("_", " ")
        target = f"  (at most {each['target_ratio']})" if "target_ratio" in each else ""
        times = f"{each['us']:>7} µs{each['limit_us']:>17} µs{each['ratio']:>8}"
        lines.append(f"{name:24}{times}{target}")
    return "\n".join(lines)


@click.command(cls=HushmillCommand)
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True)
@pass_output
def packet(output: Output, rounds: int) -> None:
    """Wrap and unwrap of both suites, beside their public-key floor."""
    rows = packet_rows(rounds)
    output.result({"bench": "packet", "rows": rows}, human=as_table(rows))
