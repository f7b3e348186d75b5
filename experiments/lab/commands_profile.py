"""`hushmill lab profile NETWORK`: what each profile of a network gives against which adversary."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap

import click

from experiments.lab.profile import ProfileRow, profile_network
from experiments.lab.situation import (
    Situation,
    measured_by,
    measured_in,
    open_network,
    supposed_clients,
    supposed_load,
)
from hushmill.errors import ExitCode, UserError
from hushmill.runtime import HushmillCommand, Output, now, pass_output
from pki import Genesis

PROSE_COLUMNS = 96
INDENT = "      "
LATE_EPOCHS = 1  # as in `status`, which shows no figures of an older document


@click.command(cls=HushmillCommand)
@click.argument("network", type=click.Path(path_type=Path))
@click.option(
    "--document",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A directory document, whose loads are used.",
)
@click.option(
    "--clients", type=click.IntRange(0, 2**40), help="Suppose that so many people are on."
)
@click.option(
    "--load",
    type=click.IntRange(0, 2**40),
    help="Suppose so many packets a second cross each layer.",
)
@click.option(
    "--corrupt-mixes",
    type=click.IntRange(0, 2**40),
    default=1,
    show_default=True,
    help="Corrupt mixes of each layer.",
)
@pass_output
def profile(
    output: Output,
    network: Path,
    document: Path | None,
    clients: int | None,
    load: int | None,
    corrupt_mixes: int,
) -> None:
    """Say what NETWORK hides from whom, from its parameters and its load.

    NETWORK is a network.toml, or the folder of a local network, whose newest document says the
    load.
    """
    genesis = open_network(network)
    situation = _situation(genesis, network, document, clients, load)
    rows = profile_network(genesis, situation, corrupt_mixes)
    age = situation.epochs_old(genesis, now())
    if age is not None and age > LATE_EPOCHS:
        output.note(
            f"This document is {age} epochs old: the network may have emptied or ended since, and "
            "`status` would show no figures."
        )
    record: dict[str, object] = {
        "ok": True,
        "network": genesis.network,
        "load": {"source": situation.source, "epochs_old": age, **asdict(situation.figures)},
        "rows": [asdict(row) for row in rows],
    }
    output.result(record, human="\n".join(_lines(genesis, situation, rows)))


def _situation(
    genesis: Genesis,
    network: Path,
    document: Path | None,
    clients: int | None,
    load: int | None,
) -> Situation:
    given = [option for option in (document, clients, load) if option is not None]
    if len(given) > 1:
        raise UserError("Give one of --document, --clients and --load.", ExitCode.USAGE)
    if document is not None:
        return measured_by(genesis, document)
    if clients is not None:
        return supposed_clients(genesis, clients)
    if load is not None:
        return supposed_load(genesis, load)
    return measured_in(genesis, network)


def _lines(genesis: Genesis, situation: Situation, rows: list[ProfileRow]) -> Iterator[str]:
    figures = situation.figures
    yield (
        f"{genesis.network}: {figures.load_packets_per_second} packets/s, people on: about "
        f"{figures.clients_estimated} ({situation.source})"
    )
    heads: tuple[str, str] = ("", "")
    for row in rows:
        if row.profile != heads[0]:
            state = "" if row.available else ", not available yet"
            yield f"\nProfile {row.profile}{state}"
        if (row.profile, row.adversary.value) != heads:
            yield f"  {row.adversary.value.replace('_', ' ')}"
        heads = row.profile, row.adversary.value
        value = f"{row.value:.3g}" if row.value < 100 else f"{row.value:.0f}"
        yield f"    {row.figure} = {value} {row.unit} ({row.quality.value})"
        yield from wrap(row.words, PROSE_COLUMNS, initial_indent=INDENT, subsequent_indent=INDENT)
